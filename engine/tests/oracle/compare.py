"""Compares plans with the optima that HiGHS and LEMON find, level by level.

usage: compare.py WATERSHED [--json FILE] [--made TEXT] [--limit-s SECONDS] [INSTANCE.json ...]

Beside the files named it makes its own (see instances.py): random problems with everything that an instance may have, and
minimum-cost-flow problems of public generators as instances. Every level must agree to 1e-6 of its scale with HiGHS, and with
LEMON as far as it goes: what is unserved always, the cost where nothing but links and volume is paid and limited. What HiGHS
cannot solve in the time allowed (60 s) has a dash, does not count, and is named at the end and under `unfinished`. `--made` says
when and of what the figures are. Exit code 1 when one differs.

The linear programs that come with HiGHS (afiro, greenbea and so on) have no form as instances: their rows are no flows.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import instances
import lemon
import lp

TOLERANCE = 1e-6


def problems(files):
    """(name, instance, cost by an independent solver of the original problem or None)."""
    for path in files:
        yield Path(path).stem, json.loads(Path(path).read_text()), None
    for power in instances.NETGEN_SIZES:
        flow = instances.netgen(power)
        yield f"netgen-8-{power:02}", instances.as_instance(*flow), lemon.flow_cost(*flow)
    for rows, columns in instances.GRIDS:
        flow = instances.grid(rows, columns)
        yield f"grid-{rows}x{columns}", instances.as_instance(*flow), lemon.flow_cost(*flow)
    for seed in range(3):
        for sources, sinks, load in instances.SHAPES:
            name = f"{sources}x{sinks}-{load}-{seed}"
            yield f"all-{name}", instances.transport(seed, sources, sinks, load), None
            yield f"asking-{name}", instances.asking(seed, instances.transport(seed, sources, sinks, load)), None
            yield f"plain-{name}", instances.transport(seed, sources, sinks, load, piecewise=False), None


def ours(watershed, instance):
    """Unserved, overload, below-floor Mbps and CNY by Watershed, and the time of the solve in ms."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(instance, file)
        file.flush()
        done = subprocess.run([watershed, "solve", file.name, "--json"], capture_output=True, check=True)
    report = json.loads(done.stdout)
    levels = ("unserved_mbps", "overload_mbps", "below_floor_mbps", "objective")
    return [report[level] for level in levels], report["solve_ms"]


def off(expected, found, demand):
    """Largest relative difference: of demand on the first three levels, of the cost on the fourth."""
    scales = [demand, demand, demand, max(expected[3] or 0.0, 1e-9)]
    levels = zip(expected, found, scales)
    return max(abs(a - b) / max(scale, 1e-9) for a, b, scale in levels if a is not None)


def by_lemon(instance, original):
    """What LEMON can say of an instance: all levels, the first, or nothing where amounts are no multiples of its unit."""
    if original is not None:
        return [0.0, 0.0, 0.0, original * instance["value_cny_per_gbps_ms_slot"] / 1000]
    try:
        if lemon.applies(instance):
            unserved, cost = lemon.optima(instance)
            return [unserved, 0.0, 0.0, cost]
        return [float(lemon.unserved(instance) * lemon.MBPS), None, None, None]
    except ValueError:
        return None


def compare(watershed, instance, original, limit_s):
    """One row of the table."""
    demand = sum(unit["mbps"] for unit in instance["units"])
    found, solve_ms = ours(watershed, instance)
    row = {"units": len(instance["units"]), "links": len(instance["links"]), "solve_ms": solve_ms, "watershed": found}
    start = time.monotonic()
    try:
        row["highs"] = lp.optima(instance, limit_s)
        row["highs_ms"] = (time.monotonic() - start) * 1e3
    except lp.TooSlow:
        row["highs"] = None
    row["lemon"] = by_lemon(instance, original)
    for oracle in ("highs", "lemon"):
        row[f"off_{oracle}"] = None if row[oracle] is None else off(row[oracle], found, demand)
    return row


def figure(value, form):
    """A figure, or a dash where there is none."""
    return "-" if value is None else format(value, form)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("watershed")
    parser.add_argument("--json")
    parser.add_argument("--made", default="")
    parser.add_argument("--limit-s", type=float, default=60)
    parser.add_argument("files", nargs="*")
    args = parser.parse_intermixed_args()
    print(f"{'':4} {'instance':22} {'units':>6} {'links':>6} {'watershed':>18} {'HiGHS':>18} {'LEMON':>18} "
          f"{'off HiGHS':>9} {'off LEMON':>9} {'unserved':>12}")
    table, worst = [], {"off_highs": 0.0, "off_lemon": 0.0}
    for name, instance, original in problems(args.files):
        row = {"instance": name} | compare(args.watershed, instance, original, args.limit_s)
        table.append(row)
        offs = [row[key] for key in worst if row[key] is not None]
        for key in worst:
            worst[key] = max(worst[key], row[key] or 0.0)
        row["agrees"] = bool(offs) and max(offs) <= TOLERANCE
        cost = [figure(row[who] and row[who][3], "18.9f") for who in ("watershed", "highs", "lemon")]
        print(f"{'ok' if row['agrees'] else 'FAIL' if offs else '-':4} {name:22} {row['units']:6} {row['links']:6} "
              f"{cost[0]:>18} {cost[1]:>18} {cost[2]:>18} {figure(row['off_highs'], '.1e'):>9} "
              f"{figure(row['off_lemon'], '.1e'):>9} {row['watershed'][0]:12.4f}", flush=True)
    unfinished = [{"oracle": "HiGHS", "instance": row["instance"]} for row in table if row["highs"] is None]
    if args.json:
        report = {"made": args.made, "tolerance": TOLERANCE, "limit_s": args.limit_s, "unfinished": unfinished, "rows": table}
        Path(args.json).write_text(json.dumps(report, indent=1) + "\n")
    judged = [row for row in table if row["off_highs"] is not None or row["off_lemon"] is not None]
    differ = [row["instance"] for row in judged if not row["agrees"]]
    print(f"{len(judged)} of {len(table)} instances judged, {len(differ)} differ {differ or ''}; largest difference from "
          f"HiGHS {worst['off_highs']:.1e}, from LEMON {worst['off_lemon']:.1e}")
    for row in unfinished:
        print(f"{row['oracle']} did not finish within {args.limit_s:g} s on {row['instance']}")
    sys.exit(1 if differ or not judged else 0)


if __name__ == "__main__":
    main()
