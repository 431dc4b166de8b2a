"""One cluster for the tests of the JavaScript client."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from parley import Cluster  # noqa: E402


@pytest.fixture(scope="session")
def cluster():
    with Cluster() as cluster:
        # Rates have tests of their own; here they would only slow the others down.
        cluster.psql("update parley.tier_limit set amount = null where period_seconds is not null and tier_name <> 'free'")
        yield cluster
