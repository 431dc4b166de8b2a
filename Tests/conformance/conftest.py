"""One cluster and one worker for all conformance tests; every test makes users of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from frames import Room  # noqa: E402
from parley import Cluster, Worker  # noqa: E402


@pytest.fixture(scope="session")
def cluster():
    with Cluster() as cluster:
        # Rates have tests of their own; here they would only slow the others down.
        cluster.psql("update parley.tier_limit set amount = null where period_seconds is not null and tier_name <> 'free'")
        yield cluster


@pytest.fixture(scope="session")
def worker(cluster):
    # Rates have tests of their own.
    rates = ["--client-events-per-second", "1000", "--user-broadcast-bytes-per-second", "0", "--topic-broadcast-bytes-per-second", "0"]
    with Worker(cluster, "--log-level", "warning", *rates) as worker:
        yield worker


class People:
    """Users by name, made when first named."""

    def __init__(self, cluster: Cluster, worker: Worker):
        self.cluster, self.worker = cluster, worker
        self.ids: dict[str, str] = {}

    def id(self, name: str, tier: str = "privileged_plus") -> str:
        if name not in self.ids:
            self.ids[name] = self.cluster.account(name, tier)
        return self.ids[name]

    def token(self, name: str, **claims: object) -> str:
        return self.worker.token(self.id(name), **claims)

    def rpc(self, name: str, function: str, **arguments: object):
        return self.worker.rpc(function, self.token(name), **arguments)

    def conversation(self, creator: str, *others: str, **arguments: object) -> str:
        if len(others) > 1:
            arguments.setdefault("type", "group")
        ids = [self.id(other) for other in others]
        return self.rpc(creator, "start_conversation", participant_ids=ids, **arguments)["id"]


@pytest.fixture
def people(cluster, worker):
    return People(cluster, worker)


@pytest_asyncio.fixture
async def room(people):
    async with Room(people) as room:
        yield room
