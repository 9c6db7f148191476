# Every habit has one word: `make help` lists them. Needs Python >= 3.11 and make, nothing else.

VENV ?= .venv
WORKERS ?= logical
API_PORT ?=
SANDBOX_PORT ?=
DATABASE_URL ?=
DATA_DIR ?=
DIRECTORY ?=
PERSON ?=
SUITE ?= $(CRYPTO_SUITE)
RACES ?= 10000
RACE ?=
BENCHES ?= bench bench.stored bench.alike
export API_PORT SANDBOX_PORT DATABASE_URL DATA_DIR DIRECTORY PERSON

PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --quiet --disable-pip-version-check
LOCK := $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help run journey test check bench planted races migrate secrets lock format clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1  \2/p' Makefile

run: $(VENV)/runtime.stamp ## sandbox, API and worker on this machine, until Ctrl-C
	@exec $(PY) tools/run.py

journey: $(VENV)/runtime.stamp ## play a patient from login to refund against `make run`; PERSON=family: a mother and all she looks after; PERSON=rush: 300 people and 60 numbers; PERSON=money: a day of payments and its bills, on a run of its own
	@exec $(PY) tools/journey.py

test: $(VENV)/test.stamp ## the whole suite, on SQLite and on PostgreSQL, in parallel; SUITE=sm: with SM3 and SM4
	CRYPTO_SUITE=$(SUITE) $(PY) -m pytest -n $(WORKERS) --dist worksteal

check: $(VENV)/test.stamp ## format, lint, types, import contracts and Dockerfile
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	MYPYPATH=tools $(PY) -m mypy --strict tools bench wsgi.py gunicorn.conf.py
	$(VENV)/bin/lint-imports
	$(VENV)/bin/hadolint Dockerfile

bench: $(VENV)/test.stamp ## what it can do, each figure beside its limit; answers that must take the same time
	@well=0; for part in $(BENCHES); do \
		$(PY) -m $$part || well=$$?; [ $$well -lt 128 ] || break; \
	done; exit $$well

planted: $(VENV)/test.stamp ## each deliberate break must turn its test red
	@exec $(PY) tools/planted.py

races: $(VENV)/test.stamp ## whatever may happen to a payment, two at once, 10,000 rounds; RACES=n: so many, RACE=n: one alone
	RACES=$(RACES) RACE=$(RACE) $(PY) -m pytest -n $(WORKERS) --dist worksteal tests/core/payments/test_money_rounds.py

migrate: $(VENV)/runtime.stamp ## bring DATABASE_URL to the newest tables
	@exec $(PY) -m migrations upgrade

secrets: $(VENV)/runtime.stamp ## what compose.yaml wants in secrets/ and is not there yet
	@exec $(PY) tools/make_secrets.py

lock: $(VENV)/test.stamp ## pin what setup.cfg asks for, with hashes
	$(LOCK) requirements/build.in -o requirements/build.txt
	$(LOCK) setup.cfg -o requirements/runtime.txt
	$(LOCK) setup.cfg --extra test --extra dev -o requirements/test.txt

format: $(VENV)/test.stamp ## let ruff rewrite what it can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

clean: ## the virtual environment, caches and leavings; never the data
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/runtime.stamp: requirements/build.txt requirements/runtime.txt pyproject.toml | $(VENV)/made.stamp
	@echo "installing what Yuezhen runs on …"
	@$(PIP) --require-hashes -r requirements/build.txt
	@$(PIP) --require-hashes --no-build-isolation -r requirements/runtime.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/test.stamp: requirements/test.txt $(VENV)/runtime.stamp
	@echo "installing what its tests need …"
	@$(PIP) --require-hashes --no-build-isolation -r requirements/test.txt
	@touch $@

$(VENV)/made.stamp:
	@sh tools/make_venv.sh $(VENV)
	@touch $@
