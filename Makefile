# Every target creates the virtual environment if needed. requirements.lock pins each package by hash.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# Two workers more than processors, because tests often wait for processes.
WORKERS ?= $$(($$(getconf _NPROCESSORS_ONLN) + 2))

.DEFAULT_GOAL := help
.PHONY: help gate test test-all nightly matrix lint types format sandbox wheel lint-openapi docs lock clean

help:  ## print this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Ringback needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

gate: $(READY)  ## check and load the embedded sandbox, with one verdict
	$(BIN)/ringback gate

# Tests start many processes. With bytecode caching, each module is compiled only once.
test test-all: export PYTHONDONTWRITEBYTECODE =

test: $(READY)  ## Ringback's own tests without the slow ones
	$(BIN)/python -m pytest -q -m "not slow" -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
	  --durations=100 --durations-min=2 $(PYTEST_ARGS)

test-all: $(READY)  ## all of Ringback's own tests, including the fault and dialect matrix
	$(BIN)/python -m pytest -q

matrix: $(READY)  ## every fault and dialect of every stack on this machine, checked for all clauses (takes hours)
	RINGBACK_MATRIX=full $(BIN)/python -m pytest -q tests/matrix

nightly: $(READY)  ## every misbehaving server, and a thousand mixtures of them (CI runs a share, and ten)
	RINGBACK_MATRIX=full RINGBACK_MIXTURES=1000 $(BIN)/python -m pytest -q tests/menagerie

lint: $(READY)  ## ruff (rules and format) and vulture (dead code)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/vulture
	$(BIN)/vulture src contract_tests load benchmarks docs/generate tests

types: $(READY)  ## mypy, strict
	$(BIN)/mypy

format: $(READY)  ## fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint-openapi: $(READY)  ## openapi.yaml: the specification's validator, Spectral, Redocly
	$(BIN)/openapi-spec-validator openapi.yaml
	cd tests/openapi_lint && npm ci --silent --no-audit --no-fund && npm run --silent lint

docs: export NO_MKDOCS_2_WARNING = 1
docs: $(READY)  ## the documentation as a site in site/; a link that leads nowhere is an error
	$(BIN)/mkdocs build --strict --quiet

sandbox: $(READY)  ## run the sandbox on port 22222 until Ctrl-C
	$(BIN)/ringback sandbox

wheel: $(READY)  ## build dist/ringback-*.whl
	$(BIN)/python -m build --wheel --no-isolation

lock: $(READY)  ## update requirements.lock (needs uv)
	uv pip compile pyproject.toml --group dev --extra metrics --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header --upgrade -o requirements.lock

clean:  ## remove the files that make creates
	rm -rf $(VENV) site tests/deployments/.built dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
