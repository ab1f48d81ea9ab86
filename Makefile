# Runledger's commands; `make` alone lists them. Needs Python 3.11-3.13 and make, nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first Python on this machine that is recent enough and can create virtual environments.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3 python; do \
	"$$name" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	2>/dev/null && { command -v "$$name"; break; }; done)
UV_VERSION := 0.13.9
UV := .tools/bin/uv
BIN := .venv/bin
# Idle test workers take tests from busy ones; tests of a file mostly stay together.
PYTEST_ARGS ?= -n auto --dist worksteal
SLOW := integration or browser or race or chaos

# By default, uv downloads a Python from the internet.
export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH
# Tests start hundreds of Python processes; without cached bytecode each would compile Django.
unexport PYTHONDONTWRITEBYTECODE

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: .venv/.installed ## Start everything and print its address (PORT=8000; RELOAD=1 restarts on code changes)
	@exec $(BIN)/python -m dev.services.runner --die-with-parent

test: .venv/.installed ## Run all tests (make test PYTEST_ARGS="-n0 -k cancel")
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-fast: .venv/.installed ## Run the tests without workers, browsers, races and faults
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m "not ($(SLOW))"

test-pooler: export DATABASE_POOLER := transaction
# The pooler keeps connections to the test databases, which then cannot be dropped.
test-pooler: .venv/.installed ## Run the tests through PgBouncer: 40 clients share 4 connections
	$(BIN)/python -m pytest $(PYTEST_ARGS) --reuse-db -m "not (browser or chaos or direct)"

test-all: export CI := true
test-all: test ## Run all tests as CI does: a missing browser fails, property tests try more examples

bench: .venv/.installed ## Measure speed as ratios (make bench BASELINE=v1.4.0 BENCH_ARGS="--quick --json FILE")
	$(BIN)/python -m dev.bench $(if $(BASELINE),--baseline $(BASELINE)) $(BENCH_ARGS)

leak-test: export LEAK_TEST := whole
leak-test: .venv/.installed ## Plant secrets of every shape in every input; nothing may show one (LEAK_TEST_SEED=1)
	$(BIN)/python -m pytest -n2 --dist worksteal --timeout 0 -rP --show-capture stdout tests/isolation/test_leaks.py tests/redaction
	$(BIN)/python -m dev.bench.redaction

chaos: .venv/.installed ## Cause faults for five minutes, then check every promise (DURATION=300 SEED=1)
	$(BIN)/python -m dev.chaos $(if $(DURATION),--duration $(DURATION)) $(if $(SEED),--seed $(SEED))

chaos-controls: .venv/.installed ## Break each promise in turn; only its checker must notice (SEED=3)
	$(BIN)/python -m dev.chaos --controls --seed $(or $(SEED),3)

findings: ## Run the findings about libraries and servers (make findings FINDINGS=findings/msal-*.sh)
	@status=0; for finding in $(or $(FINDINGS),findings/*.sh); do \
		echo "== $$finding"; bash "$$finding" || { echo "This finding no longer holds." >&2; status=1; }; \
	done; exit $$status

# The checks import the settings, which require URLs; no check connects to them.
lint types: export DATABASE_URL := postgresql://lint@/lint?host=/nonexistent
lint types: export REDIS_URL := redis+socket:///nonexistent?virtual_host=0
lint types: export DJANGO_SETTINGS_MODULE := config.settings.test
lint: .venv/.installed types ## Check style, types, layers, templates, migrations and dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/djlint templates --lint --quiet
	find templates -name '*.html' -print0 | xargs -0 -r $(BIN)/djade --target-version 5.2 --check
	@if test -x $(BIN)/biome; then echo "$(BIN)/biome ci static" && $(BIN)/biome ci --error-on-warnings static; \
	else echo "CSS and JavaScript are not checked: Biome has no package for this platform."; fi
	$(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(BIN)/deptry .
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml . 2> >(grep -v "nosec encountered" >&2)

types: .venv/.installed ## Check types (make types MYPY_ARGS="--python-version 3.13")
	$(BIN)/mypy $(MYPY_ARGS) .

format: .venv/.installed ## Format code and templates
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .
	find templates -name '*.html' -print0 | xargs -0 -r $(BIN)/djade --target-version 5.2
	if test -x $(BIN)/biome; then $(BIN)/biome check --write static; fi

install: .venv/.installed ## Install the locked dependencies into .venv

COMPILE := $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links --quiet
lock: .tools/.uv-$(UV_VERSION) ## Compile requirements/*.in again (make lock UPGRADE=--upgrade for newer versions)
	$(COMPILE) $(UPGRADE) --output-file requirements/base.txt requirements/base.in
	$(COMPILE) $(UPGRADE) --constraints requirements/base.txt --output-file requirements/dev.txt requirements/dev.in

sbom: .venv/.installed ## Write a bill of materials (CycloneDX) and the licenses of the image's packages to dist/
	$(BIN)/python -m dev.sbom

clean: ## Remove installed packages and caches; keeps .dev, the data of make run
	rm -rf .venv .tools dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis staticfiles
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# If uv is not available, pip installs the same files with the same hashes.
.tools/.uv-$(UV_VERSION):
	@test -n "$(PYTHON)" || { echo "Runledger needs Python 3.11, 3.12 or 3.13 with venv (Debian: apt-get install python3-venv)." >&2; exit 1; }
	rm -rf .tools
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) || echo "uv is not available; using pip."
	touch $@

.venv/.installed: requirements/dev.txt | .tools/.uv-$(UV_VERSION)
	@test -n "$(PYTHON)" || { echo "Runledger needs Python 3.11, 3.12 or 3.13 with venv (Debian: apt-get install python3-venv)." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	if test -x $(UV); then $(UV) pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements/dev.txt; \
	else $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt; fi
	echo "$(CURDIR)" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/runledger.pth"
	touch $@

.PHONY: help run test test-fast test-pooler test-all bench findings chaos chaos-controls lint types format install lock leak-test sbom clean
