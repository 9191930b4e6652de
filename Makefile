# Needs Python 3.11 or newer, and make. Everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo test lint requirements clean

$(VENV)/.run: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

demo: $(VENV)/.run  ## Everything from nothing: sample business, web, worker and beat. ARGS=--once ends by itself.
	$(BIN)/python manage.py demo $(ARGS)

test: $(VENV)/.dev  ## The whole suite: on SQLite, on PostgreSQL where there is one, with real processes.
	$(BIN)/python -m tests $(ARGS)

lint: $(VENV)/.dev  ## Format, lint, types, import directions, migrations, production checks.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy config customers qrcodes campaigns analytics demo manage.py
	$(BIN)/lint-imports
	DEBUG=true $(BIN)/python manage.py makemigrations --check --dry-run
	DEBUG=false EMAIL_BACKEND=sendgrid SENDGRID_API_KEY=check DEFAULT_FROM_EMAIL=shop@example.com \
	  PUBLIC_BASE_URL=https://coupons.example.com DATABASE_URL=sqlite:///:memory: \
	  env $$($(BIN)/python -m config.new_keys) \
	  $(BIN)/python manage.py check --deploy --fail-level WARNING

requirements: $(VENV)/.dev  ## Pin again from the .in files.
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header requirements.in -o requirements.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header requirements-dev.in -o requirements-dev.txt

clean:
	rm -rf $(VENV) var staticfiles
