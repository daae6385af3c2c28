# Every target installs what it needs first. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
# Hundreds of processes import the same code: without bytecode each of them would compile it.
unexport PYTHONDONTWRITEBYTECODE

UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Tests of one file stay together, and those of tests/work_units.py: they share what they started.
# One process more than there are processors: the end-to-end tests mostly wait.
PROCESSES := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
PARALLEL := --numprocesses=$(PROCESSES) --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

# A Python that airflow 3.3.2 runs on and that can make virtual environments. Debian splits
# ensurepip off into python3-venv, and a pyenv shim may exist without a version behind it, so each is tried.
PYTHON_FITS := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
ifeq ($(origin PYTHON), undefined)
PYTHON = $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
  "$$python" -c '$(PYTHON_FITS)' 2>/dev/null && echo "$$python" && break; done)
endif

.PHONY: help setup setup-image env ffmpeg postgresql redis lint format test test-unit test-e2e topology fault-matrix crash-matrix media-matrix event-orders intake-kills proof proof-backlog demo up down bench requirements clean

# How everything is installed, here and in the image: $(call install,the requirements,the package)
define install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -r $(1)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --no-deps $(2)
endef

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv and install into it (every target calls it; a no-op when done)

$(STAMP): requirements-dev.txt pyproject.toml
	@python="$(PYTHON)"; \
	if ! "$${python:-false}" -c '$(PYTHON_FITS)' 2>/dev/null; then \
	  echo "make: $${python:-nothing on the path} is not a Python 3.11, 3.12 or 3.13 with venv;" \
	    "install one (Debian: apt-get install python3 python3-venv)" \
	    "or name it: make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; \
	fi; \
	$(BIN)/python -c '$(PYTHON_FITS)' 2>/dev/null || "$$python" -m venv --clear $(VENV)
	$(call install,requirements-dev.txt,-e .)
	@touch $@

setup-image: ## Install what production runs into VENV, as the Dockerfile does; no tools, no simulator
	$(PYTHON) -m venv --clear $(VENV)
	$(call install,requirements-image.txt,.)

env: ## Write .env for docker-compose.yaml: what is missing is generated, what is there stays
	@$(PYTHON) -m deploy.environment_file

ffmpeg: setup
	@$(BIN)/python -m demo.ffmpeg

postgresql: setup
	@$(BIN)/python -m demo.postgresql

redis: setup
	@$(BIN)/python -m demo.redis

lint: setup ## Check style, types and import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Rewrite the code in the house style
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

test: setup ffmpeg postgresql redis ## Run every test, the end-to-end ones included
	$(BIN)/pytest $(PARALLEL)

test-unit: setup ffmpeg postgresql ## Run the unit and contract tests only
	$(BIN)/pytest $(PARALLEL) tests/unit tests/contract

test-e2e: setup ffmpeg postgresql ## Run the end-to-end tests only, all of them: real Airflow against the simulator
	E2E=1 QUIET_S=180 $(BIN)/pytest tests/e2e

topology: setup ffmpeg postgresql redis ## Install what the image gets, run docker-compose.yaml's services natively, publish 20 posts (6 minutes)
	TOPOLOGY_POSTS=20 TOPOLOGY_IMAGE=1 $(BIN)/pytest tests/topology

fault-matrix: setup ## Every fault of the simulator at every call, in every mode (10 minutes and more)
	PYTHONPATH=include:plugins $(BIN)/python -m tests.integration.fault_matrix

crash-matrix: setup ffmpeg postgresql ## Kill a post's processes at every step: the whole matrix, two hours and more
	$(BIN)/python -m tests.crash

media-matrix: setup ffmpeg ## Every kind of real video with its verdict, and 2,000 damaged files (10 minutes)
	MEDIA_MATRIX=1 MUTATED_FILES=2000 $(BIN)/pytest $(PARALLEL) \
	  tests/integration/test_media_matrix.py tests/integration/test_media_hostile.py

event-orders: setup postgresql ## Play posts through 300 orders of what can happen to them (5 minutes)
	EVENT_ORDERS=300 $(BIN)/pytest $(PARALLEL) \
	  tests/contract/ledger/test_state_machine.py tests/contract/ledger/test_pull_state_machine.py

intake-kills: setup ffmpeg postgresql ## Kill both servers of uploads at 300 random moments; 50 clients at once; ask what the schema allows (40 minutes)
	INTAKE_KILLS=100 INTAKE_FILES=200 INTAKE_EXAMPLES=60 $(BIN)/pytest --capture=no \
	  tests/integration/test_intake_killed.py tests/integration/test_jobs_killed.py \
	  tests/integration/test_many_clients.py tests/integration/test_schema_fuzzed.py

proof: setup ffmpeg postgresql ## Kill, pause, clear and backfill real Airflow in the middle of posts (an hour and more)
	PROOF=1 $(BIN)/pytest --durations=0 tests/proof

proof-backlog: setup ffmpeg postgresql ## 1,025 posts due at once, one more than Airflow maps a task over (40 minutes)
	PROOF=1 PROOF_DUE_POSTS=1025 PROOF_BATCH_SIZE=100 $(BIN)/pytest --durations=0 \
	  tests/proof/full/test_batches.py -k backlog

demo: setup ffmpeg ## Publish real videos through Airflow to the simulator, report, stop
	$(BIN)/python -m demo run

up: setup ffmpeg ## Start the same stack and leave it running, with Airflow's UI
	$(BIN)/python -m demo up

down: setup ## Stop what `make up` started
	$(BIN)/python -m demo down

bench: setup ffmpeg postgresql ## Measure everything that has a target; one JSON object a line (an hour and more)
	PYTHONPATH=include $(BIN)/python bench/upload.py
	$(BIN)/python -m bench.ledger
	PYTHONPATH=include $(BIN)/python bench/polling.py
	$(BIN)/python -m bench.media
	$(BIN)/python -m bench.intake
	$(BIN)/python -m bench.airflow_api
	$(BIN)/python -m bench.imports
	$(BIN)/python -m bench.find_uploads
	$(BIN)/python -m bench.orchestration
	$(BIN)/python -m bench.due_latency
	$(BIN)/python -m bench.waiting

requirements: setup ## Compile requirements*.txt anew from pyproject.toml
	UV_CUSTOM_COMPILE_COMMAND='make requirements' $(BIN)/uv pip compile --quiet --universal \
	  --python-version 3.11 pyproject.toml -o requirements.txt
	UV_CUSTOM_COMPILE_COMMAND='make requirements' $(BIN)/uv pip compile --quiet --universal \
	  --python-version 3.11 --extra image -c requirements.txt pyproject.toml -o requirements-image.txt
	UV_CUSTOM_COMPILE_COMMAND='make requirements' $(BIN)/uv pip compile --quiet --universal \
	  --python-version 3.11 --extra dev --extra image -c requirements-image.txt pyproject.toml -o requirements-dev.txt

clean: ## Stop the stack and remove .venv, .demo and caches
	@if [ -x $(BIN)/python ] && [ -d .demo ]; then $(BIN)/python -m demo down; fi
	rm -rf $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
