# Every command of tickline. `make` alone lists them.

# Settings come from the environment; a file .env beside this one fills in what is not set there.
tickline  = node $(if $(wildcard .env),--env-file=.env) --enable-source-maps $(node_flags) $(program)
installed = node_modules/.package-lock.json
program   = .tools/build/main.js
tools     = .tools
deno      = $(tools)/deno/node_modules/deno/deno

# Ticks live for a moment: a small young generation is enough. What gets into the old one all the same is collected when
# that has grown by 60 %: left alone it grows to four times what is in use, and memory goes up and down with it.
node_flags = --max-semi-space-size=8 --heap-growing-percent=60

# Folder or files that `make test` runs.
TESTS ?= test

.DEFAULT_GOAL := help
.PHONY: help install install-servers install-deno run run-ingest run-workers servers inspect provision record replay test chaos check bench soak overload

help: ## This list, and the environment variables
	@echo "make <target>; settings are environment variables: MARKETS=binance:BTC-USDT DURATION=30s make run"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-18s%s\n", $$1, $$2 }'
	@echo
	@if [ -f $(installed) ]; then node --import tsx src/main.ts help; \
	else echo "Environment variables: see .env.example"; fi

install: $(installed) install-servers ## Packages, and the two servers where the system has none

install-servers: ## nats-server and influxd: unpacks Debian's packages into .tools/ unless both are on PATH
	@sh deploy/fetch_servers.sh $(tools)

install-deno: $(deno) ## Deno, into .tools/: actors run under exactly the permissions that they declare, see deploy/README.md

run: $(program) install-servers ## Everything, on private servers and the simulated market; Ctrl-C or DURATION ends it
	@$(tickline) run

run-ingest: $(program) ## Ingest the MARKETS into NATS_URL
	@$(tickline) run-ingest

run-workers: $(program) ## Make and store candles: NATS_URL to INFLUX_URL; ACTORS chooses
	@$(tickline) run-workers

servers: $(program) install-servers ## Only a private nats-server and influxd
	@$(tickline) servers

inspect: $(program) ## Streams, consumers, lag and losses
	@$(tickline) inspect

provision: $(program) ## Database and retention policies at INFLUX_URL, for workers that may only write
	@$(tickline) provision

record: $(program) ## Raw frames of the venues to FILE
	@$(tickline) record

replay: $(program) ## FILE back through a local exchange at SPEED times real time
	@$(tickline) replay

# Two files at a time: each may have servers of its own.
test: $(installed) install-servers ## All tests, or those below TESTS
	@node --import tsx --test --test-concurrency=2 --test-timeout=300000 $(TEST_FLAGS) \
		$$(find $(TESTS) -name '*_test.ts' | LC_ALL=C sort)

chaos: $(installed) install-servers ## Faults at random for DURATION (20m), as SEED has it, and a balance sheet: test/chaos/README.md
	@node --import tsx test/chaos/chaos.ts

check: $(installed) ## Format, lint, import order and types
	@node_modules/.bin/biome check --error-on-warnings
	@node_modules/.bin/tsc --noEmit

bench: $(program) install-servers ## Benchmarks
	@find test/bench -name '*_bench.ts' 2>/dev/null | LC_ALL=C sort | while read -r file; do \
		echo "$$file"; node --import tsx "$$file" || exit 1; done

soak: $(program) install-servers ## The whole pipeline for DURATION (20m) at RATE (5000): memory and lag stay flat
	@node --import tsx test/bench/soak.ts

overload: $(program) install-servers ## More ticks than one core can take: lag and memory stay flat, what is shed is counted
	@node --import tsx test/bench/overload.ts

# Node 20 runs no TypeScript: one file of JavaScript, made in a moment, starts faster than a loader and is 30 MB smaller.
# It lies two folders deep, as the modules of src do, so that paths from a module to the root hold.
$(program): $(installed) $(shell find src -name '*.ts')
	@node_modules/.bin/esbuild src/main.ts --bundle --packages=external --platform=node --format=esm --target=node20 \
		--sourcemap --log-level=warning --outfile=$@

# 92 MB, which nothing else needs: so it is no dependency of the project.
$(deno):
	@npm install --prefix $(tools)/deno --ignore-scripts --no-save --no-audit --no-fund deno@2.9.5
	@node $(tools)/deno/node_modules/deno/bin.cjs --version >/dev/null

# npm writes this file last, so it stands for a complete installation.
$(installed): package.json package-lock.json
	@npm ci --ignore-scripts --no-audit --no-fund
	@touch $@
