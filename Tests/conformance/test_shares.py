"""Connections are shared: one user's slow reads, and reads that nobody waits for any more, hold up no other user."""

from __future__ import annotations

import concurrent.futures
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest
from conftest import People
from parley import Worker
from waiting import until

SLEEPING = "select count(*) from pg_stat_activity where state = 'active' and query like '%slow_read%' and pid <> pg_backend_pid()"


@pytest.fixture
def slow(cluster):
    """A worker, and a read that takes as long as it is told."""
    cluster.psql(
        "create function parley_api.slow_read(seconds float8) returns int language sql stable as "
        "'select 1 from pg_catalog.pg_sleep(seconds)'; "
        "grant execute on function parley_api.slow_read(float8) to authenticated"
    )
    try:
        with Worker(cluster, "--log-level", "warning", "--db-pool-size", "8") as worker:
            yield worker
    finally:
        cluster.psql("drop function parley_api.slow_read(float8)")


def read(worker: Worker, token: str, seconds: float) -> int:
    request = urllib.request.Request(
        f"{worker.url}/rest/v1/rpc/slow_read?seconds={seconds}", headers={"Authorization": f"Bearer {token}", "apikey": token}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_slow_reads_of_one_hold_up_no_other(cluster, slow):
    people = People(cluster, slow)
    conversation = people.conversation("Bob", "Carol")
    people.rpc("Bob", "get_unread_counts")
    token = people.token("Alice")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        # Two at a time: as many as are through before an answer is due.
        reads = [pool.submit(read, slow, token, 1.5) for _ in range(6)]
        time.sleep(0.3)
        took = []
        for n in range(10):
            began = time.monotonic()
            people.rpc("Bob", "send_message", conversation_id=conversation, content=f"message {n}")
            people.rpc("Bob", "get_unread_counts")
            took.append(time.monotonic() - began)
        assert not all(one.done() for one in reads)
        assert max(took) < 1.4, took
        assert [one.result() for one in reads] == [200] * 6


def test_slow_reads_of_many_leave_room_for_quick_ones(cluster, slow):
    people = People(cluster, slow)
    people.rpc("Bob", "get_unread_counts")
    tokens = [people.token(name) for name in ("Alice", "Carol", "Dave", "Erin")]
    ended = threading.Event()

    def insist(token: str) -> list[int]:
        answers = []
        while not ended.is_set():
            answers.append(read(slow, token, 3))
        return answers

    def running() -> int:
        return int(cluster.psql(SLEEPING, cluster.superuser_url))

    def halved() -> bool:
        # Between two reads there are fewer for a moment.
        end = time.monotonic() + 1
        while time.monotonic() < end:
            if running() > 3:
                return False
        return True

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        insisting = [pool.submit(insist, token) for token in tokens for _ in range(2)]
        try:
            # At first they fill the lane; then they have overdrawn their budgets, and half of it is theirs.
            until(lambda: running() == 6)
            until(halved)
            # a slow one takes 3 s
            took, end = [], time.monotonic() + 4
            while time.monotonic() < end:
                began = time.monotonic()
                people.rpc("Bob", "get_unread_counts")
                took.append(time.monotonic() - began)
            assert max(took) < 2, took
        finally:
            ended.set()
        # Nobody starves; what waits for longer than an answer may take is told so.
        for one, other in zip(insisting[::2], insisting[1::2]):
            answers = one.result() + other.result()
            assert 200 in answers and set(answers) <= {200, 504}, answers


def test_a_read_ends_when_its_client_leaves(cluster, slow):
    token = People(cluster, slow).token("Alice")
    assert read(slow, token, 0) == 200
    sockets = []
    for _ in range(4):
        client = socket.create_connection(("127.0.0.1", slow.port))
        client.sendall(
            f"GET /rest/v1/rpc/slow_read?seconds=8 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        sockets.append(client)
    limit = time.monotonic() + 5
    # A quarter of the connections is one user's share.
    while cluster.psql(SLEEPING, cluster.superuser_url) != "2":
        assert time.monotonic() < limit
        time.sleep(0.02)
    for client in sockets:
        client.close()
    began = time.monotonic()
    while cluster.psql(SLEEPING, cluster.superuser_url) != "0":
        assert time.monotonic() - began < 4
        time.sleep(0.02)
    assert read(slow, token, 0) == 200 and time.monotonic() - began < 5
