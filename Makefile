# demo   the whole rig on a real four-camera clip     test   everything that must hold
# check  lint, types, who imports whom                   test-foreign   our files, judged by Blender and OpenSim

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
FOREIGN ?= .venv-foreign

.PHONY: demo test check test-foreign

demo: $(VENV)/.installed
	$(BIN)/pose-rig demo --headless

test: check
	$(BIN)/pytest

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_import_boundary.py

# Blender is large and for one Python only, so it and OpenSim live in a venv of their own, which the tests call.
test-foreign: $(VENV)/.installed-dev $(FOREIGN)/.installed
	POSE_RIG_FOREIGN_PYTHON=$(abspath $(FOREIGN))/bin/python NODE_PATH=$(abspath $(FOREIGN))/node_modules \
		$(BIN)/pytest -m foreign

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

$(FOREIGN)/.installed: Makefile
	@echo "Installing Blender and OpenSim into $(FOREIGN): some 1.5 GB, a few minutes the first time."
	python3.11 -m venv $(FOREIGN)
	$(FOREIGN)/bin/pip install -q 'bpy==4.4.*' 'opensim==4.6.*'
	npm install --silent --no-fund --no-audit --prefix $(FOREIGN) gltf-validator@2.0.0-dev.3.10 \
		osc-min@2.1.2 three@0.187.0 @pixiv/three-vrm@3.5.5 ws@8.23.0 playwright-core@1.65.1 \
		|| echo "Without Node.js the tests with glTF's validator, three.js and a browser are skipped."
	touch $@
