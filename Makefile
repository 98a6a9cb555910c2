# Nothing is needed beforehand but make and Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COMPAT := .venv-compat
PEERS := .venv-peers
INTEGRATIONS := .venv-integrations

# Two test processes on two cores: more threads than cores would wait for each other.
pytest = OMP_NUM_THREADS=1 $(1)/bin/python -m pytest -n 2 --dist loadfile

.PHONY: install demo test check exhaustive bench compat peers integrations

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
	@$(call pytest,$(VENV))

check: install
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(call pytest,$(VENV)) -m "not slow" --hypothesis-profile=fast

# The long forms of what `make test` does in short: every chat template against an oracle; kills,
# damage, full disks, signals and lack of memory at every place; micro-batches; all of MBPP.
exhaustive: install
	@$(call pytest,$(VENV)) --dist load --hypothesis-profile=exhaustive tests/data/exactness \
		tests/training/test_kills.py tests/training/test_manifest.py \
		tests/training/test_damage.py tests/training/test_full_disk.py \
		tests/training/test_signals.py tests/pipeline/test_together.py \
		tests/training/test_recovery.py \
		tests/engine/test_micro_batches.py tests/evaluation/sandbox/test_mbpp.py

bench: install peers
	@$(BIN)/python benchmarks/cpu_step.py
	@$(BIN)/python benchmarks/data.py

# TRL, which `make bench` times beside Nybble, in an environment of its own.
peers: $(PEERS)/installed

$(PEERS)/installed: requirements-peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check -r requirements-peers.txt
	@touch $@

# The tests with the oldest transformers that is supported, in an environment of their own.
compat: $(COMPAT)/installed
	@$(call pytest,$(COMPAT))

$(COMPAT)/installed: requirements.lock requirements-compat.txt pyproject.toml
	$(PYTHON) -m venv $(COMPAT)
	$(COMPAT)/bin/pip install --quiet --disable-pip-version-check -r requirements-compat.txt
	$(COMPAT)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# TensorBoard, Weights & Biases, MLflow and Trackio for real, offline, in an environment that has them.
integrations: $(INTEGRATIONS)/installed
	@$(call pytest,$(INTEGRATIONS)) tests/integrations

$(INTEGRATIONS)/installed: requirements-integrations.txt pyproject.toml
	$(PYTHON) -m venv $(INTEGRATIONS)
	$(INTEGRATIONS)/bin/pip install --quiet --disable-pip-version-check -r requirements-integrations.txt
	$(INTEGRATIONS)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
