"""Counts the addresses of every Chinese province and ISP in an ip2region .db file.

usage: pairs.py sources/ip2region-2.3.0/data/ip2region.db > pairs.csv
"""

import collections
import csv
import struct
import sys
from pathlib import Path

# The ISPs that area names know; others keep the name they have there.
ISPS = {"电信": "ct", "联通": "cu", "网通": "cu-netcom", "移动": "cm", "铁通": "cm-tietong", "教育网": "edu",
        "科技网": "cst", "鹏博士": "drp", "长城": "drp-gwbn", "0": ""}
# Not among the provinces of places.csv, which has them as countries (ISO 3166); GB/T 2260 codes.
BEYOND = {"台湾省": "71", "香港": "81", "澳门": "82", "0": ""}


def main():
    data = Path(sys.argv[1]).read_bytes()
    with open(Path(__file__).with_name("places.csv"), encoding="utf-8") as file:
        codes = {row["chinese"]: row["province"] for row in csv.DictReader(file) if row["chinese"]}
    first, last = struct.unpack_from("<II", data)
    pairs = collections.Counter()
    for at in range(first, last + 12, 12):
        start, end, pointer = struct.unpack_from("<III", data, at)
        offset, length = pointer & 0xFFFFFF, pointer >> 24
        country, _, province, _, isp = data[offset + 4:offset + length].decode().split("|")
        if country == "中国":
            code = BEYOND[province] if province in BEYOND else codes[province.removesuffix("省")]
            pairs[code, ISPS.get(isp, isp)] += end - start + 1
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["province", "isp", "addresses"])
    for (code, isp), addresses in sorted(pairs.items()):
        out.writerow([code, isp, addresses])


if __name__ == "__main__":
    main()
