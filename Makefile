# Every verb of this project, one documented line each; `make` prints them.
SHELL := /bin/sh
VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready
TESTS := $(BIN)/python -m pytest
ON_SPARK := $(TESTS) -n 2 --dist loadfile --no-loadscope-reorder tests/drills tests/spark tests/store
ON_STACK := $(TESTS) tests/stack

# Installed packages are compiled as they are first imported; without the result kept, every process would compile them again: 8 s each.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test check unit spark stack long drill soak bench scorecard docs lock clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## start everything, land the demo data, materialise it, say where to look
	@$(BIN)/lakehouse demo

test: check unit spark stack ## run all checks, and all tests but the long ones; starts and stops its own servers, also beside a demo

check: $(READY) ## lint, types, import directions
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(READY) ## tests without any server, in seconds
	$(TESTS) -n 2 tests/unit tests/conventions

spark: $(READY) ## tests on an object store and a Spark Connect server
	$(ON_SPARK) -m "not long"

stack: $(READY) ## tests with everything up and a real browser
	@$(BIN)/python -m infra.browser
	$(TESTS) -n 2 --dist loadfile tests/browser tests/pages
	$(ON_STACK) -m "not long"

long: $(READY) ## the long tests: kills in short form, outages, late events, records taken up again; an hour
	$(ON_SPARK) -m long
	$(ON_STACK) -m long

drill: $(READY) ## kill worker and Spark at every point, TIMES (5) times each; taken up where it was stopped; about an hour
	$(TESTS) tests/drills --times $(or $(TIMES),5)

soak: $(READY) ## live through DAYS (14) simulated days of RUNS (288) runs each: does the disk grow, do queries slow down; hours
	$(TESTS) tests/soak -s --days $(or $(DAYS),14) --runs $(or $(RUNS),288)

bench: $(READY) ## measure against plain Spark and other tools; SIZES, TIMES (5), ONLY name a part; taken up where it was stopped; hours
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: -r infra/requirements-bench.txt
	$(TESTS) tests/bench -s --rounds $(or $(TIMES),5) $(if $(SIZES),--sizes $(SIZES)) $(if $(ONLY),-k "$(ONLY)")

scorecard: $(READY) ## seventeen faults in a simulated fortnight: what DETECTOR finds, how soon, with which cause; SEED, FAULTS; minutes
	@$(BIN)/python -m tests.scorecard --detector $(or $(DETECTOR),tests.scorecard.product:make) --seeds "$(SEED)" --faults "$(FAULTS)"

docs: $(READY) ## render the data dictionary from the declarations
	LAKEHOUSE_HOME=$(VENV)/none $(BIN)/lakehouse dictionary > docs/data_dictionary.md

lock: $(READY) ## resolve the dependencies of pyproject.toml anew into the hash-locked lists
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header -o requirements.lock
	for list in build go; do $(BIN)/uv pip compile infra/requirements-$$list.in --universal --python-version 3.11 \
		--generate-hashes --no-header -o infra/requirements-$$list.txt || exit 1; done
	$(BIN)/uv pip compile pyproject.toml --extra bench -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-header \
		$$(sed -n 's/^\([a-z0-9-]*\)==.*/--no-emit-package \1/p' requirements.lock) -o infra/requirements-bench.txt

clean: ## delete the environment and what tools left behind; data and the cache of parts stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .drill .bench

$(READY): requirements.lock pyproject.toml
	@infra/make_environment.sh $(VENV)
	@touch $@
