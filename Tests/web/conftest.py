"""The web client in a headless Chromium, served by a worker of its own with `--web`.

The folder that is served is a copy of Clients/javascript with the pages of Tests/web/pages beside its own.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from browser import Browser  # noqa: E402
from parley import Cluster, Worker  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "Clients" / "javascript"


@pytest.fixture(scope="session")
def web(tmp_path_factory):
    folder = tmp_path_factory.mktemp("web") / "client"
    shutil.copytree(CLIENT, folder, ignore=shutil.ignore_patterns("node_modules", "test"))
    for page in (Path(__file__).parent / "pages").iterdir():
        shutil.copy(page, folder / "web" / page.name)
    return folder


@pytest.fixture(scope="session")
def worker(web):
    with Cluster() as cluster, Worker(cluster, "--web", str(web)) as worker:
        # Tests write faster than people.
        cluster.psql("update parley.tier_limit set amount = null where period_seconds is not null")
        yield worker


@pytest.fixture(scope="session")
def session_browser(worker):
    # Closed before the worker, which would wait for its sockets.
    with Browser() as browser:
        yield browser


@pytest.fixture
def browser(session_browser):
    """One window, empty, of the size of a desktop; what a test has changed is taken back."""
    session_browser.reset()
    yield session_browser
    problems = session_browser.complaints()
    session_browser.reset()
    assert problems == []


@pytest.fixture
def fixture(browser, worker):
    """The components over a client without a server: `window.show(...)`."""
    browser.open(f"{worker.url}/web/latest/web/fixture.html")
    browser.until("document.body.dataset.ready !== undefined")
    return browser


class Person:
    def __init__(self, worker, name):
        self.worker, self.name = worker, name
        self.id = worker.cluster.account(name)

    def token(self):
        return self.worker.token(self.id)

    def rpc(self, function, **arguments):
        return self.worker.rpc(function, self.token(), **arguments)


@pytest.fixture
def people(worker):
    """Two users who have never met."""
    return Person(worker, "Alice"), Person(worker, "Bob")


@pytest.fixture
def talk(people):
    """Their conversation, with one message of Bob."""
    alice, bob = people
    conversation = bob.rpc("start_conversation", participant_ids=[alice.id], message="Hello Alice")
    return conversation["id"]
