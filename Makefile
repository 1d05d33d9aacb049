# Two commands for a stranger: `make run`, `make test`. Both set themselves up (venv, install);
# they need python3 >= 3.11 and a package index.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LAKE   ?= lake

.PHONY: run test check bundle bench bench-model clean help setup setup-dev sessions sample notebooks template check-template cloud-day cloud-mutations

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: $(VENV)/.base ## the main job on the bundled synthetic sample; prints where to look
	@$(BIN)/cashtag run --source sample --lake $(LAKE)

test: $(VENV)/.dev ## all tests, a file a processor; browser tests run where a Chromium is found
	@$(BIN)/python -m pytest -n auto --dist loadfile

check: $(VENV)/.dev ## format, lint, types, dependencies with known holes
	$(BIN)/ruff format --check lambda sagemaker cloudformation tests sample_data notebooks
	$(BIN)/ruff check lambda sagemaker cloudformation tests sample_data notebooks
	$(BIN)/mypy
	$(BIN)/cfn-lint cloudformation/*.yaml
	$(BIN)/python cloudformation/generate.py --check
	$(BIN)/python cloudformation/generate_quicksight.py --check
	$(BIN)/pip-audit --skip-editable --progress-spinner off || test -n "$$CASHTAG_NO_AUDIT"

bundle: $(VENV)/.dev ## the functions' zip for Lambda, build/function.zip; the same bytes for the same commit
	@$(BIN)/python -m cashtag.operate.bundle --out build/function.zip

cloud-day: $(VENV)/.dev ## three sessions of the deployed stack on loopback, shown as they happen
	@$(BIN)/python tests/aws/cloud_day.py

cloud-mutations: $(VENV)/.dev ## takes each part of the template away; the cloud day must notice
	@$(BIN)/python tests/aws/cloud_mutations.py

bench: $(VENV)/.dev ## ratios against named peers, measured in the same run
	@for bench in tests/bench/bench_*.py; do echo "== $$bench"; $(BIN)/python $$bench || exit 1; done

bench-model: $(VENV)/.dev ## the model's speed against the usual pipeline (installs the extra `model`, 1 GB)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[model]'
	@$(BIN)/python tests/bench/model_speed.py

sessions: $(VENV)/.dev ## make the session table again
	$(BIN)/python -m cashtag.sessions_table

sample: $(VENV)/.dev ## make the synthetic sample again; the same bytes
	$(BIN)/python sample_data/generate.py

template: $(VENV)/.dev ## make the blocks of the templates that follow from glue/ again
	$(BIN)/python cloudformation/generate.py
	$(BIN)/python cloudformation/generate_quicksight.py

# checkov's dependencies conflict with ours, so it has an environment of its own.
CHECKOV := build/checkov
check-template: $(CHECKOV)/.done ## security of the template by checkov (installs it, 300 MB, the first time)
	$(CHECKOV)/bin/checkov --skip-download --compact --quiet --directory cloudformation --framework cloudformation

$(CHECKOV)/.done:
	@$(PYTHON) -m venv $(CHECKOV)
	@$(CHECKOV)/bin/python -m pip install --quiet --disable-pip-version-check checkov
	@touch $@

notebooks: $(VENV)/.dev ## build the .ipynb files from their py:percent sources
	$(BIN)/jupytext --to ipynb notebooks/*.py

clean: ## remove the environment and what runs made
	rm -rf $(VENV) lake dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis

setup: $(VENV)/.base
setup-dev: $(VENV)/.dev

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Cashtag needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12 run"; exit 1; }
	@echo "making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing (half a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing with what the tests need (a minute or two the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.base
