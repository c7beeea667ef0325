# Everything a newcomer needs: `make ask Q="…"`, `make test` and `make chat` set up what is missing by themselves.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
# A question is handed on as it is: neither make nor the shell reads a $ in it.
override Q := $(value Q)
export Q

.PHONY: ask test chat check lint lock bench calibrate eval reading screens clean

ask: $(READY)
	@test -n "$$Q" || { echo 'usage: make ask Q="your question"' >&2; exit 2; }
	@$(VENV)/bin/qa ask "$$Q" || [ $$? -eq 3 ] # 3: not in the document, which is an answer too

test: $(READY)
	$(VENV)/bin/python -m pytest

chat: $(READY)
	$(VENV)/bin/qa serve

check: lint test

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# Every gold file's development questions, all of them asked; it ends with an error where a gate does not hold.
eval: $(READY)
	$(VENV)/bin/qa eval lint
	ended=0; for gold in evals/gold/*.jsonl; do \
	  $(VENV)/bin/qa eval run $$gold --out eval/$$(basename $$gold .jsonl) || ended=$$?; \
	done; exit $$ended

bench: $(READY)
	$(VENV)/bin/python -m evals.bench

calibrate: $(READY)
	$(VENV)/bin/python -m evals.calibrate

reading: $(READY)
	$(VENV)/bin/python -m evals.reading

screens: $(READY)
	$(VENV)/bin/python docs/screens.py

$(READY): requirements.lock pyproject.toml
	@echo "Setting up $(VENV) (once; a few minutes, mostly downloads)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --disable-pip-version-check --requirement requirements.lock
	@$(VENV)/bin/python -m pip install --disable-pip-version-check --no-deps --editable .
	@touch $@

# Resolves pyproject.toml's ranges anew and pins the whole tree.
lock:
	$(PYTHON) -m venv --clear .lock-venv
	.lock-venv/bin/python -m pip install --disable-pip-version-check torch==2.13.0 --editable '.[dev]'
	{ echo '# The whole tree, pinned by `make lock`. torch has no local version here, so that pip takes the CPU build where one is at hand.'; \
	  .lock-venv/bin/python -m pip freeze --disable-pip-version-check --all --exclude pip --exclude-editable \
	    | sed 's/^\(torch==[0-9.]*\)+.*/\1/'; } > requirements.lock
	rm -rf .lock-venv

clean:
	rm -rf $(VENV) .lock-venv build eval *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
