"""One cluster for all runs; every run makes users of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "support")]

from clock import Clock  # noqa: E402
from parley import Cluster, Worker  # noqa: E402
from seeds import RUNS  # noqa: E402
from subject import HELPERS  # noqa: E402


@pytest.fixture(scope="session")
def cluster():
    with Clock() as clock, Cluster(clock=clock) as cluster:
        # Rates have tests of their own; here they would end every run.
        cluster.psql("update parley.tier_limit set amount = null, burst = null where period_seconds is not null")
        # the model knows no spam
        cluster.psql("update parley.spam_rule set mode = 'off'")
        cluster.psql(HELPERS, cluster.superuser_url)
        yield cluster


@pytest.fixture(scope="session")
def worker(cluster):
    with Worker(cluster, "--log-level", "warning") as worker:
        yield worker


def pytest_terminal_summary(terminalreporter):
    for steps in sorted({run.steps for run in RUNS}, reverse=True):
        seeds = ",".join(str(run.seed) for run in RUNS if run.steps == steps)
        terminalreporter.write_line(f"make property SEEDS={seeds} STEPS={steps}   runs these again")
