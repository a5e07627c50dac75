# `make` lists the targets. Two commands do everything on a fresh machine: `make train` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Spinning OpenMP threads on busy cores cost up to 40 times.
export OMP_WAIT_POLICY := PASSIVE
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup train test test-all lint format bench lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(READY) ## everything into .venv, at the pinned versions

$(READY): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

train: $(READY) ## train on the embedded scenes and show the result: make train ARGS="experiment=classic"
	$(BIN)/python -m locnet.train $(ARGS)

test: $(READY) ## the quick tests (3 minutes at most)
	$(BIN)/python -m pytest -n 2

test-all: $(READY) ## all tests, the slow and the distributed ones too
	$(BIN)/python -m pytest -n 2 -m "" $(ARGS)

lint: $(READY) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## the quick benchmark: training speed beside a plain PyTorch loop
	$(BIN)/python benchmarks/train_overhead.py $(ARGS)

lock: $(READY) ## resolve the dependencies again (needs uv)
	uv pip compile pyproject.toml --extra dev --constraint constraints.in --universal --python-version 3.10 \
	  --generate-hashes --no-header --no-annotate -o requirements.lock

clean: ## remove what can be made again (not runs/)
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
