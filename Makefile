# One word per job; CI runs these and nothing else. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
STAMPS := build/stamps
RUST_SOURCES := $(shell find rust proto -name '*.rs' -o -name '*.proto' -o -name Cargo.toml -not -path '*/target/*') Cargo.toml Cargo.lock

.PHONY: help
help: ## List the jobs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

# --- set-up -----------------------------------------------------------------

$(STAMPS)/venv: requirements/dev.txt
	$(PYTHON) -c 'import sys; sys.exit("pitcanary needs Python 3.10 or later; set PYTHON=") if sys.version_info < (3, 10) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	mkdir -p $(STAMPS) && touch $@

$(STAMPS)/extension: $(STAMPS)/venv $(RUST_SOURCES) pyproject.toml
	$(BIN)/maturin develop --release --locked --quiet
	mkdir -p $(STAMPS) && touch $@

.PHONY: setup
setup: $(STAMPS)/extension ## Make .venv and build the extension into it

.PHONY: postgresql
postgresql:
	scripts/ensure-postgresql.sh

# --- the main job -----------------------------------------------------------

.PHONY: demo
demo: setup ## A bad canary is taken back, a good one is promoted (two minutes)
	$(BIN)/pitcanary demo

.PHONY: test
test: setup postgresql test-rust ## All tests: Rust, then Python on real servers
	$(BIN)/python -m pytest

.PHONY: test-rust
test-rust: ## Tests of the crates
	cargo test --locked --workspace --exclude pitcanary-python

# --- checks -----------------------------------------------------------------

.PHONY: fmt
fmt: $(STAMPS)/venv ## Format everything
	cargo fmt --all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

.PHONY: lint
lint: lint-rust lint-python lint-proto ## Format, lint, types, contracts

.PHONY: lint-rust
lint-rust:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

.PHONY: lint-python
lint-python: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy tests benchmarks examples
	$(BIN)/python -m mypy.stubtest pitcanary._native

.PHONY: lint-proto
lint-proto: node_modules/.package-lock.json ## buf lint, breaking changes, generated code up to date
	cd proto && ../node_modules/.bin/buf lint
	cd proto && ../node_modules/.bin/buf breaking --against contract.binpb
	proto/generate.sh --check

node_modules/.package-lock.json: package.json package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: apt-get install npm (buf checks the protos)" >&2; exit 1; }
	# Not `npm ci`: it asks for the packages of every platform, which mirrors may not carry.
	npm install --no-save --silent --no-fund --no-audit
	touch $@

.PHONY: proto
proto: ## Regenerate the committed protobuf code
	proto/generate.sh

.PHONY: proto-accept
proto-accept: node_modules/.package-lock.json ## Make today's protos the ones that must not break
	cd proto && ../node_modules/.bin/buf build -o contract.binpb --exclude-source-info

# --- figures ----------------------------------------------------------------

.PHONY: bench
bench: setup ## Figures as JSON lines; run it alone on the machine
	cargo build --release -p pitcanary-load --bins --examples
	$(BIN)/python -m benchmarks

.PHONY: sim
sim: setup ## Long simulations (SEED=, SCENARIO=)
	$(BIN)/python -m pytest -m simulation -p no:cacheprovider --timeout 0 tests/simulation

.PHONY: soak
soak: setup postgresql ## Long kill and memory tests
	$(BIN)/python -m pytest -m soak --timeout 0

# --- maintenance ------------------------------------------------------------

.PHONY: lock
lock: ## Refresh the hashed requirements (needs uv)
	for name in dev; do \
	  UV_PYTHON_DOWNLOADS=never uv pip compile -q --universal --python-version 3.10 --generate-hashes \
	    --no-emit-index-url --no-header --no-annotate pyproject.toml --all-extras --group dev -o requirements/$$name.txt; \
	done
	UV_PYTHON_DOWNLOADS=never uv pip compile -q --universal --python-version 3.10 --generate-hashes \
	  --no-emit-index-url --no-header proto/requirements.in -o proto/requirements.txt

.PHONY: clean
clean: ## Remove what the jobs made
	rm -rf .venv build node_modules target
