"""As many users as a store has at its ceiling, all connected at once: everyone sends, and gets what the others say."""

from __future__ import annotations

import json
import sys
import time
import urllib.request

import pytest
from parley import ROOT

sys.path.insert(0, str(ROOT / "Benchmarks"))

from load import groups, load  # noqa: E402

pytestmark = pytest.mark.asyncio
USERS, GROUP = 1000, 25
RAMP, HOLD, INTERVAL = 10, 14, 6

# The other plans have no rates in these tests; `free` keeps those of the seeds.
PLAN = """
insert into parley.tier (name, rank, description) values ('store', 4, 'A plan with the rates of the seeds.');
insert into parley.tier_entitlement (tier_name, name, granted)
select 'store', name, granted from parley.tier_entitlement where tier_name = 'privileged';
insert into parley.tier_limit (tier_name, name, amount, period_seconds, burst)
select 'store', name, amount, period_seconds, burst from parley.tier_limit where tier_name = 'free'
"""
RATED = """
select count(*) from parley.rate_bucket as b inner join parley.account as a on b.user_id = a.id
where a.tier_name = 'store' and b.name = 'messages_per_minute'
"""


async def test_a_thousand_users_at_once(cluster, worker):
    """They come within 10 s, are all there for 14 s and leave within 10 s; each sends 4 messages, 6 s apart, to its group."""
    began = time.monotonic()
    cluster.psql(PLAN)
    made = groups(cluster, worker, USERS // GROUP, GROUP, "store")
    outcome = await load(worker, made, RAMP, HOLD, INTERVAL)
    print(outcome.report())
    assert not outcome.failed, outcome.report()
    assert outcome.handshakes == {101: USERS}
    # one less where a join took long
    assert outcome.sent >= 3 * USERS
    assert cluster.psql(RATED) == str(USERS), "the rate of every sender was counted"
    # everybody was there for two messages of each member at least
    assert len(outcome.latencies) >= 2 * USERS * GROUP
    assert outcome.percentile(0.99) < 10
    assert time.monotonic() - began < 60


async def test_health_tells_a_load_balancer(worker):
    for path, status in (("/health/live", "live"), ("/health/ready", "ready")):
        with urllib.request.urlopen(worker.url + path) as answer:
            assert answer.status == 200 and json.load(answer)["status"] == status
