# Nothing is needed beforehand but make and Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COMPAT := .venv-compat

# Two test processes on two cores: more threads than cores would wait for each other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: install demo test check bench compat

install: $(VENV)/installed

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Nybble needs Python 3.11 or newer, this is $$($(PYTHON) --version)."; \
		  echo "Install one and say: make install PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# The main job: tune the bundled model, and judge it. Replaces runs/demo.
demo: install
	@$(BIN)/nybble run price-demo --output runs/demo --replace

test: install
	@$(PYTEST)

check: install
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(PYTEST) -m "not slow"

bench: install
	@$(BIN)/python benchmarks/cpu_step.py

# The tests with the oldest transformers that is supported, in an environment of their own.
compat: $(COMPAT)/installed
	@OMP_NUM_THREADS=1 $(COMPAT)/bin/python -m pytest -n 2 --dist loadfile

$(COMPAT)/installed: requirements.lock requirements-compat.txt pyproject.toml
	$(PYTHON) -m venv $(COMPAT)
	$(COMPAT)/bin/pip install --quiet --disable-pip-version-check -r requirements-compat.txt
	$(COMPAT)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
