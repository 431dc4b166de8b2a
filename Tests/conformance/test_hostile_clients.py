"""Clients that take places and memory: the worker stays small, healthy, and open to the users it knows."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from conftest import People
from parley import Worker
from raw import ask, close_code, connect, frame, get, join, read_head, status_of, upgrade, upgrade_request

HOME, STRANGE = "127.0.0.2", "127.0.0.3"


def resident_mb(worker: Worker) -> int:
    for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    raise AssertionError("no VmRSS")


def first_status(connection) -> int | None:
    """The status of the answer that waits unread; None if the connection was cut instead."""
    try:
        return status_of(read_head(connection))
    except (ConnectionResetError, AssertionError):
        return None


def joined(worker: Worker, people: People, name: str, source: str):
    """A socket of a user, with its inbox joined."""
    connection = upgrade(worker, source=source)
    connection.sendall(join(f"user:{people.id(name)}", people.token(name)))
    head = connection.recv(65536)
    assert b'"status":"ok"' in head, head
    return connection


def test_readers_that_do_not_read(cluster):
    """100 connections ask for 6 MB each and read nothing: 600 MB, of which the worker may hold 32."""
    with Worker(cluster, "--log-level", "error", "--max-held-bytes", "64MiB", "--db-pool-size", "4") as worker:
        people = People(cluster, worker)
        conversation = people.conversation("Alice", "Bob")
        for _ in range(300):
            people.rpc("Alice", "send_message", conversation_id=conversation, content="\U0001f40c" * 5000)
        request = get(
            f"/rest/v1/messages?conversation_id=eq.{conversation}&select=content", f"Authorization: Bearer {people.token('Bob')}"
        )
        before, held = resident_mb(worker), []
        for _ in range(100):
            connection = connect(worker, receive=4096)
            connection.sendall(request)
            held.append(connection)
        highest = 0
        limit = time.monotonic() + 60
        # The last answer has been given when one that is asked for now comes.
        with connect(worker, HOME) as last:
            last.sendall(get("/rest/v1/conversations?select=id", f"Authorization: Bearer {people.token('Bob')}"))
            last.settimeout(0.1)
            while True:
                highest = max(highest, resident_mb(worker))
                assert time.monotonic() < limit
                try:
                    # it waits behind a hundred of the same user, and for no longer than an answer may take
                    assert status_of(last.recv(65536)) in (200, 504)
                    break
                except TimeoutError:
                    continue
        # Whole or begun, refused in words, or cut after it had stalled: nothing waits.
        answers = [first_status(connection) for connection in held]
        assert set(answers) <= {200, 503, 504, None}, answers
        # How many of each depends on how soon those that stalled are cut, which makes room for the next.
        refused = answers.count(503) + answers.count(504)
        assert refused and 200 in answers, answers
        print(f"{before} MB before, {highest} MB at most; {answers.count(200)} answers given, {refused} refused")
        assert highest - before < 200, f"from {before} to {highest} MB"
        for connection in held:
            connection.close()
        # An answer beyond what one may hold is refused in words, and for good.
        people.rpc("Alice", "send_message", conversation_id=conversation, content="after all that")
        wide = "&select=" + ",".join(f"c{n}:content" for n in range(2))
        assert ask(worker, request.replace(b"&select=content", wide.encode()), HOME) == 413


def test_strangers_of_one_address_leave_room_for_all_others(cluster):
    """A flood of sockets with the public key takes what one address may have, for as long as a join may take."""
    flags = ["--max-connections-per-address", "50", "--join-timeout", "3s", "--log-level", "error"]
    with Worker(cluster, *flags) as worker:
        people = People(cluster, worker)
        began = time.monotonic()
        strangers = [upgrade(worker, source=STRANGE) for _ in range(50)]
        refused = [ask(worker, upgrade_request(worker), STRANGE) for _ in range(200)]
        assert set(refused) == {429}
        assert ask(worker, get("/health/live"), STRANGE) == 200
        assert ask(worker, get("/health/ready"), STRANGE) == 200
        with joined(worker, people, "Alice", HOME):
            assert {close_code(stranger) for stranger in strangers} == {1008}
        assert 2.5 < time.monotonic() - began < 15
        for stranger in strangers:
            stranger.close()
        time.sleep(0.5)
        upgrade(worker, source=STRANGE).close()


def test_a_worker_full_of_strangers_takes_users_it_knows(cluster):
    flags = ["--max-connections-per-address", "0", "--max-connections", "44", "--log-level", "error"]
    with Worker(cluster, *flags) as worker:
        people = People(cluster, worker)
        joined(worker, people, "Alice", HOME).close()
        # 300 places in all, a quarter of them kept; the sockets alone are 44.
        strangers = [upgrade(worker, source=STRANGE) for _ in range(44)]
        assert ask(worker, upgrade_request(worker), STRANGE) == 429
        crowd = [connect(worker, STRANGE) for _ in range(400)]
        time.sleep(0.5)
        assert ask(worker, get("/health/live"), STRANGE) == 200
        assert ask(worker, get("/health/live"), HOME) == 200
        answer = ask(worker, get("/rest/v1/conversations?select=id", f"Authorization: Bearer {people.token('Alice')}"), HOME)
        assert answer == 200
        for connection in crowd + strangers:
            connection.close()


def test_connections_of_one_user_are_limited(cluster):
    with Worker(cluster, "--max-connections-per-user", "3", "--log-level", "error") as worker:
        people = People(cluster, worker)
        sockets = [joined(worker, people, "Alice", HOME) for _ in range(3)]
        fourth = upgrade(worker, source=HOME)
        fourth.sendall(join(f"user:{people.id('Alice')}", people.token("Alice")))
        assert close_code(fourth) == 1008
        joined(worker, people, "Bob", HOME).close()
        sockets.pop().close()
        time.sleep(0.5)
        sockets.append(joined(worker, people, "Alice", HOME))


@pytest.mark.parametrize("opcode", [9, 10], ids=["ping", "pong"])
def test_a_flood_of_control_frames_ends_its_socket(worker, opcode):
    with upgrade(worker) as flood:
        flood.sendall(frame(opcode, b"") * 5000)
        assert close_code(flood) == 1008
