# One door to everything that a person or CI does here. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup proto run demo test test-fast soak lint fix bench charts dashboards images test-images clean

VENV := .venv
PY := $(VENV)/bin/python
PYTEST := $(VENV)/bin/pytest
BUF := build/buf/node_modules/.bin/buf
BREAKING := {"version":"v2","breaking":{"use":["FILE"]}}
export OMP_NUM_THREADS ?= 1

help: ## What can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## Install everything that is missing: packages, Python environment, protos, models
	@scripts/setup.sh

proto: ## Generate Python code and the gateway's descriptor from protos/
	@$(PY) scripts/generate_protos.py

run: setup ## Start the whole embedded stack with a sample; Ctrl-C stops it
	@$(PY) -m shuanglu_stack up

demo: setup ## The main job once: import the sample, print its report; SCENE=remote: a recorded call between two participants
	@$(PY) -m shuanglu_stack demo $(if $(SCENE),--scene $(SCENE))

test: setup ## All tests: units, models, and the real stack
	@$(PYTEST) --cov --cov-report=
	@$(PY) scripts/check_coverage.py

test-fast: setup ## Tests without servers and models, under two minutes
	@$(PYTEST) -q -m "not models and not integration" libs services samples scripts

soak: setup ## A hundred kills, long outages and overload; ends with the differences (about half an hour)
	@$(PY) -m tests.integration.faults.soak

lint: setup ## Read-only checks: style, types, layers, contracts, file length
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check -q .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache
	@$(BUF) lint
	@$(BUF) build --exclude-source-info -o build/descriptors/contracts.binpb
	@$(BUF) breaking build/descriptors/contracts.binpb --against protos/released.binpb --config '$(BREAKING)'
	@$(PY) scripts/check_house.py
	@scripts/console.sh check
	@$(PY) scripts/api_docs.py --check
	@$(PY) scripts/metrics_docs.py --check
	@$(PY) scripts/chart_docs.py --check
	@$(PY) -m scripts.dashboards --check
	@$(PY) scripts/capacity.py --check

fix: setup ## Mend style where a tool can
	@$(VENV)/bin/ruff check --fix -q . || true
	@$(VENV)/bin/ruff format -q .

bench: setup ## Run benchmarks; BENCH=name for one of bench/
	@$(PY) bench/run.py $(BENCH)

charts: setup ## Check the Helm charts: lint, every values file, switches in pairs, schemas, policies, drift, checkov
	@scripts/helm.sh >/dev/null
	@scripts/checkov.sh
	@$(PY) -m tests.charts.check
	@$(PYTEST) -q --durations=0 --durations-min=30 tests/charts

dashboards: setup ## Make Grafana's dashboards, alerts and their tests from scripts/dashboards
	@$(PY) -m scripts.dashboards

images: setup ## Build all container images; IMAGES_ARGS='--only NAME' (scripts/images.py --help)
	@$(PY) scripts/images.py $(IMAGES_ARGS)

test-images: setup ## Build two images and start every one that is built (about three minutes)
	@$(PYTEST) -q -m images tests/images

clean: ## Remove what was built; data in .data/ stays
	@rm -rf build $(VENV) libs/protos/shuanglu
