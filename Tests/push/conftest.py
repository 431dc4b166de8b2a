"""One cluster for all; every test has a database, a gateway and workers of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "support")]

from house import House  # noqa: E402
from parley import Cluster  # noqa: E402


@pytest.fixture(scope="session")
def cluster():
    with Cluster() as cluster:
        # Rates have tests of their own.
        cluster.psql("update parley.tier_limit set amount = null, burst = null where period_seconds is not null")
        cluster.psql("update parley.spam_rule set mode = 'off'")
        yield cluster


@pytest.fixture
def house(cluster, tmp_path):
    with House(cluster, tmp_path) as house:
        yield house
