# demo   the whole rig on a real four-camera clip     test   everything that must hold
# check  lint, types, who imports whom

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test check

demo: $(VENV)/.installed
	$(BIN)/pose-rig demo --headless

test: check
	$(BIN)/pytest

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_import_boundary.py

$(VENV)/.installed: pyproject.toml
	@echo "Installing into $(VENV): some 300 MB, a few minutes the first time."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -e .
	touch $@

# torch is named so that pip takes a CPU build of that very version where one is offered.
$(VENV)/.installed-dev: pyproject.toml
	@echo "Installing into $(VENV) with the tools of a developer: some minutes the first time."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q torch==2.13.0 -e '.[dev]'
	touch $@ $(VENV)/.installed
