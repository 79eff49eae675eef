# Everything runs from a virtual environment that the first target makes: .venv
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Four workers keep two cores busy, for many tests wait for real time; tests/schedule.py says which tests go to one of them
# together. Six were a tenth sooner, and what runs in real time ran late now and then. PYTEST_ARGS="-n 0 -x" gives one worker
# and stops at the first failure.
PYTEST_ARGS ?= -n 4 --dist loadfile --no-loadscope-reorder --durations=10
# Hundreds of processes are started: none of them compiles again what another has compiled, whatever the shell says.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
TESTS ?= tests

.PHONY: help demo test check bench chaos soak verdicts docs wheel ranges lock release clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    prove a simulated rack (sets everything up; no hardware, no server)"
	@echo "make test    all tests            make check   style, types, import rules, generated docs"
	@echo "make bench   measure the costs    make chaos   kill, freeze and cut things in mid-run"
	@echo "make soak    the long forms       make verdicts  shipped plans on 30 good racks each, and what limits leave"
	@echo "make docs    write docs/reference again"
	@echo "make wheel   build the wheel      make clean   remove what the others made"
	@echo "make ranges  test with the lowest and the newest dependencies"
	@echo "make lock    choose the versions of CI again"
	@echo "make release build and try what is released, print the notes for the tag"

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
		|| { echo "the venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/runtime: .venv/made pyproject.toml
	$(PIP) install --editable .
	@touch $@

ifdef LOCKED # as CI does: the versions and files of the lock, and no others
.venv/development: .venv/made pyproject.toml packaging/lock-ci.txt
	$(PIP) install --require-hashes --requirement packaging/lock-ci.txt || { $(LOCK_FAILED); exit 1; }
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch .venv/runtime $@
else
.venv/development: .venv/runtime
	$(PIP) install --editable '.[dev]'
	@touch $@
endif

LOCK_FAILED := echo "packaging/lock-ci.txt cannot be installed here, see above: make lock writes it again, LOCKED= does without"

demo: .venv/runtime
	$(BIN)/harness run testplans/smoke.yaml --simulate
	@echo
	@echo "That was a rack of 132 kW on simulated devices, over real sockets. Worth trying next:"
	@echo "  . $(BIN)/activate                                      then this shell knows the command harness"
	@echo "  harness report last                                        the record of this run"
	@echo "  harness run acceptance --simulate --fault filter_clog      the same rack with a fault"
	@echo "  harness run burn_in_24h --simulate --virtual               a day in a minute or two; the record takes 1.1 GB"

test: .venv/development
	$(PYTEST) $(PYTEST_ARGS) $(TESTS)

check: .venv/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python docs/generate.py --check

bench: .venv/development
	$(BIN)/python bench/run.py

chaos: .venv/development
	$(PYTEST) tests/chaos -m "slow or not slow" --timeout 1800

soak: .venv/development
	$(PYTEST) tests --ignore tests/chaos -m slow --timeout 7200

verdicts: .venv/development
	$(BIN)/python -m tests.verdicts

docs: .venv/development
	$(BIN)/python docs/generate.py

wheel: .venv/development
	$(BIN)/python -m build --wheel

ranges: .venv/made
	$(BIN)/python packaging/ranges.py build/ranges $(PYTEST_ARGS) $(TESTS)

lock: .venv/made
	$(PIP) install 'uv>=0.9,<1'
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --upgrade --quiet \
		--custom-compile-command 'make lock' --output-file packaging/lock-ci.txt

release: .venv/development
	$(BIN)/python packaging/release.py $(PYTEST_ARGS) $(TESTS)

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf *.egg-info
