# SPDX-License-Identifier: GPL-3.0-or-later
# Every target sets up all it needs (tools/set_up.py); a second run finds it there.

PYTHON := .venv/bin/python
RECIPES := .venv-recipes/bin/python
SET_UP := sh tools/set_up.sh

.PHONY: demo test lint models bench extension test-blender clean

demo:  ## 16 latent-guided heads with all figures, in out/demo
	$(SET_UP) runtime
	$(PYTHON) batch/run.py generate --count 16 --distribution latent --seed 0 --replace --output out/demo

test:  ## what a change has to pass
	$(SET_UP) runtime test recipes
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest -m "not torch and not blender"
	$(RECIPES) -m pytest -m torch

lint:  ## the quick part of `make test`
	$(SET_UP) runtime test
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
