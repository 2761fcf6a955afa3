# `make demo` and `make test` need Python >= 3.11 and make; everything else goes into $(VENV).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DOCS := $(VENV)/.ready-docs

.DEFAULT_GOAL := help
.PHONY: help demo test lint format docs clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile
	@echo "Variables: PYTHON=$(PYTHON) VENV=$(VENV) ARGS= (more arguments for the demo, pytest or sphinx)"

demo: $(READY) ## compile four automata to linear RNNs, run them, prove them right
	$(BIN)/lrnn demo $(ARGS)

test: $(READY) ## run the tests
	$(BIN)/python -m pytest -n auto $(ARGS)

lint: $(READY) ## check style, types and the import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

# One process: sphinx-proof numbers theorems as it reads.
docs: $(READY_DOCS) ## build the site into build/site: every cell run, every link checked
	$(BIN)/python -m sphinx -q -W --keep-going -E -b html -c docs . build/site $(ARGS)
	@echo "open build/site/index.html"

format: $(READY) ## apply the style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove the environment
	rm -rf $(VENV)

# Always through the constraints: without them pip may fetch another torch, gigabytes again.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed, not " + sys.version.split()[0] + ": make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

$(READY_DOCS): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@
