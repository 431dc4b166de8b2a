"""One cluster for all designs; each design is a deployment of its own, with its settings and its worker.

A scenario is told in chapters: the tests of a file, in their order, with the people and conversations that `story`
made. A chapter names its steps, and each step says what each side sees.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from parley import Cluster  # noqa: E402
from story import Deployment  # noqa: E402


@pytest.fixture(scope="session")
def cluster():
    with Cluster() as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def deployment(request, cluster):
    """The design's own deployment, named after the file of its scenario."""
    deployment = Deployment(cluster, request.module.__name__.removeprefix("test_"))
    try:
        yield await deployment.start()
    finally:
        await deployment.stop()


@pytest.fixture(scope="module")
def story():
    """What the chapters of one scenario hand on to the next."""
    return SimpleNamespace()


@pytest.fixture(autouse=True)
def _everything_in_order(request):
    """After each chapter: no device has heard an event twice, out of order, or has missed one."""
    yield
    deployment = request.node.funcargs.get("deployment")
    for device in deployment.devices if deployment else []:
        device.order(deployment.others_read(device.id))
