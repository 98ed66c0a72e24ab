# Every command sets up what it needs in .venv, from requirements.lock.
#   PYTHON=…       the Python to make .venv with (3.11 or newer; default: the first that fits on the PATH)
#   BANK_CSV=…     the bank's transactions, for the tests that import real data
#   WORKERS=…      processes that share the tests (default: one for each core; 0: none, as for a debugger)
#   ARGS=…         more arguments for the command that is run, as in: make test ARGS="-k seal"

PYTHON   ?=
ARGS     ?=
WORKERS  ?= auto
BANK_CSV ?= $(abspath $(wildcard ../shared/data/czech-bank-1993.csv.gz))

export FOLIO_BANK_CSV = $(BANK_CSV)

SOURCES = $(wildcard ledger projector localstack tests benchmarks)

.DEFAULT_GOAL := help
.PHONY: help demo test test-stack localstack check bench lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile
	@awk '/^#   / {print substr($$0, 3)} /^$$/ {exit}' Makefile

demo: .venv/made ## a small payment company's day, on an engine of its own (about a minute)
	@.venv/bin/folio demo $(ARGS)

test: .venv/made ## all tests but the stack's, with branch coverage
	@.venv/bin/pytest --ignore=tests/stack -n $(WORKERS) --cov --cov-report=term $(ARGS)

test-stack: .venv/made ## the whole system's tests, on a LocalStack of their own (needs Python 3.13 too)
	@.venv/bin/pytest tests/stack -n 2 --dist loadfile $(ARGS)

localstack: .venv/made ## the whole system on LocalStack until Ctrl-C, without Docker (ARGS=--port=…)
	@exec env PYTHONPATH=localstack/native .venv/bin/python -m folio_localstack $(ARGS)

check: .venv/made ## lint, format, types and the direction of imports
	@.venv/bin/ruff check --quiet --output-format concise .
	@.venv/bin/ruff format --quiet --check . || { echo "run: .venv/bin/ruff format"; exit 1; }
	@.venv/bin/mypy $(SOURCES)
	@.venv/bin/lint-imports --no-logo

bench: .venv/made ## what each operation costs, beside the bare boto3 call
	@.venv/bin/python -m benchmarks $(ARGS)

LOCK = .venv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links

lock: .venv/made ## both locks anew from pyproject.toml (ARGS=--upgrade for newer versions)
	@$(LOCK) --output-file requirements.lock --all-extras --group dev $(ARGS)
	@# What the functions are made of: the same versions, without the tools.
	@$(LOCK) --output-file ledger/stack/function.lock --extra tracing --constraint requirements.lock --upgrade

clean: ## removes .venv, .localstack and what the tools left
	@rm -rf .venv .localstack .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache dist
	@find ledger projector localstack tests benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

.venv/made: requirements.lock pyproject.toml .ci/venv.sh
	@.ci/venv.sh $(PYTHON)
	@touch $@
