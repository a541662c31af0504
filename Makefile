# Two commands for a fresh machine: `make demo` and `make test`. Both install what they need first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV := $(shell command -v uv 2>/dev/null || echo $(BIN)/uv)

# Many images set it; each of hundreds of commands would compile the sources of torch anew (5 s).
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo test lint types unit slow lock clean

install: $(STAMP)

# The lock first, by hash; then the project itself, which hash mode refuses in the same call.
$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x "$(UV)" || $(BIN)/python -m pip install --quiet uv
	$(UV) pip install --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $@

demo: $(STAMP)
	$(BIN)/facegan demo $(DEMO)

test: lint types unit

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

# One torch thread a worker: two workers on two cores, each test the same on any machine.
unit: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 -m "not slow and not gpu and not timed"
	$(BIN)/pytest -q -m timed tests/cli

# A file's tests stay together: what they paint, load or serve is made once.
slow: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadscope -m "slow and not gpu"

lock:
	$(UV) pip compile --universal --generate-hashes --extra dev --python-version 3.11 \
	    pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) facegan-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
