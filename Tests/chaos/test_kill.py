"""`kill -9` of the worker and of Postgres, again and again under load, and Postgres restarted or answering late."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time

import asyncpg
import pytest
from parley import Cluster, Worker
from resuming import ResumingReader, RetryingSender
from sockets import Refused, Socket

PAIRS = 6


async def in_thread(function, *arguments):
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


async def check(cluster: Cluster, senders: list[RetryingSender], readers: list[ResumingReader]) -> None:
    """Every acknowledged message is there once, in order; every other one 0 or 1 times; readers saw exactly the log."""
    for sender, reader in zip(senders, readers):
        conversation = sender.conversation
        rows = [line.split("|") for line in cluster.psql(
            f"select seq, id, client_message_id from parley.message where conversation_id = '{conversation}' order by seq"
        ).splitlines()]
        assert [int(seq) for seq, _, _ in rows] == list(range(1, len(rows) + 1))
        keys = [key for _, _, key in rows]
        assert len(keys) == len(set(keys))
        stored = {message: int(seq) for seq, message, _ in rows}
        acknowledged = [stored.get(message["id"]) for message in sender.acknowledged]
        assert None not in acknowledged, "an acknowledged message is gone"
        assert acknowledged == sorted(acknowledged)
        assert set(keys) - {message["client_message_id"] for message in sender.acknowledged} <= sender.unknown
        await reader.caught_up(int(cluster.psql(f"select last_event_seq from parley.conversation where id = '{conversation}'")))
        assert reader.violations == []
        new = [event["message"]["id"] for event in reader.events if "message" in event]
        assert new == [message for _, message, _ in rows]
    assert sum(len(sender.acknowledged) for sender in senders) > 100


async def under_load(
    cluster: Cluster, workers: list[Worker], fault, times: int, chance: random.Random, connections: int = 1
) -> None:
    """The first of the workers is there at first; every reader is to have had so many connections at the end."""
    worker = workers[0]
    cluster.psql("update parley.tier_limit set amount = null where period_seconds is not null")
    senders, readers = [], []
    for n in range(PAIRS):
        one, two = cluster.account(f"sender {n}"), cluster.account(f"reader {n}")
        conversation = worker.rpc("start_conversation", worker.token(one), participant_ids=[two])["id"]
        # Half of them begin with another worker, and sender and reader with different ones.
        turns = [workers[n % len(workers) :] + workers[: n % len(workers)] for n in (n, n // 2)]
        readers.append(ResumingReader(turns[0], conversation, worker.token(two), "1.0.0" if n % 2 else "2.0.0"))
        senders.append(RetryingSender(turns[1], conversation, worker.token(one), f"sender {n}", chance))
    try:
        for _ in range(times):
            await asyncio.sleep(1 + chance.random())
            await fault()
        await asyncio.sleep(1)
        for sender in senders:
            await sender.stop()
        await check(cluster, senders, readers)
        assert min(reader.connections for reader in readers) >= connections
    finally:
        for reader in readers:
            await reader.stop()


def chance() -> random.Random:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)


@pytest.mark.asyncio
async def test_kill_9_of_the_worker():
    with Cluster() as cluster, Worker(cluster, "--log-level", "warning") as worker:

        async def fault() -> None:
            await in_thread(worker.kill9)
            await in_thread(worker.start)

        await under_load(cluster, [worker], fault, 4, chance())


@pytest.mark.asyncio
async def test_kill_9_of_postgres():
    with Cluster() as cluster, Worker(cluster, "--log-level", "error") as worker:

        async def fault() -> None:
            await in_thread(cluster.command, "kill9")
            await in_thread(cluster.command, "restart")
            await in_thread(worker.wait_ready)

        await under_load(cluster, [worker], fault, 4, chance())


@pytest.mark.asyncio
async def test_a_clean_restart_of_postgres():
    with Cluster() as cluster, Worker(cluster, "--log-level", "error") as worker:

        async def fault() -> None:
            await in_thread(cluster.command, "restart")
            await in_thread(worker.wait_ready)

        await under_load(cluster, [worker], fault, 2, chance())


@pytest.mark.asyncio
async def test_postgres_answers_late():
    """Every backend stopped for three seconds: nothing is lost, the sockets stay."""
    with Cluster() as cluster, Worker(cluster, "--log-level", "error") as worker:

        async def fault() -> None:
            postmaster = int(open(f"{cluster.data}/postmaster.pid").readline())
            children = open(f"/proc/{postmaster}/task/{postmaster}/children").read().split()
            for process in children:
                os.kill(int(process), signal.SIGSTOP)
            await asyncio.sleep(3)
            for process in children:
                try:
                    os.kill(int(process), signal.SIGCONT)
                except ProcessLookupError:
                    pass

        await under_load(cluster, [worker], fault, 1, chance())


@pytest.mark.asyncio
async def test_two_workers_take_turns_to_die():
    """Everybody goes on with the other worker, which reads the log by itself."""
    with Cluster() as cluster, Worker(cluster, "--log-level", "warning") as one, Worker(cluster, "--log-level", "warning") as two:
        two.secret = one.secret
        two.stop()
        two.start()
        turn = [one, two]

        async def fault() -> None:
            await in_thread(turn[0].kill9)
            await in_thread(turn[0].start)
            turn.reverse()

        await under_load(cluster, turn[:], fault, 4, chance(), connections=3)


@pytest.mark.asyncio
async def test_sigterm_drains_with_a_code_that_brings_clients_back():
    with Cluster() as cluster, Worker(cluster, "--log-level", "warning") as worker:
        user = cluster.account("Alice")
        sockets = []
        for _ in range(20):
            socket = await Socket.open(worker)
            await socket.join(f"user:{user}", worker.token(user))
            sockets.append(socket)
        began = time.monotonic()
        code = await in_thread(worker.stop)
        assert code == 0
        assert time.monotonic() - began < 30
        assert [await socket.closed for socket in sockets] == [1012] * 20
        await in_thread(worker.start)
        again = await Socket.open(worker)
        await again.join(f"user:{user}", worker.token(user))
        await again.close()


@contextlib.asynccontextmanager
async def held(cluster: Cluster, conversation: str):
    """A conversation whose row another transaction holds until the block is left."""
    host = await asyncpg.connect(cluster.superuser_url)
    try:
        async with host.transaction():
            await host.execute("select from parley.conversation where id = $1 for update", conversation)
            yield
    finally:
        await host.close()


@pytest.mark.asyncio
async def test_sigterm_answers_the_calls_it_has_taken():
    """One that waits for a lock and one behind it: both are answered, then the socket closes. No more are taken."""
    flags = ["--lock-timeout", "60s", "--statement-timeout", "60s", "--drain-seconds", "50", "--log-level", "warning"]
    with Cluster() as cluster, Worker(cluster, *flags) as worker:
        alice, bob = cluster.account("Alice"), cluster.account("Bob")
        conversation = worker.rpc("start_conversation", worker.token(alice), participant_ids=[bob])["id"]
        waiting, silent, idle = [await Socket.open(worker) for _ in range(3)]
        for socket in (waiting, idle):
            await socket.join(f"conversation:{conversation}", worker.token(alice))
        # Nobody asks what becomes of this one's messages; they count all the same.
        await silent.join(f"conversation:{conversation}", worker.token(bob), broadcast={"ack": False})
        async with held(cluster, conversation):
            sends = [asyncio.create_task(waiting.send_message(conversation, text)) for text in ("first", "second")]
            unasked = {"type": "broadcast", "event": "message:send", "payload": {"content": "unasked"}}
            await silent.send(f"realtime:conversation:{conversation}", "broadcast", unasked)
            for socket in (waiting, silent):
                await socket.heartbeat()
            stopping = asyncio.create_task(in_thread(worker.stop))
            assert await asyncio.wait_for(asyncio.shield(idle.closed), 10) == 1012
            await asyncio.sleep(0.5)
            assert not any(future.done() for future in (waiting.closed, silent.closed, *sends))
            with pytest.raises(Refused) as refused:
                await waiting.send_message(conversation, "too late")
            assert refused.value.response["code"] == "PT503" and refused.value.response["retriable"] is True
        answers = await asyncio.wait_for(asyncio.gather(*sends), 10)
        assert [message["content"] for message in answers] == ["first", "second"]
        for socket in (waiting, silent):
            assert await asyncio.wait_for(asyncio.shield(socket.closed), 10) == 1012
        assert await stopping == 0
        stored = cluster.psql(
            f"select content from parley.message where conversation_id = '{conversation}' order by seq"
        )
        assert sorted(stored.split("\n")) == ["first", "second", "unasked"]
        assert stored.index("first") < stored.index("second")


@pytest.mark.asyncio
async def test_sigterm_does_not_wait_for_ever():
    flags = ["--drain-seconds", "2", "--lock-timeout", "60s", "--statement-timeout", "60s", "--log-level", "error"]
    with Cluster() as cluster, Worker(cluster, *flags) as worker:
        alice, bob = cluster.account("Alice"), cluster.account("Bob")
        conversation = worker.rpc("start_conversation", worker.token(alice), participant_ids=[bob])["id"]
        socket = await Socket.open(worker)
        await socket.join(f"conversation:{conversation}", worker.token(alice))
        async with held(cluster, conversation):
            send = asyncio.create_task(socket.send_message(conversation, "never answered"))
            await socket.heartbeat()
            began = time.monotonic()
            stopping = asyncio.create_task(in_thread(worker.stop))
            assert await asyncio.wait_for(asyncio.shield(socket.closed), 10) == 1012
            assert 1.5 < time.monotonic() - began < 15
            with pytest.raises(ConnectionError):
                await send
            assert await stopping == 0
            assert time.monotonic() - began < 30


@pytest.mark.asyncio
async def test_a_pooler_without_listen():
    """Poll-only: no LISTEN, no advisory lock held, messages arrive all the same."""
    with Cluster() as cluster, Worker(cluster, "--poll-only", "--log-level", "warning") as worker:
        one, two = cluster.account("Alice"), cluster.account("Bob")
        conversation = worker.rpc("start_conversation", worker.token(one), participant_ids=[two])["id"]
        async with await Socket.open(worker) as socket:
            await socket.join(f"user:{two}", worker.token(two))
            for n in range(20):
                worker.rpc("send_message", worker.token(one), conversation_id=conversation, content=f"message {n}")
                await asyncio.sleep(0.05)
            await socket.wait(lambda: len(socket.events("message:new")) == 20)
        # A transaction that is just running has some, a session none: so there are moments without any.
        for _ in range(50):
            if cluster.psql("select count(*) from pg_locks where locktype = 'advisory'", cluster.superuser_url) == "0":
                return
            await asyncio.sleep(0.02)
        raise AssertionError("an advisory lock is held for long")
