# Two commands do everything on a machine with python3 and make: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
# many tests wait for processes and servers: more workers than cores
WORKERS ?= 6

.PHONY: setup develop run test core rest servers lint bench lock clean

## .venv/bin/failover, and no more than running it needs; pinned and hashed
setup: $(VENV)/.ready

$(VENV)/.ready: requirements/setup.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed"; exit 1; }
	@test -x $(BIN)/pip || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV) 2>/dev/null; } || sh requirements/install-venv.sh $(PYTHON) $(VENV)
	$(PIP) --require-hashes --requirement requirements/setup.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

## what tests and checks need besides
develop: $(VENV)/.develop

$(VENV)/.develop: $(VENV)/.ready requirements/dev.txt
	$(PIP) --require-hashes --requirement requirements/dev.txt
	@touch $@

## the main job on the embedded default: lose a provider under load, and come back
run: setup
	$(BIN)/failover demo

## everything that is checked: style, types, floors, tests; installs the real servers when root
test: develop servers lint core rest

# some images keep Python from storing what it has compiled, and these tests start a thousand short processes
core rest: export PYTHONDONTWRITEBYTECODE :=

## the tests of the core alone take every branch of it: what other tests happen to pass through does not count
core: develop
	$(BIN)/python -m coverage erase
	$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report= tests/core
	$(BIN)/python -m coverage report --show-missing --skip-covered

## all others, at full speed: a measured test takes twice as long
rest: develop servers
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --ignore tests/core

servers:
	@sh tests/servers/install.sh

lint: develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2
	$(BIN)/lint-imports

## side by side with peers, in one run; five providers at once; large plans
bench: develop
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/mirroring.py
	$(BIN)/python benchmarks/planning.py
	$(BIN)/python benchmarks/dns_hosts.py
	$(BIN)/python benchmarks/probing.py

## renew the pinned dependencies (needs `uv`)
lock:
	for name in run setup dev bench; do uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate requirements/$$name.in --output-file requirements/$$name.txt; done

clean:
	rm -rf $(VENV) build dist .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
