# What a person types; each target says what it does while it does it.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := pyproject.toml .ci/dashboard $(shell find frontend -path frontend/node_modules -prune -o -path frontend/dist -prune -o -type f -print)

LINTS := lint-types lint-style lint-layers lint-dashboard

.PHONY: install install-dev run demo test faults soak bench diff-docker lint $(LINTS) audit format screenshots clean-host locks

install: .venv/.installed
install-dev: .venv/.installed-dev

.venv/.installed: requirements.lock $(SOURCES) .ci/install
	@PYTHON="$(PYTHON)" .ci/install requirements.lock
	@touch $@

.venv/.installed-dev: requirements-dev.lock $(SOURCES) .ci/install
	@PYTHON="$(PYTHON)" .ci/install requirements-dev.lock
	@touch $@ .venv/.installed

run: install
	@exec $(BIN)/python -m netadmin.launcher

# With a socket for the docker command, unless something else is said about that.
demo: install
	@NETADMIN_DOCKER_SOCKETS="$${NETADMIN_DOCKER_SOCKETS-$${NETADMIN_STATE_DIR:-/var/lib/netadmin}/docker}" \
	    exec $(BIN)/python -m netadmin.launcher --demo

test: install-dev
	@exec $(BIN)/python -m tests.run $(SUITES)

# What the README shows, taken anew.
screenshots: install-dev
	@$(BIN)/python -m pytest -q tests/e2e/test_pages.py -k light_and_dark
	@cp build/screenshots/overview-light.png build/screenshots/map-dark.png build/screenshots/network-light.png \
	    build/screenshots/connectivity-light.png docs/pictures/

# The same random commands to Docker's own engine, which is unpacked beside and not installed.
diff-docker: install-dev
	@exec $(BIN)/python -m tests.differential $(SEED)

# Each part is killed in each step, at named points and several times: half an hour.
faults: install-dev
	@FAULTS=full exec $(BIN)/python -m pytest -q -s tests/faults

# Random changes, kills and damage; SEED=7 repeats a run.
soak: install-dev
	@SEED=$(SEED) exec $(BIN)/python -m tests.faults.soak $(SOAK_MINUTES)

bench: install-dev
	@exec $(BIN)/python -m tests.bench

lint: $(LINTS)

lint-types: install-dev
	NETADMIN_STATE_DIR=$(CURDIR)/build/lint $(BIN)/mypy apps netadmin workers

lint-style: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-layers: install-dev
	$(BIN)/lint-imports

lint-dashboard: install-dev
	.ci/client --check
	cd frontend && PATH=$(CURDIR)/.venv/bin:$$PATH npm run --silent check

# Known weaknesses of the locked packages, as far as the registries tell.
audit: install-dev
	@.ci/audit

format: install-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean-host: install
	@exec $(BIN)/netadmin host purge

locks:
	@.ci/lock
