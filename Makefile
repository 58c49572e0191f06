# Every target creates or updates .venv first; see scripts/bootstrap.py.
PYTHON ?= python3
BIN := .venv/bin
FRAMES ?= 0
JOBS ?= 3
SAMPLE ?= 60

.PHONY: help demo test test-slow lint types docs bench mutation clean

help:
	@echo 'make demo       play a street through the node and write demo/'
	@echo 'make test       run the test suite (JOBS=3 processes; ARGS="-k name")'
	@echo 'make test-slow  run the exhaustive tests'
	@echo 'make lint       check style with ruff'
	@echo 'make types      check types with mypy'
	@echo 'make docs       build the documentation site in build/site/'
	@echo 'make bench      run the benchmarks and write bench/ (SUITES="network frame")'
	@echo 'make mutation   measure how many mutants the tests kill (SAMPLE=60 per package)'

demo:
	@$(PYTHON) scripts/bootstrap.py cpu ros
	@$(BIN)/hydranet demo -o demo $(if $(filter-out 0,$(FRAMES)),--frames $(FRAMES))

test:
	@$(PYTHON) scripts/bootstrap.py cpu openvino ros train scenes test lint
	@$(BIN)/python -m pytest -n $(JOBS) -m 'not slow' $(ARGS)

test-slow:
	@$(PYTHON) scripts/bootstrap.py cpu openvino ros train scenes test lint
	@$(BIN)/python -m pytest -m slow $(ARGS)

lint:
	@$(PYTHON) scripts/bootstrap.py cpu openvino ros train scenes test lint
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types:
	@$(PYTHON) scripts/bootstrap.py cpu openvino ros train scenes test lint
	@$(BIN)/mypy

docs:
	@$(PYTHON) scripts/bootstrap.py cpu ros docs lint
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict $(ARGS)

bench:
	@$(PYTHON) scripts/bootstrap.py cpu openvino ros train scenes bench
	@$(BIN)/python -m benchmarks $(SUITES) --json bench/bench.json --plot bench/bench.png $(ARGS)

mutation:
	@$(PYTHON) scripts/bootstrap.py cpu openvino ros train scenes test mutation
	@$(BIN)/python scripts/mutation_test.py --sample $(SAMPLE) $(ARGS)

clean:
	rm -rf .venv build install log demo bench .pytest_cache .mypy_cache .ruff_cache
