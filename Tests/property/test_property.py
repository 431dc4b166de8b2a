"""Random operations by random users do to Parley what they do to the model.

    PARLEY_PROPERTY_SEEDS=100:120 PARLEY_PROPERTY_STEPS=5000 pytest Tests/property     more, or other, runs
"""

from __future__ import annotations

import asyncio
import os

import pytest
from play import explore, explore_gateway

SEEDS = range(*map(int, os.environ.get("PARLEY_PROPERTY_SEEDS", "1:6").split(":")))
STEPS = int(os.environ.get("PARLEY_PROPERTY_STEPS", "1000"))


@pytest.mark.parametrize("seed", SEEDS)
def test_random_operations_do_what_the_model_does(cluster, seed):
    print(f"seed {seed}, {STEPS} steps")
    asyncio.run(explore(cluster.superuser_url, seed, STEPS))


@pytest.mark.parametrize("seed", SEEDS)
def test_operations_at_once_do_what_one_order_does(cluster, seed):
    print(f"seed {seed}, {STEPS // 5} pairs")
    asyncio.run(explore(cluster.superuser_url, seed, STEPS // 5, at_once=True))


def test_the_gateway_does_what_the_model_does(worker):
    seed = SEEDS[0]
    print(f"seed {seed}, {STEPS // 5} steps through the gateway")
    asyncio.run(explore_gateway(worker, seed, STEPS // 5))
