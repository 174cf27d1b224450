# `make` alone lists the commands.

PYTHON ?= python3
CARGO ?= cargo
NEXTEST := $(shell command -v cargo-nextest)
TEST := $(if $(NEXTEST),nextest run,test)
# What only the other engine can show is in modules whose names say so.
NOT_POSTGRES := $(if $(NEXTEST),,-- --skip on_postgres)
NOT_SQLITE := $(if $(NEXTEST),--profile postgres,-- --skip on_sqlite)
# The long forms take longer than any test otherwise may.
LONG := $(if $(NEXTEST),--profile full,$(NOT_POSTGRES))
LONG_POSTGRES := $(if $(NEXTEST),--profile full-postgres,-- --skip on_sqlite)
ON_POSTGRES := BIFROST_TEST_ENGINE=postgres $(CARGO) xtask servers -- $(CARGO) $(TEST)

.DEFAULT_GOAL := help

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: ## Two organizations, one override, the proof of isolation; SERVE=1 keeps serving
	$(CARGO) build --quiet --release --package bifrost
	./target/release/bifrost demo $(if $(SERVE),--serve)

test: servers uv ## Everything that has to hold, in minutes
	$(CARGO) $(TEST) --workspace $(NOT_POSTGRES)
	$(MAKE) --no-print-directory test-postgres
	$(PYTHON) -m unittest discover -s python/tests -t python
	BIFROST=target/debug/bifrost $(PYTHON) docs/check_commands.py
	BIFROST=target/debug/bifrost $(PYTHON) docs/check_commands.py docs/overrides.md
	BIFROST=target/debug/bifrost $(PYTHON) docs/check_commands.py docs/moving.md
	$(MAKE) --no-print-directory deploy-check
	$(MAKE) --no-print-directory fuzz

test-postgres: servers uv ## What differs by engine, on a PostgreSQL server of its own
	$(ON_POSTGRES) --package store --package api --package jobs --package runner --package bifrost $(NOT_SQLITE)

uv: .cache/uv/bin/uv ## Installs what the tests install packages with

.cache/uv/bin/uv:
	$(PYTHON) -m venv .cache/uv
	.cache/uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9

servers: ## Installs PostgreSQL, Redis and what else tests start, from Debian's packages
	@testkit/servers/install.sh

check: format lint tidy types test ## What CI runs, and the long forms of the tests
	BIFROST_FULL=1 $(CARGO) $(TEST) --package bifrost --package store --package api --package runner $(LONG)
	BIFROST_FULL=1 $(ON_POSTGRES) --package bifrost --package store --test freshness --test canaries --test churn \
		--test claiming --test fairness --test schedule_tickers --lib $(LONG_POSTGRES)
	BIFROST_IMPORT_CASES=5000 $(PYTHON) -m unittest discover -s python/tests -t python -p 'test_import_differential.py'

attacks: ## Attacks of workflows on everything around them; BIFROST_FULL=1 for 10,000 runs in turn
	$(CARGO) $(TEST) --package bifrost --test attacks

proofs: servers ## That organizations are kept apart: docs/security.md says what each one shows
	$(CARGO) $(TEST) --package store --package api --test isolation --test churn --lib $(NOT_POSTGRES)
	$(CARGO) $(TEST) --package bifrost --test canaries --test attacks $(NOT_POSTGRES)
	$(CARGO) $(TEST) --package runner --lib frames
	$(ON_POSTGRES) --package store --package api --test isolation --test churn --test postgres --lib $(NOT_SQLITE)
	$(ON_POSTGRES) --package bifrost --test canaries $(NOT_SQLITE)
	$(MAKE) --no-print-directory fuzz

fuzz: .cache/schemathesis/bin/schemathesis ## Made-up requests for every operation
	$(CARGO) build --quiet --package bifrost
	.cache/schemathesis/bin/python testkit/fuzz/run.py

# The toolchain is the stable one; what coverage needs of the compiler is not.
fuzz-frames: .cache/cargo-fuzz/bin/cargo-fuzz ## Bytes that libFuzzer makes up, as frames of a child; FUZZ_SECONDS=60
	mkdir -p .cache/fuzz/frames
	PATH="$(CURDIR)/.cache/cargo-fuzz/bin:$$PATH" RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --sanitizer none frames \
		.cache/fuzz/frames fuzz/corpus/frames -- -dict=fuzz/frames.dict -max_len=65536 \
		-rss_limit_mb=1024 -max_total_time=$(or $(FUZZ_SECONDS),60)

.cache/cargo-fuzz/bin/cargo-fuzz:
	$(CARGO) install --quiet --locked --root .cache/cargo-fuzz cargo-fuzz@0.13.2

.cache/schemathesis/bin/schemathesis:
	$(PYTHON) -m venv .cache/schemathesis
	.cache/schemathesis/bin/pip install --quiet --disable-pip-version-check schemathesis==4.32.5

deploy-check: .cache/deploy/bin/check-jsonschema ## The deployment files, and the commands of docs/deploying.md
	$(CARGO) build --quiet --package bifrost
	BIFROST=target/debug/bifrost .cache/deploy/bin/python deploy/check.py
	BIFROST=target/debug/bifrost $(CARGO) xtask servers -- $(PYTHON) docs/check_commands.py docs/deploying.md

.cache/deploy/bin/check-jsonschema:
	$(PYTHON) -m venv .cache/deploy
	.cache/deploy/bin/pip install --quiet --disable-pip-version-check \
		check-jsonschema==0.39.0 kubernetes-validate==1.37.0

format: ## Formatting, as it must be
	$(CARGO) fmt --all --check

lint: ## Lints
	$(CARGO) clippy --workspace --all-targets --quiet -- --deny warnings

types: .cache/mypy/bin/mypy ## Python's types, strictly
	cd python && ../.cache/mypy/bin/mypy

.cache/mypy/bin/mypy:
	$(PYTHON) -m venv .cache/mypy
	.cache/mypy/bin/pip install --quiet --disable-pip-version-check mypy==2.4.1

tidy: ## Rules of this repository that no compiler knows
	$(CARGO) xtask tidy

bench: servers uv ## The figures of the README, measured here; ONLY="peers memory" measures these
	$(CARGO) build --quiet --release --package bifrost
	$(CARGO) xtask servers --durable -- $(PYTHON) bench/run.py $(ONLY)

.PHONY: help demo test test-postgres uv servers check proofs fuzz fuzz-frames attacks deploy-check format lint types tidy bench
