# Everything runs from here: `make help` lists it. The only requirements are Python >= 3.11 and make.
PYTHON ?= python3
PARAMS ?= params/airline.yml
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
# pip's own noise and the debugger's notice on frozen modules say nothing to a user
export PIP_DISABLE_PIP_VERSION_CHECK := 1
IN_PARALLEL := pytest -n 2 --dist loadscope --no-loadscope-reorder
export PYDEVD_DISABLE_FILE_VALIDATION := 1

.PHONY: help run lab sample test coverage test-slow lint docs format lock pictures benchmark benchmark-changes benchmark-faces benchmark-ingest benchmark-engines benchmark-forecast benchmark-lifetime soak clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: .venv/installed ## all six notebooks on $(PARAMS), and the path of the report
	@$(BIN)/clv run $(PARAMS)

lab: .venv/installed ## JupyterLab on the notebooks, for $(PARAMS)
	@$(BIN)/clv lab $(PARAMS)

sample: .venv/installed ## a report of the airline and one of CDNOW (needs CLV_DATA_DIR), in outputs/sample/
	@$(BIN)/python tests/sample.py

test: .venv/installed ## the tests
	@$(BIN)/$(IN_PARALLEL)

coverage: .venv/installed ## the tests, and which lines they do not reach (a third slower)
	@$(BIN)/$(IN_PARALLEL) --cov=clv_helpers --cov-report=term:skip-covered

test-slow: .venv/installed ## the tests that take minutes
	@$(BIN)/$(IN_PARALLEL) -m slow

benchmark-lifetime: .venv/installed ## the lifetime models beside two other libraries (needs the network and 16 GB)
	@$(BIN)/python tests/benchmarks/lifetime.py

benchmark-forecast: .venv/installed ## our forecast beside others' on six shops, into docs/forecast.md (needs CLV_DATA_DIR)
	@$(BIN)/python tests/benchmarks/forecast.py --write

benchmark-engines: .venv/installed ## stages 1 and 2 on DuckDB and on a local Spark (ROWS="1000000 10000000", ENGINES=…)
	@$(BIN)/python tests/benchmarks/engines.py --rows $(or $(ROWS),1000000) $(if $(ENGINES),--engines $(ENGINES))

lint: .venv/installed ## ruff on code and notebooks, types, and which room imports which
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

docs: .venv/installed ## the pages of docs/ that are made from the code
	@$(BIN)/python docs/make_pages.py

format: .venv/installed ## put code and notebooks in ruff's form
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

pictures: .venv/installed ## the README's pictures, from a fresh run
	@$(BIN)/python tests/browser/pictures.py

benchmark: .venv/installed ## stage 1 at ten million events (ROWS=…): ratios of refresh to full build
	@$(BIN)/python tests/benchmarks/stage1.py --rows $(or $(ROWS),10000000)

benchmark-changes: .venv/installed ## what one event, nothing new and a pull of a million rows cost (needs PostgreSQL)
	@$(BIN)/python tests/benchmarks/changes.py --rows $(or $(ROWS),1000000)

benchmark-faces: .venv/installed ## what a changed filter of the live board costs (MEMBERS="20000 200000")
	@$(BIN)/python tests/benchmarks/faces.py --members $(or $(MEMBERS),20000 200000)

benchmark-ingest: .venv/installed ## files of 7 and 50 columns beside a load by hand with the same checks (ROWS=10000000)
	@$(BIN)/python tests/benchmarks/ingest.py --rows $(or $(ROWS),10000000)

# duckdb 2.0 is weeks old; the code runs on it, but what is installed stays on the proven line.
lock: ## resolve requirements.lock anew (needs uv)
	@echo 'duckdb<1.6' | uv pip compile pyproject.toml --extra dev --universal --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links -c - -o requirements.lock -q

soak: .venv/installed ## hours: kill every command that writes (KILLS=100 times each, MINUTES at most): docs/reliability.md; then the slow tests in full
	@$(BIN)/python tests/soak.py --kills $(or $(KILLS),100) --minutes $(or $(MINUTES),1440)
	@CLV_SOAK=1 $(BIN)/$(IN_PARALLEL) -m slow

clean: ## remove .venv and all outputs
	rm -rf .venv .fakesnow outputs/*/

.fakesnow/installed: tests/fakesnow.txt
	@$(PYTHON) -m venv .fakesnow
	@.fakesnow/bin/pip install -q -r tests/fakesnow.txt
	@touch $@

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(v < (3, 11) and "Python 3.11 or newer is needed, this is %d.%d; name one with: make run PYTHON=python3.12" % v)'
	@echo "setting up .venv (once, about two minutes)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install -q --require-hashes -r requirements.lock
	@$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@
