# Targets for people and for CI; each is what its line of help says.
.DEFAULT_GOAL := help
.PHONY: help demo test lint instructions bench bench-dns geo tools bench-opt oracle round-trips test-tools

CARGO ?= cargo

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

demo: tools ## the main job on real data, with checks; KEEP=1 stays up at the end
	$(CARGO) build --release --locked
	$(CARGO) run --release --locked --quiet -- demo $(if $(KEEP),--keep)

test: test-tools lint ## set-up, lint, unit, property and integration tests
	$(CARGO) test --workspace --locked
	@if command -v valgrind >/dev/null; then $(MAKE) --no-print-directory instructions; \
		else echo 'valgrind is missing: instructions were not counted'; fi

lint: tools ## formatting and lints; warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

instructions: test-tools ## what one DNS question costs in instructions, held against dns/instructions.txt; UPDATE=1 keeps what is counted
	$(CARGO) run --release --locked --quiet -p watershed-dns --example instructions -- \
		$(if $(UPDATE),update,check) dns/instructions.txt

bench: tools ## what one question, one redirect, one cycle and planning levels for a day cost
	$(CARGO) test --release --locked -p watershed-dns -p watershed-redirect -- --ignored --nocapture --test-threads=1
	$(CARGO) test --release --locked -p watershed-engine --test levels -- --ignored --nocapture

bench-dns: tools ## what one DNS answer costs against gdnsd, Knot DNS and the floor, on the same data (about 3 minutes)
	bench/peers.sh
	$(CARGO) build --release --locked --package watershed --package watershed-bench
	$${CARGO_TARGET_DIR:-target}/release/bench-dns compare \
		--database var/bench/GeoLite2-City.mmdb --json var/bench/dns.json $(ARGS)

# Measured round-trip times for world-242, where DATA names a folder that has them: unpacked by `round-trips`, and their file.
ROUND_TRIPS = $(shell [ ! -f "$(DATA)/rtt-world-242.csv.gz" ] || echo var/bench/round-trips.csv)
# When and of what a report is made.
MADE = "$$(date +%F), $$(git rev-parse --short HEAD)"

round-trips:
	@mkdir -p var/bench
	@$(if $(ROUND_TRIPS),gzip -dc "$(DATA)/rtt-world-242.csv.gz" >$(ROUND_TRIPS),true)

bench-opt: tools round-trips ## measure the optimizer, write bench/reports/optimizer.* and month.json; DATA=DIR may hold rtt-world-242.csv.gz (about 16 minutes)
	$(CARGO) run --release --locked --quiet -- simulate month --json >bench/reports/month.json
	$(CARGO) run --release --locked --quiet -p watershed-simulator --example bench_opt -- --out bench/reports \
		--month bench/reports/month.json --made $(MADE) $(addprefix --round-trips ,$(ROUND_TRIPS)) $(ARGS)

oracle: tools round-trips ## compare plans with the optima that HiGHS and LEMON find; DATA=DIR as for bench-opt (needs python3 and PyPI; about 3 minutes)
	@test -x var/oracle/bin/python || python3 -m venv var/oracle
	var/oracle/bin/pip install --quiet highspy==1.15.1 numpy==2.4.6 pylmcf==1.3.0 pynetgen==1.0.0
	$(CARGO) build --release --locked --bin watershed
	@for name in cn-488 cn-488-requests world-242 infeasible-east; do \
		$(CARGO) run --release --locked --quiet -p watershed-simulator --example instance -- $$name 1 $(ROUND_TRIPS) >var/oracle/$$name.json || exit 1; done
	var/oracle/bin/python engine/tests/oracle/compare.py $${CARGO_TARGET_DIR:-target}/release/watershed \
		--json bench/reports/oracle.json --made $(MADE) \
		var/oracle/cn-488.json var/oracle/cn-488-requests.json var/oracle/world-242.json var/oracle/infeasible-east.json

geo: tools ## rebuild data/geo/areas.wsa from its sources (needs npm)
	geo/fetch.sh
	$(CARGO) run --release --locked -p watershed-geo --example shipped

# A C compiler for the embedded store is all that is needed beside Rust; on a fresh Debian it is installed here.
tools:
	@command -v $(CARGO) >/dev/null || { echo 'Rust is missing: install it with rustup (1.95 or later)'; exit 1; }
	@command -v cc >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev; }

# What only tests need: the peer that answers are compared with, and valgrind to count instructions.
test-tools: tools
	@command -v gdnsd >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends gdnsd; } \
		|| echo 'gdnsd is missing: the test of equality with it will fail until it is installed'
	@command -v valgrind >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends valgrind; } \
		|| echo 'valgrind is missing: instructions will not be counted until it is installed'
