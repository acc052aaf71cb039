# demo         the whole rig on a real four-camera clip     check         lint, types, who imports whom
# demo-people  the same with two people                     lock          write the locks anew, from pyproject.toml
# test         everything that must hold                    test-foreign  our files, judged by Blender and OpenSim
# test-random  random input, new in every run

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
FOREIGN ?= .venv-foreign
JOBS ?= 4  # test processes; most of them wait for others
MINUTES ?= 60  # of random tests

LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" --upgrade

.PHONY: demo demo-people test check test-random test-foreign lock

demo: $(VENV)/.installed
	$(BIN)/pose-rig demo --headless

demo-people: $(VENV)/.installed
	$(BIN)/pose-rig demo --people 2 --headless

# A test that fails while the others keep the machine busy is repeated alone; its first failure stays on the screen.
test: check
	$(BIN)/pytest -n $(JOBS) || { [ $$? -eq 1 ] && $(BIN)/pytest --last-failed --last-failed-no-failures none; }

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_import_boundary.py

test-random: $(VENV)/.installed-dev
	until=$$(( $$(date +%s) + 60 * $(MINUTES) )); while [ $$(date +%s) -lt $$until ]; do \
		$(BIN)/pytest -q -n $(JOBS) -m hypothesis --hypothesis-profile=random --timeout=0 || exit 1; done

# Blender is large and for one Python only, so it and OpenSim live in a venv of their own, which the tests call.
test-foreign: $(VENV)/.installed-dev $(FOREIGN)/.installed
	POSE_RIG_FOREIGN_PYTHON=$(abspath $(FOREIGN))/bin/python NODE_PATH=$(abspath $(FOREIGN))/node_modules \
		$(BIN)/pytest -m foreign

# Exact versions and hashes, for every platform. dev.txt holds the versions of run.txt, and more.
lock: $(VENV)/.installed-dev
	$(LOCK) pyproject.toml requirements/build.in -o requirements/run.txt
	$(LOCK) pyproject.toml --extra dev requirements/build.in requirements/torch.in \
		--override requirements/without-torch.txt -c requirements/run.txt -o requirements/dev.txt

$(VENV)/.installed: pyproject.toml requirements/run.txt
	@echo "Installing into $(VENV): some 620 MB, a few minutes the first time."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -r requirements/run.txt
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	touch $@

# torch is named by itself so that pip takes a CPU build of that very version where one is offered.
$(VENV)/.installed-dev: pyproject.toml requirements/dev.txt
	@echo "Installing into $(VENV) with the tools of a developer: some minutes the first time."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -r requirements/dev.txt
	$(BIN)/pip install -q torch==2.13.0
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	touch $@ $(VENV)/.installed

$(FOREIGN)/.installed: Makefile
	@echo "Installing Blender and OpenSim into $(FOREIGN): some 1.5 GB, a few minutes the first time."
	python3.11 -m venv $(FOREIGN)
	$(FOREIGN)/bin/pip install -q 'bpy==4.4.*' 'opensim==4.6.*'
	npm install --silent --no-fund --no-audit --prefix $(FOREIGN) gltf-validator@2.0.0-dev.3.10 \
		osc-min@2.1.2 three@0.187.0 @pixiv/three-vrm@3.5.5 ws@8.23.0 playwright-core@1.65.1 \
		|| echo "Without Node.js the tests with glTF's validator, three.js and a browser are skipped."
	touch $@
