# `make book` and `make test` set everything up in .venv, at the versions of constraints.txt, and then do their work.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
TWO := --numprocesses 2 --dist loadfile

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/:/' | column -t -s:

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all]'
	touch $@

book: $(READY)  ## execute every chapter and render the book to book/_build/html
	$(BIN)/sphinx-build --builder html --fail-on-warning --keep-going --fresh-env book book/_build/html

serve: book  ## render the book and serve it on http://localhost:8000
	$(BIN)/python -m http.server 8000 --bind localhost --directory book/_build/html

exercises: $(READY)  ## make the student notebooks and the instructor bundles from solutions/
	$(BIN)/python -m minilib.grading.build

weights: $(READY)  ## list the shipped weights with their cards
	$(BIN)/python -m minilib.weights

bench: $(READY)  ## measure the renderer's speed, and the networks' beside the public libraries'
	$(BIN)/python -m minilib.toybox.bench
	$(BIN)/python -m minilib.interop.bench

test: book  ## render the book, then lint, check types and run every test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/python -m pytest tests/errors tests/claims --no-shape-checks -m alone
	$(BIN)/python -m pytest tests -m alone
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/errors tests/claims --no-shape-checks -m "not alone" $(TWO)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -m "not alone" $(TWO)

.PHONY: help book serve exercises weights bench test
