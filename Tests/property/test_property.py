"""Random operations by random users do to Parley what they do to the model.

    PARLEY_PROPERTY_SEEDS=100:120,4711 PARLEY_PROPERTY_STEPS=5000 pytest Tests/property     more, or other, runs
    PARLEY_PROPERTY_SEEDS=new pytest Tests/property                                         runs that nobody has tried
"""

from __future__ import annotations

import asyncio
import os
from random import Random

import pytest
from circumstances import THEMES
from operations import Draw
from play import explore, explore_gateway
from seeds import FIXED, SEEDS

STEPS = int(os.environ.get("PARLEY_PROPERTY_STEPS", "1000"))


# Named by its place, so that a test is called the same whatever its seed is.
@pytest.fixture(params=range(len(SEEDS)), ids=lambda place: f"run {place + 1}")
def seed(request):
    print(f"PARLEY_PROPERTY_SEEDS={SEEDS[request.param]}")
    return SEEDS[request.param]


def test_the_fixed_seeds_have_every_theme():
    assert {Draw(Random(seed)).theme for seed in FIXED} == {"", *THEMES}


def test_random_operations_do_what_the_model_does(cluster, seed):
    asyncio.run(explore(cluster, seed, STEPS))


def test_operations_at_once_do_what_one_order_does(cluster, seed):
    asyncio.run(explore(cluster, seed, STEPS // 5, at_once=True))


def test_the_gateway_does_what_the_model_does(worker):
    asyncio.run(explore_gateway(worker, SEEDS[-1], STEPS // 5))
