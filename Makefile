# Two words for a start: `make demo` shows it, `make test` proves it. `make` alone lists the rest.
PY ?= python3
VENV ?= .venv
JOBS ?= auto
BIN := $(VENV)/bin
# Debian without python3-venv makes environments without pip; the system's own pip can fill them.
PIP := $$([ -x $(BIN)/pip ] && echo $(BIN)/pip || echo $(PY) -m pip --python $(BIN)/python)

help: ## list these words
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18
demo: $(VENV)/.ready ## a rehearsal with invented people; nothing leaves this machine
	@$(BIN)/dispatcher demo
test: lint ## everything: style, types, imports, every test, coverage
	@$(BIN)/python -m pytest -n $(JOBS) --cov --cov-report=term:skip-covered --cov-fail-under=90
check: lint ## the quick round while working: no end-to-end runs, no coverage
	@$(BIN)/python -m pytest -n $(JOBS) -m "not e2e and not faults and not slow"
lint: $(VENV)/.tests ## style, types and the direction of imports
	@$(BIN)/ruff check -q . && $(BIN)/ruff format -q --check . && $(BIN)/mypy && $(BIN)/lint-imports --no-logo
bench: $(VENV)/.tests ## measure planning, hand-over and events on this machine
	@$(BIN)/python -m benchmarks $(BENCH)
faults: $(VENV)/.tests ## kill, starve and confuse real processes, then count everybody
	@$(BIN)/python -m tests.faults $(FAULTS)
reference: $(VENV)/.tests ## write docs/reference again from the code
	@$(BIN)/python docs/reference/write.py
.PHONY: help demo test check lint bench faults reference

$(VENV)/.ready: pyproject.toml
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "This needs Python 3.11 or newer, and $(PY) is not. Try: make PY=python3.12"; exit 1; }
	@echo "Setting up $(VENV): a minute or two, once."
	@$(PY) -m venv $(VENV) > /dev/null 2>&1 || $(PY) -m venv --without-pip --clear $(VENV) || { \
	  echo "Python's venv module is missing. Debian: apt install python3-venv"; exit 1; }
	@$(PIP) install -q -e . && touch $@
$(VENV)/.tests: $(VENV)/.ready
	@$(PIP) install -q -e '.[test]' && touch $@
