# What a newcomer needs is `make preflight` and `make test`; both install what is missing (as root, with apt).
PYTHON ?= python3
ARGS ?=
VENV := .venv/bin
MACHINE := engine or image or lab or browser
# Where those tests are: to collect all others takes half a minute.
WITH_ENGINE := tests/engine tests/gather/test_mailcow_conf_others.py

.PHONY: help preflight image dist venv test unit lint docs docs-check test-browser test-dist test-engine lab lab-shell newcomer lock clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo '  example: make preflight ARGS="--hostname mail.example.org"'

# make ends with 2 whenever the program's exit code is not 0; the last line names the real one.
preflight: ## check this host: as a container where an engine answers, natively where none does
	@$(PYTHON) tools/run.py $(ARGS)

image: ## build the image mailcow-preflight with the engine at DOCKER_HOST or the default socket
	@$(PYTHON) tools/image.py

# The wheel and the file need no engine. The times in them are the commit's, so a commit gives the same bytes again.
dist: ## build what is handed out, in dist/: wheel, self-contained file, and the image (make dist KINDS=file)
	@$(PYTHON) tools/venv.py run
	@$(PYTHON) tools/build_dist.py $(KINDS)

venv: ## make .venv with everything for development
	@$(PYTHON) tools/venv.py test

test: lint docs-check unit test-browser test-dist test-engine ## everything, engine tests and the lab included (starts a private engine where none answers)
	@echo "==> all passed" >&2

lint: venv ## ruff and mypy
	@echo "==> ruff, mypy" >&2
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy --strict

docs: venv ## write what is generated: docs/checks.md, docs/not-checked.md, docs/preflight.1, compose/stand-in.yml, README's sample
	@$(VENV)/preflight checks --format markdown > docs/checks.md
	@$(VENV)/python tools/not_checked.py > docs/not-checked.md
	@$(VENV)/python tools/stand_in.py > compose/stand-in.yml
	@$(VENV)/python tools/man.py > docs/preflight.1
	@$(VENV)/python tools/sample.py

docs-check: venv
	@echo "==> what is generated is current: docs/checks.md, not-checked.md, preflight.1, compose/stand-in.yml, README's sample" >&2
	@{ $(VENV)/preflight checks --format markdown | diff -u docs/checks.md - \
	&& $(VENV)/python tools/not_checked.py | diff -u docs/not-checked.md - \
	&& $(VENV)/python tools/man.py | diff -u docs/preflight.1 - \
	&& $(VENV)/python tools/stand_in.py | diff -u compose/stand-in.yml - \
	&& $(VENV)/python tools/sample.py --check; } || { echo "run: make docs" >&2; exit 1; }

# Not a part of venv: who edits code needs none of it.
.PHONY: test-tools
test-tools: venv
	@$(PYTHON) tools/test_tools.py

unit: venv test-tools ## the tests that need no engine
	@echo "==> tests without an engine" >&2
	@$(VENV)/pytest -q -n $(JOBS) -m 'not ($(MACHINE))'

# 77: no browser can be had here. Only on a developer's own machine is that no failure.
# A few hundred cases of it are a part of unit.
N ?= 300
.PHONY: differential
differential: venv ## the twin against real packets on random hosts (make differential N=2000 FAMILY=nft SEED=7), as root
	@$(VENV)/python -m tests.differential --number $(N) $(if $(FAMILY),--family $(FAMILY)) $(if $(SEED),--seed $(SEED))

test-browser: venv ## the HTML report in Chromium; screenshots in build/page
	@echo "==> tests in a browser" >&2
	@$(PYTHON) tools/browser.py; code=$$?; \
	if [ $$code -eq 0 ]; then PREFLIGHT_TEST_BROWSER=required $(VENV)/pytest -q -n auto tests/browser; \
	elif [ $$code -eq 77 ] && [ "$$CI" != true ]; then echo "==> SKIPPED: browser tests (the reason stands above)" >&2; \
	else exit $$code; fi

test-dist: venv ## wheel and file built twice: the same bytes, and the file runs
	@echo "==> what is handed out" >&2
	@$(PYTHON) tools/dist_check.py

# 77: no engine can be had here (not root). Only on a developer's own machine is that no failure.
test-engine: venv ## the tests with an engine and the built image
	@echo "==> tests with an engine" >&2
	@$(PYTHON) tools/engine.py run -- $(MAKE) --no-print-directory test-with-engine; code=$$?; \
	if [ $$code -eq 77 ] && [ "$$CI" != true ]; then echo "==> SKIPPED: engine tests (the reason stands above)" >&2; \
	else exit $$code; fi

# Mostly they wait, so half of them have an engine of their own. The lab takes the image from the first one.
ALONE := tests/engine/test_rehearsal.py tests/engine/test_reach_elsewhere.py
.PHONY: test-with-engine with-this-engine with-one-more-engine
test-with-engine: image
	@$(PYTHON) tools/lab_tools.py
	@docker save -o build/image.tar mailcow-preflight
	@$(MAKE) --no-print-directory -j 2 with-this-engine with-one-more-engine
	@$(MAKE) --no-print-directory lab-with-image

with-this-engine:
	@PREFLIGHT_TEST_ENGINE=required $(VENV)/pytest -q -m 'engine or image or lab' $(WITH_ENGINE) $(ALONE:%=--ignore=%)

with-one-more-engine:
	@$(PYTHON) tools/engine.py alone -- sh -c \
		'docker load -q -i build/image.tar && PREFLIGHT_TEST_ENGINE=required $(VENV)/pytest -q $(ALONE)'

lab: venv ## whole hosts with faults: prediction against outcome (make lab ONLY="exim4 ufw" JOBS=3)
	@$(PYTHON) tools/engine.py run -- $(MAKE) --no-print-directory image lab-with-image

JOBS ?= $(shell echo $$(($$(nproc) + 1)))
.PHONY: lab-with-image
lab-with-image:
	@echo "==> the lab: results in build/lab.md and build/lab.json" >&2
	@$(PYTHON) tools/lab_tools.py
	@LAB_REHEARSE=$(REHEARSE) $(VENV)/python -m tests.lab run --jobs $(JOBS) $(ONLY)

lab-shell: venv ## boot one host and look around in it (make lab-shell HOST=debian13 NETWORK=dual)
	@$(PYTHON) tools/lab_tools.py
	@$(PYTHON) tools/engine.py run -- sh -c '$(MAKE) --no-print-directory image && $(VENV)/python -m tests.lab shell $(HOST) $(NETWORK)'
HOST ?= debian13
NETWORK ?= ipv4

# What works here may lean on what happens to be here.
newcomer: ## both commands of README.md on bare machines, Debian 12 and 13 (make newcomer SUITE=bookworm)
	@$(PYTHON) tools/newcomer.py $(SUITE)

# One lock for every supported Python and both architectures; the image, the program and its tests share versions.
LOCK := $(VENV)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-emit-package pywin32 \
	--custom-compile-command 'make lock'
lock: venv ## write the requirements*.lock files anew (make lock UPGRADE=--upgrade takes newer versions)
	@$(VENV)/pip install -q uv
	@$(LOCK) $(UPGRADE) pyproject.toml -o requirements.lock
	@$(LOCK) $(UPGRADE) pyproject.toml --group test --group build -c requirements.lock -o requirements-test.lock
	@$(LOCK) $(UPGRADE) --group pyproject.toml:build -c requirements-test.lock -o requirements-build.lock
	@! grep -nE '://|--(extra-)?index-url|--find-links' requirements*.lock

clean: ## remove what was made here (not the cached base image in ~/.cache/mailcow-preflight)
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find preflight tests tools -name __pycache__ -prune -exec rm -rf {} +
