# Every target sets itself up: all it needs is make, Python 3.11 to 3.13 and a package index.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
PYTEST := $(BIN)/python -m pytest -q
COVERAGE := --cov=runledger --cov-branch
COVERAGE_FLOOR := 85

.DEFAULT_GOAL := help
BENCHES := append ingest launch overhead verify rebuild viewers
.PHONY: help install demo up test lint lock format types unit system bench $(BENCHES:%=bench-%) clean

help:  ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

install: $(INSTALLED)  ## the virtual environment, with everything in it

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Runledger needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is another: make PYTHON=python3.12 …"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: $(INSTALLED)  ## train a small model from a REST launch to its place in MLflow, then stop
	$(BIN)/runledger demo

up: $(INSTALLED)  ## start everything under .runledger and stay up
	$(BIN)/runledger up

test: lint types unit system  ## everything that has to pass

lint: $(INSTALLED)  ## ruff and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(INSTALLED)  ## mypy, strict
	$(BIN)/mypy

unit: $(INSTALLED)  ## every test that starts no whole system, two at a time
	$(BIN)/coverage erase
	$(PYTEST) -n 2 --dist loadgroup -m "not system" $(COVERAGE) --cov-report=

system: $(INSTALLED)  ## real processes, databases and brokers, which mostly wait; then the coverage floor
	$(PYTEST) -n 3 --dist loadgroup -m system $(COVERAGE) --cov-append --cov-report=term:skip-covered --cov-fail-under=$(COVERAGE_FLOOR)

bench: $(BENCHES:%=bench-%)  ## every benchmark, one after the other: no other work beside them

bench-append: $(INSTALLED)  ## events appended a second, beside the bare database driver
	$(BIN)/python -P -m tests.benchmarks.append

bench-ingest: $(INSTALLED)  ## metric points accepted a second over HTTP, beside an MLflow server
	$(BIN)/python -P -m tests.benchmarks.ingest

bench-launch: $(INSTALLED)  ## from a launch to its start and its first step, beside MLflow's create_run
	$(BIN)/python -P -m tests.benchmarks.launch

bench-overhead: $(INSTALLED)  ## what a hundred scalars a step cost the training that logs them
	$(BIN)/python -P -m tests.benchmarks.overhead

bench-verify: $(INSTALLED)  ## events sealed and verified a second, beside a pass that only reads
	$(BIN)/python -P -m tests.benchmarks.verify

bench-rebuild: $(INSTALLED)  ## events replayed a second into all read models, beside a bare read-and-decode
	$(BIN)/python -P -m tests.benchmarks.rebuild

bench-viewers: $(INSTALLED)  ## a thousand viewers of one API process while a run goes on
	$(BIN)/python -P -m tests.benchmarks.viewers

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

lock:  ## resolve the requirements anew; needs uv
	$(LOCK) --group dev pyproject.toml --output-file requirements.txt
	$(LOCK) .ci/requirements.in --output-file .ci/requirements.txt

format: $(INSTALLED)  ## put the code in its layout
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what make and the tests made; data under .runledger stays
	rm -rf $(VENV) .demo .coverage .coverage.* htmlcov dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.schemathesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
