# Parley. The two commands are `make demo` and `make test`.
.PHONY: all build release setup setup-test demo test lint clean bench bench-send bench-fanout bench-idle bench-messages bench-history

all: build

setup:
	@scripts/setup.sh demo

setup-test:
	@scripts/setup.sh test

build release: setup
	@scripts/step.sh "building the worker" swift build -c release --product parley

# A private Postgres, the worker and two users who talk through it; then it keeps serving (PARLEY_PORT, default 4000).
demo: build
	@scripts/demo.sh

# Everything, from nothing. One suite: make test SUITE=swift
test: setup-test
	@scripts/step.sh "building the worker" swift build -c release --product parley
	@.venv/bin/python scripts/test.py $(SUITE)

lint: setup-test
	@scripts/lint.sh

# Figures of the README, each next to its peer in one run.
bench: bench-send bench-fanout bench-idle bench-messages bench-history

bench-send bench-fanout bench-idle bench-messages: setup-test
	@swift build -c release --product parley
	@cd Benchmarks && PARLEY_WATCH=off PYTHONPATH=../Tests/support ../.venv/bin/python $(@:bench-%=%).py

# without a worker
bench-history: setup-test
	@cd Benchmarks && PARLEY_WATCH=off PYTHONPATH=../Tests/support ../.venv/bin/python history.py

clean:
	rm -rf .build .venv

include sql/extension.mk
