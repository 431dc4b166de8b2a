# Parley. The two commands are `make demo` and `make test`.
.PHONY: all build release setup setup-test demo test lint clean test-versions \
    bench bench-send bench-fanout bench-idle bench-messages bench-latency bench-history bench-load bench-compare bench-web

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

# The suites that meet the server, on PostgreSQL 15 to 18. Some of it: make test-versions VERSIONS="17 18" SUITE=sql
test-versions: setup-test
	@scripts/step.sh "building the worker" swift build -c release --product parley
	@scripts/versions.sh $(VERSIONS) $(SUITE)

lint: setup-test
	@scripts/lint.sh

# Figures of the README, each next to its peer in one run.
bench: bench-send bench-fanout bench-idle bench-messages bench-latency bench-history

bench-send bench-fanout bench-idle bench-messages bench-latency bench-web: setup-test
	@swift build -c release --product parley
	@cd Benchmarks && PARLEY_WATCH=off PYTHONPATH=../Tests/support ../.venv/bin/python $(@:bench-%=%).py

# The staged load of 100 users, 9 minutes; SCALE=0.05 makes it short.
bench-load: setup-test
	@swift build -c release --product parley
	@cd Benchmarks && PYTHONPATH=../Tests/support ../.venv/bin/python load.py --scale $(or $(SCALE),1)

# Is anything slower than at the revision OLD? Some of it: make bench-compare OLD=main BENCH="send messages" ROUNDS=5
bench-compare: setup-test
	@swift build -c release --product parley
	@cd Benchmarks && PARLEY_WATCH=off PYTHONPATH=../Tests/support ../.venv/bin/python compare.py --rounds $(or $(ROUNDS),5) $(OLD) $(BENCH)

# without a worker
bench-history: setup-test
	@cd Benchmarks && PARLEY_WATCH=off PYTHONPATH=../Tests/support ../.venv/bin/python history.py

clean:
	rm -rf .build .venv

include sql/extension.mk
