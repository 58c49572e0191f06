# Every target sets up .venv by itself; see scripts/bootstrap.py.
PYTHON ?= python3
BIN := .venv/bin
FRAMES ?= 0

.PHONY: help demo test test-slow lint types docs bench clean

help:
	@echo 'make demo       camera images -> mask, depth, cloud through the real node; writes demo/'
	@echo 'make test       the test-suite'
	@echo 'make test-slow  the exhaustive tests'
	@echo 'make lint       ruff            make types  mypy'
	@echo 'make docs       the site, into build/site/'
	@echo 'make bench      every millisecond, side by side; writes bench/ (PARTS="network frame")'

demo:
	@$(PYTHON) scripts/bootstrap.py cpu ros
	@$(BIN)/hydranet demo -o demo $(if $(filter-out 0,$(FRAMES)),--frames $(FRAMES))

test:
	@$(PYTHON) scripts/bootstrap.py cpu ros train scenes test lint
	@$(BIN)/python -m pytest -m 'not slow' $(ARGS)

test-slow:
	@$(PYTHON) scripts/bootstrap.py cpu ros train scenes test lint
	@$(BIN)/python -m pytest -m slow $(ARGS)

lint:
	@$(PYTHON) scripts/bootstrap.py cpu ros train scenes test lint
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types:
	@$(PYTHON) scripts/bootstrap.py cpu ros train scenes test lint
	@$(BIN)/mypy

docs:
	@$(PYTHON) scripts/bootstrap.py cpu ros docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict $(ARGS)

bench:
	@$(PYTHON) scripts/bootstrap.py cpu ros train scenes bench
	@$(BIN)/python -m benchmarks $(PARTS) --json bench/bench.json --plot bench/bench.png $(ARGS)

clean:
	rm -rf .venv build install log demo bench .pytest_cache .mypy_cache .ruff_cache
