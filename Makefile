# Parley. The two commands are `make demo` and `make test`.
.PHONY: all build release setup setup-test demo test fuzz property push-oracle lint clean test-versions \
    bench bench-send bench-strangers bench-spam bench-fanout bench-idle bench-messages bench-latency bench-history \
    bench-push bench-push-queue bench-web bench-hostile bench-fresh bench-load bench-compare bench-retention \
    bench-export

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

# Whatever can be sent, drawn from a printed seed, at a real worker. The same again: make fuzz SECONDS=60 SEED=4711
fuzz: setup-test
	@scripts/step.sh "building the worker" swift build -c release --product parley
	@PARLEY_FUZZ_SECONDS=$(or $(SECONDS),3600) PARLEY_FUZZ_SEED=$(SEED) .venv/bin/python -m pytest -q -s Tests/fuzz

# Random operations against the model, of seeds that nobody has tried, or: make property SEEDS=100:200 STEPS=500
property: setup-test
	@scripts/step.sh "building the worker" swift build -c release --product parley
	@PARLEY_PROPERTY_SEEDS=$(or $(SEEDS),new) PARLEY_PROPERTY_STEPS=$(or $(STEPS),1000) .venv/bin/python -m pytest -q Tests/property

# Push against its model, thousands of steps of seeds that it prints, or: make push-oracle SEEDS=4711 ROUNDS=200
push-oracle: setup-test
	@scripts/step.sh "building the worker" swift build -c release --product parley
	@PARLEY_PUSH_SEEDS=$(or $(SEEDS),new) PARLEY_PUSH_ROUNDS=$(or $(ROUNDS),100) .venv/bin/python -m pytest -q -s \
	    Tests/push/test_oracle.py

lint: setup-test
	@scripts/lint.sh

# Figures of the README, each next to its peer in one run.
bench: bench-send bench-fanout bench-idle bench-messages bench-latency bench-history bench-push bench-push-queue bench-hostile bench-fresh

bench-send bench-fanout bench-idle bench-messages bench-latency bench-web bench-hostile bench-fresh: setup-test
	@swift build -c release --product parley
	@cd Benchmarks && PARLEY_WATCH=off PYTHONPATH=../Tests/support ../.venv/bin/python $(@:bench-%=%).py

bench-push: setup-test
	@swift build -c release --product parley
	@cd Benchmarks && PARLEY_WATCH=off PYTHONPATH=../Tests/support ../.venv/bin/python push.py
	@cd Benchmarks && PARLEY_WATCH=off PYTHONPATH=../Tests/support ../.venv/bin/python push_live.py

# The staged load of 100 users, 9 minutes; SCALE=0.05 makes it short.
bench-load: setup-test
	@swift build -c release --product parley
	@cd Benchmarks && PYTHONPATH=../Tests/support ../.venv/bin/python load.py --scale $(or $(SCALE),1)

# Is anything slower than at the revision OLD? Some of it: make bench-compare OLD=main BENCH="send messages" ROUNDS=5
bench-compare: setup-test
	@swift build -c release --product parley
	@cd Benchmarks && PARLEY_WATCH=off PYTHONPATH=../Tests/support ../.venv/bin/python compare.py --rounds $(or $(ROUNDS),5) $(OLD) $(BENCH)

# A year of messages is purged while people send; SCALE=0.01 makes it short.
bench-retention: setup-test
	@cd Benchmarks && PARLEY_WATCH=off PYTHONPATH=../Tests/support ../.venv/bin/python retention.py $(or $(SCALE),1)

# An export is cut off in its middle, goes on and is imported; MESSAGES=20000 makes it short.
bench-export: setup-test
	@swift build -c release --product parley
	@PARLEY_EXPORT_MESSAGES=$(or $(MESSAGES),1000000) .venv/bin/python -m pytest -q -s Tests/chaos/test_retention.py \
	    -k test_an_export_goes_on_after_a_cut_and_imports

# without a worker
bench-history bench-strangers bench-spam bench-push-queue: setup-test
	@cd Benchmarks && PARLEY_WATCH=off PYTHONPATH=../Tests/support ../.venv/bin/python $(subst -,_,$(@:bench-%=%)).py

clean:
	rm -rf .build .venv

include sql/extension.mk
