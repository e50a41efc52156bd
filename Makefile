# Two commands matter: `make demo` and `make test`. `make help` lists the others.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
# The system's certificates, as pip does: behind a company's proxy they are the ones that work. Bytecode is written now:
# where the environment forbids it later (PYTHONDONTWRITEBYTECODE, a read-only installation), each start would compile.
UV := UV_SYSTEM_CERTS=1 UV_COMPILE_BYTECODE=1 UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV= $(BIN)/uv
DEMO_OPTIONS ?=
ZIP_OPTIONS ?=
SOAK_OPTIONS ?=
BENCH ?=
SEEDS ?= 1000
SIMULATE_OPTIONS ?=
MUTANTS_OPTIONS ?=
HUNT_OPTIONS ?=
RELEASE_OPTIONS ?=

.DEFAULT_GOAL := help
.PHONY: docs links soak-postgres help demo test lint setup setup-dev bench browser browsers zip tf-check soak simulate hunt mutants release empty-debian format clean

help: ## what there is
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: setup ## the whole system on this machine: site, collector, delivery, dashboard, Meta's stand-in
	@$(BIN)/conversion-relay demo $(DEMO_OPTIONS)

test: setup-dev ## every test (real browser, real files, real sockets)
	@sh tests/system_packages.sh
	$(BIN)/python -m pytest -n 3 --dist loadgroup

lint: setup-dev ## style, types, walls between the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin conversion_relay
	$(BIN)/mypy examples/fastapi_shop/shop.py
	$(BIN)/mypy examples/litestar_shop/shop.py
	$(BIN)/mypy examples/flask_shop/shop.py
	$(BIN)/mypy tests/relay/typed.py
	$(BIN)/lint-imports

setup: .venv/.ready ## install into .venv what the product needs
	@$(BIN)/python -m compileall -q conversion_relay

setup-dev: .venv/.ready-dev ## ... and what its tests need
	@$(BIN)/python -m compileall -q conversion_relay bench tests

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "python3-venv is needed (Debian: apt-get install python3-venv)"; exit 1; }
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9

.venv/.ready: pyproject.toml uv.lock | .venv/bin/uv
	@echo "installing into .venv ..."
	@$(UV) sync --quiet --frozen --inexact --extra server --extra phone --extra aws
	@touch $@

.venv/.ready-dev: pyproject.toml uv.lock | .venv/.ready
	@echo "installing the test tools into .venv ..."
	@$(UV) sync --quiet --frozen --inexact --all-extras
	@touch $@

bench: setup-dev ## ratios to the least that the work can cost (BENCH="seal deliver" for parts; BENCH=--quick)
	$(BIN)/python -m bench.peers
	$(BIN)/python -m bench --keep docs/performance.md $(BENCH)

docs: setup-dev ## the documents as a site, in build/docs/site; a broken link ends it
	@$(BIN)/python -m tests.documents site
	@echo "open index.html there; its search needs a server: python3 -m http.server -d build/docs/site"

links: setup-dev ## which addresses that the documents name do not answer (needs the internet)
	@$(BIN)/python -m tests.documents.links

browser: ## the script for browsers: types checked, minified, its size
	@command -v npm >/dev/null || { echo "Node.js and npm are needed (Debian: apt-get install nodejs npm)"; exit 1; }
	@cd src && npm ci --silent --no-audit --no-fund && npm run --silent build
	@cd src && printf 'meta-tracking.min.js: %s bytes, %s gzipped\n' "$$(wc -c < meta-tracking.min.js)" "$$(gzip -9 < meta-tracking.min.js | wc -c)"

browsers: setup-dev ## the script in Firefox and WebKit, too (Debian's packages)
	@OTHER_ENGINES=1 sh tests/system_packages.sh
	$(BIN)/python -m pytest -n 0 tests/browser/other_engines.py

zip: setup-dev ## the Lambda packages, in lambda/dist
	@PYTHON=../.venv/bin/python lambda/build_lambda_package.sh $(ZIP_OPTIONS)

tf-check: setup-dev ## Terraform on this machine: test, apply, use, destroy, against a stand-in for AWS
	@command -v terraform >/dev/null || { echo "terraform is needed: https://developer.hashicorp.com/terraform/install"; exit 1; }
	$(BIN)/python -m tests.terraform.check

soak: setup-dev ## every fault for hours; can be stopped, goes on where it was (SOAK_OPTIONS=--anew begins again)
	@sh tests/system_packages.sh
	$(BIN)/python -m tests.failures.soak --keep docs/guarantees.md $(SOAK_OPTIONS)

soak-postgres: setup-dev ## a fleet over PostgreSQL under kills, restarts, cuts and fail-overs (root: machines apart, too)
	@sh tests/system_packages.sh
	$(BIN)/python -m tests.outbox.postgres.faults --kills 200 --restarts 30 --cuts 20 --failovers 20 --sessions 30 --stopped 20 --pooler 10 --skew 20 $$(test "$$(id -u)" = 0 && echo "--hosts 10")

simulate: setup-dev ## worlds under virtual time, each from its seed (SEEDS=1000); goes on where it was
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --reach $(SIMULATE_OPTIONS)

hunt: setup-dev ## plants one mistake after the other; worlds must find each; goes on where it was
	$(BIN)/python -m tests.simulation.hunt --keep docs/simulation.md $(HUNT_OPTIONS)

mutants: setup-dev ## plants one mistake after the other; the tests must notice each; goes on where it was
	@sh tests/system_packages.sh
	$(BIN)/python -m tests.mutants $(MUTANTS_OPTIONS)

release: setup-dev ## builds the package, tries it in empty environments, lists what is in it (RELEASE_OPTIONS=--tag tags)
	$(BIN)/python -m tests.release $(RELEASE_OPTIONS)

empty-debian: setup-dev ## docs/production.md word for word in an empty Debian and the container (root, debootstrap, the network, minutes)
	EMPTY_DEBIAN=1 $(BIN)/python -m pytest -n 0 tests/test_empty_debian.py

format: setup-dev ## put the style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove what the build made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
