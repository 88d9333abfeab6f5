# Everything that is done with Moorage from a clone; `make` alone lists it. CI runs the same commands (.ci/run).

# Another interpreter: make PYTHON=python3.12 install
PYTHON ?= python3
# More arguments for pytest: make test ARGS="-k upload"
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Two stamps, so that serving does not wait for the developers' tools.
INSTALLED := $(VENV)/.installed
DEV_INSTALLED := $(VENV)/.installed-dev
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --annotation-style line --group build $(UPGRADE) pyproject.toml

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install serve test check fix clients clients-test conformance proofs peers bench lock clean

help: ## List the targets (the default).
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Build .venv from the hashed lock file and install Moorage into it.

serve: $(INSTALLED) ## Install, then run a registry on 127.0.0.1:5000 with its data in ./var; MOORAGE_* settings count.
	@exec $(BIN)/moorage serve

test: $(DEV_INSTALLED) ## Run the unit tests and the protocol suite.
	$(BIN)/pytest --numprocesses=2 $(ARGS)

check: $(DEV_INSTALLED) ## Check format, lint, types, import layers and house rules.
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest --quiet tests/house

fix: $(DEV_INSTALLED) ## Format the code and repair what the linter can repair.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clients: ## Install the real clients (docker, skopeo, podman, ...) at pinned versions; needs root or sudo.
	tools/clients.sh

clients-test: $(DEV_INSTALLED) ## Test with the real clients; `make clients` first.
	$(BIN)/pytest tests/clients $(ARGS)

conformance: $(DEV_INSTALLED) ## Run the official conformance suite; `make clients` first.
	$(BIN)/pytest tests/conformance $(ARGS)

proofs: $(DEV_INSTALLED) ## Run the long proofs (`make clients` first): crashes, races, load; PROOF_SCALE=0.05 shortens.
	$(BIN)/pytest tests/proofs $(ARGS)

peers: ## Install the registries that bench/ measures beside Moorage; needs root or sudo, and Go.
	tools/peers.sh

bench: $(DEV_INSTALLED) ## Measure Moorage beside its peers, and write docs/benchmarks.md; QUICK=1 takes 5 minutes.
	$(BIN)/python -m bench $(if $(QUICK),--quick) $(ARGS)

lock: $(DEV_INSTALLED) ## Write the lock files anew from pyproject.toml; UPGRADE=--upgrade takes newer versions.
	$(LOCK) --output-file requirements/runtime.lock
	$(LOCK) --extra dev --constraint requirements/runtime.lock --output-file requirements/dev.lock

clean: ## Remove .venv and all caches; the data in ./var stays.
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Moorage needs Python 3.11 or later. Install one and name it: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; \
		exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# The package is installed in place: a changed source needs no new installation.
$(INSTALLED): requirements/runtime.lock pyproject.toml | $(BIN)/python
	$(PIP_INSTALL) --require-hashes --requirement requirements/runtime.lock
	$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_INSTALLED): requirements/dev.lock $(INSTALLED)
	$(PIP_INSTALL) --require-hashes --requirement requirements/dev.lock
	@touch $@
