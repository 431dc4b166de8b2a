"""Random operations by random users do to Parley what they do to the model.

    PARLEY_PROPERTY_SEEDS=100:120,4711 PARLEY_PROPERTY_STEPS=5000 pytest Tests/property     more, or other, runs
    PARLEY_PROPERTY_SEEDS=new pytest Tests/property                                         runs that nobody has tried
"""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from circumstances import THEMES
from operations import Draw
from play import explore, explore_gateway
from seeds import FIXED, RUNS


@pytest.fixture(params=RUNS, ids=lambda run: run.name)
def run(request):
    return request.param


def test_the_fixed_seeds_have_every_theme():
    assert {Draw(Random(seed)).theme for seed in FIXED} == {"", *THEMES}


def test_random_operations_do_what_the_model_does(cluster, run):
    with run.told():
        asyncio.run(explore(cluster, run.seed, run.steps))


def test_operations_at_once_do_what_one_order_does(cluster, run):
    with run.told():
        asyncio.run(explore(cluster, run.seed, run.steps // 5, at_once=True))


def test_the_gateway_does_what_the_model_does(worker):
    run = RUNS[min(len(RUNS), len(FIXED)) - 1]
    with run.told():
        asyncio.run(explore_gateway(worker, run.seed, run.steps // 5))
