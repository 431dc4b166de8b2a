"""Limits, idleness and a worker that dies (cases 40, 41 and 43 of the protocol's fact sheet), with workers of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
import uuid

import pytest
import pytest_asyncio
from conftest import People
from frames import VERSIONS, FrameSocket, Room
from parley import Worker
from raw import close_code, join, upgrade
from sockets import Refused

pytestmark = pytest.mark.asyncio
BURST = 500  # events that may come at once, whatever the rate


@pytest.fixture(scope="module")
def strict(cluster):
    flags = ["--max-channels", "3", "--client-events-per-second", "1", "--client-joins-per-second", "1", "--idle-timeout", "5s"]
    with Worker(cluster, "--log-level", "warning", *flags) as worker:
        yield worker


@pytest_asyncio.fixture
async def small(cluster, strict):
    """A room behind the strict worker."""
    async with Room(People(cluster, strict)) as room:
        yield room


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_40_one_channel_too_many(small, version):
    people = small.people
    socket = await small.socket(version)
    topics = [f"conversation:{people.conversation('Alice', f'Friend {n}')}" for n in range(4)]
    for topic in topics[:3]:
        await socket.join(topic, people.token("Alice"))
    with pytest.raises(Refused) as refused:
        await socket.join(topics[3], people.token("Alice"))
    assert refused.value.response == {"reason": "ChannelRateLimitReached: Too many channels"}
    # Joining again is none more, and one that was left makes room.
    await socket.join(topics[0], people.token("Alice"))
    await socket.leave(topics[1])
    await socket.join(topics[3], people.token("Alice"))


async def test_case_40_the_default_is_100_channels(people):
    token = people.token("Alice")
    conversations = [people.conversation("Alice", f"Friend {n}") for n in range(101)]
    async with await FrameSocket.open(people.worker) as socket:
        for conversation in conversations[:100]:
            await socket.join(f"conversation:{conversation}", token)
        with pytest.raises(Refused) as refused:
            await socket.join(f"conversation:{conversations[100]}", token)
        assert refused.value.reason == "ChannelRateLimitReached: Too many channels"


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_40_too_many_messages(small, version):
    loud = await small.member(version=version, broadcast={"ack": False})
    bob = await small.member("Bob")
    for n in range(BURST + 50):
        await loud.shout(small.topic, "wave", {"n": n})
    await loud.wait(lambda: loud.seen("phx_close"))
    (system,) = loud.seen("system")
    assert system["payload"] == {
        "channel": small.topic, "extension": "system", "message": "Too many messages per second", "status": "error",
    }
    (close,) = loud.seen("phx_close")
    assert close["ref"] == loud.join_refs[small.topic]
    # What was allowed went out in order; the others of the room are untouched.
    await bob.heartbeat()
    heard = [event["n"] for event in bob.events("wave")]
    assert heard == list(range(len(heard))) and BURST - 10 < len(heard) < BURST + 10
    assert not loud.closed.done()
    await bob.broadcast(small.topic, "hi", {})
    # At this rate the socket is worth an event a second again.
    await asyncio.sleep(2.5)
    await loud.join(small.topic, small.people.token("Alice"))


async def test_case_40_what_is_no_message_counts_too(small):
    socket = await small.member(broadcast={"ack": False})
    for _ in range(BURST):
        await socket.connection.send("{")
    await socket.shout(small.topic, "hi", {})
    await socket.wait(lambda: socket.seen("phx_close"))
    assert socket.seen("system")[0]["payload"]["message"] == "Too many messages per second"


async def test_case_40_too_many_joins(small):
    socket = await small.socket()
    payload = {"config": {"private": True}, "access_token": small.people.token("Alice")}
    for n in range(250):
        await socket.send(f"realtime:{small.topic}", "phx_join", payload, str(n), str(n))
    await socket.wait(lambda: any(message["ref"] == "249" for message in socket.messages))
    last = next(message for message in socket.messages if message["ref"] == "249")
    assert last["payload"]["response"] == {"reason": "ClientJoinRateLimitReached: Too many joins per second"}
    # A refused join ends nothing: the one that was allowed before it lives.
    await asyncio.sleep(0.5)
    bob = await small.member("Bob")
    await bob.broadcast(small.topic, "hi", {})
    await small.settled()
    assert len(socket.seen("broadcast")) == 1


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_41_a_silent_client_is_closed(small, version):
    """90 s by default, 5 s here. Any frame keeps the connection, and so does the answer to the server's ping, which
    libraries and browsers give by themselves: a hidden tab whose timers sleep stays."""
    hidden, alive = await small.member("Bob", version), await small.socket(version)
    with upgrade(small.people.worker) as vanished:
        vanished.sendall(join(small.topic, small.people.token("Alice")))
        began = time.monotonic()
        ended = asyncio.create_task(asyncio.to_thread(close_code, vanished, 12))
        while time.monotonic() - began < 7.5:
            await alive.send("phoenix", "heartbeat", {}, "1")
            await asyncio.sleep(0.5)
            if not ended.done():
                assert time.monotonic() - began < 7
        assert await ended == 1001
    assert not hidden.closed.done() and not alive.closed.done()


async def test_case_41_a_client_that_vanishes_is_not_present_for_long(small):
    """Less than half a minute by default, a third of the time after which its socket is closed."""
    who = {"presence": {"key": "a", "enabled": True}}
    watching = await small.member("Bob", presence={"key": "b", "enabled": True})
    vanishing = await small.member(**who)
    await vanishing.push(small.topic, "presence", {"type": "presence", "event": "track", "payload": {"n": 1}})

    async def seen(change: str, count: int) -> dict:
        await watching.wait(lambda: len(watching.seen("presence_diff")) == count)
        return watching.seen("presence_diff")[-1]["payload"][change]["a"]["metas"][0]

    await seen("joins", 1)
    # it reads no ping any more, and so answers none
    vanishing.connection.transport.pause_reading()
    assert (await seen("leaves", 2))["n"] == 1
    vanishing.connection.transport.resume_reading()
    back = await seen("joins", 3)
    assert back["n"] == 1 and back["user_id"] == small.people.id("Alice")
    assert not vanishing.closed.done()


async def test_case_41_what_the_server_sends_does_not_count(small):
    """A client that is gone without a word must not be kept alive by what is sent to it."""
    talking = await small.member()
    with upgrade(small.people.worker) as vanished:
        vanished.sendall(join(small.topic, small.people.token("Bob")))
        ended = asyncio.create_task(asyncio.to_thread(close_code, vanished, 12))
        while not ended.done():
            await talking.broadcast(small.topic, "hi", {})
            await asyncio.sleep(0.5)
        assert await ended == 1001


async def test_case_43_killed_between_commit_and_reply(cluster):
    """The client does not know whether its message is stored. It is, and sending it again is safe."""
    with Worker(cluster, "--log-level", "error") as worker:
        people = People(cluster, worker)
        async with Room(people) as room:
            sender = await room.member()
            key = str(uuid.uuid4())
            stored = f"select count(*) from parley.message where client_message_id = '{key}'"
            # A lock holds the transaction, which is all sent, commit included; the worker is stopped before it can read.
            lock = subprocess.Popen(["psql", "-XAtq", cluster.owner_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert lock.stdin and lock.stdout
            lock.stdin.write(f"begin; select 'held' from parley.conversation where id = '{room.id}' for update;\n")
            lock.stdin.flush()
            assert lock.stdout.readline() == "held\n"
            sending = asyncio.create_task(sender.send_message(room.id, "once", key))
            waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%send_message%'"
            for _ in range(100):
                if cluster.psql(waits, cluster.superuser_url) != "0":
                    break
                await asyncio.sleep(0.05)
            os.kill(worker.pid, signal.SIGSTOP)
            assert cluster.psql(stored) == "0" and not sending.done()
            lock.stdin.write("commit;\n")
            lock.communicate(timeout=10)
            for _ in range(100):
                if cluster.psql(stored) == "1":
                    break
                await asyncio.sleep(0.05)
            worker.kill9()
            assert cluster.psql(stored) == "1", "the message was to be committed before its worker died"
            with pytest.raises(ConnectionError):
                await sending
        worker.start()
        async with Room(people, room.id) as room:
            sender, reader = await room.member(), await room.socket()
            again = await sender.send_message(room.id, "once", key)
            assert again["client_message_id"] == key and cluster.psql(stored) == "1"
            with pytest.raises(Refused) as refused:
                await sender.send_message(room.id, "another text", key)
            assert refused.value.response["code"] == "PT409"
            await reader.join(room.topic, people.token("Bob"), replay={"after": 0})
            await sender.send_message(room.id, "the end")
            await reader.wait(lambda: len(reader.events("message:new")) == 2)
            assert [event["message"]["content"] for event in reader.events("message:new")] == ["once", "the end"]
            assert reader.events("message:new")[0]["message"]["id"] == again["id"]
