# Encoders and decoders, a course in fourteen notebooks. `make help` lists what there is.
SHELL := /bin/sh
PYTHON_HERE := .venv/bin/python
PINS := requirements.txt constraints.txt
INSTALLED := .venv/installed.txt
# The first of these that is a Python the pinned packages run on; `make lab PYTHON=/path/to/python3.12` chooses another.
CANDIDATES := $(PYTHON) python3 python python3.14 python3.13 python3.12 python3.11
SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
LAB_OPTIONS ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: help lab test test-all test-fast run setup install clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

lab: setup ## set everything up, if it is not yet, and open the course in JupyterLab
	@$(PYTHON_HERE) -m nbformat.sign --log-level=WARN $(NOTEBOOKS) >/dev/null
	@echo "Opening JupyterLab; Ctrl-C here ends it."
	@cd notebooks && exec ../$(PYTHON_HERE) -m jupyterlab $$([ "$$(id -u)" = 0 ] && echo --allow-root) $(LAB_OPTIONS)

test: setup ## set everything up and run the tests for every change, the notebooks included
	$(PYTHON_HERE) -m ruff check .
	$(PYTHON_HERE) -m ruff format --check .
	$(PYTHON_HERE) -m pytest notebooks tests --nbval -n auto

test-all: setup ## run every test there is, the nightly ones included
	$(PYTHON_HERE) -m ruff check .
	$(PYTHON_HERE) -m ruff format --check .
	$(PYTHON_HERE) -m pytest notebooks tests --nbval -n auto -m ""

test-fast: setup ## run the tests that need neither a real model nor a browser nor a notebook run
	$(PYTHON_HERE) -m pytest tests -m "not slow and not browser and not nightly" -n auto

run: setup ## execute all notebooks in place, as they are to be committed
	$(PYTHON_HERE) -m tools.run_notebooks

setup: ## make .venv, install the pinned packages, fetch the two default models
	@cat $(PINS) | cmp -s - $(INSTALLED) 2>/dev/null && $(PYTHON_HERE) -c '$(SUITABLE)' 2>/dev/null || $(MAKE) --no-print-directory install
	@$(PYTHON_HERE) -m utils.pretrained

clean: ## remove .venv (the models stay in the cache, your progress stays yours)
	rm -rf .venv

# A .venv that still works is kept, with what its owner has put there (a CPU build of PyTorch, say).
install: ## install the packages of requirements.txt again, into .venv
	@if ! $(PYTHON_HERE) -c '$(SUITABLE)' 2>/dev/null || ! $(PYTHON_HERE) -m pip --version >/dev/null 2>&1; then \
	  python=""; \
	  for candidate in $(CANDIDATES); do \
	    if "$$candidate" -c '$(SUITABLE)' >/dev/null 2>&1; then python="$$candidate"; break; fi; \
	  done; \
	  if [ -z "$$python" ]; then \
	    echo "This course needs Python 3.11, 3.12, 3.13 or 3.14, and none was found; install one, or name it: make lab PYTHON=/path/to/python3"; \
	    exit 1; \
	  fi; \
	  echo "Making .venv with $$("$$python" --version)."; \
	  if ! "$$python" -m venv --clear .venv; then \
	    echo "Python could not make a virtual environment; on Debian and Ubuntu, 'apt install python3-venv' mends that."; \
	    rm -rf .venv; exit 1; \
	  fi; \
	fi
	@echo "Installing the packages of requirements.txt; the first time this takes some minutes."
	@$(PYTHON_HERE) -m pip install --quiet --requirement requirements.txt --constraint constraints.txt
	@cat $(PINS) > $(INSTALLED)
