"""A client that reads too slowly for what the log says: it is closed, comes back, and has missed nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from conftest import People
from parley import Worker
from sockets import Socket


def unsent(server_port: int, client_port: int) -> int | None:
    """Bytes that the kernel holds for a connection to 127.0.0.1, as its server's side. None: the server has ended it."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].split(":")[1], 16) == server_port and int(fields[2].split(":")[1], 16) == client_port:
            return int(fields[4].split(":")[0], 16)
    return None


@pytest.mark.asyncio
async def test_a_slow_consumer_is_closed_and_catches_up(cluster, worker):
    """The worker with the short queue closes it with 1013, or cuts it if that is not read in time (1006): after either
    stock clients connect again. Of what it was sent it has read all in order, and the replay of another worker, as behind
    a balancer, begins just there."""
    narrow = Worker(cluster, "--max-queue-bytes", "256KiB", "--log-level", "warning")
    narrow.secret = worker.secret
    with narrow:
        people = People(cluster, narrow)
        conversation = people.conversation("Alice", "Bob")
        topic = f"conversation:{conversation}"
        slow, quick, alice = await Socket.open(narrow), await Socket.open(narrow), await Socket.open(worker)
        await slow.join(topic, people.token("Bob"))
        await quick.join(topic, people.token("Bob"))
        await alice.join(topic, people.token("Alice"))

        # Nobody reads from now on: first the kernel's buffers fill, then the worker's queue, with 100 KB each time.
        # Another client of that worker is not disturbed.
        slow.reader.cancel()
        port = slow.connection.local_address[1]
        sent, before, full = [], 0, 0
        while full < 4 and before is not None:
            for _ in range(5):
                sent.append((await alice.send_message(conversation, "\U0001f40c" * 5000))["seq"])
            await quick.wait(lambda: len(quick.events("message:new")) == len(sent))
            now = unsent(narrow.port, port)
            full = full + 1 if now == before and now else 0
            before = now
            assert len(sent) < 1000, "the connection takes everything"

        slow.reader = asyncio.create_task(slow._read())
        assert await asyncio.wait_for(asyncio.shield(slow.closed), 15) in (1013, 1006)
        got = slow.events("message:new")
        assert 0 < len(got) < len(sent)
        async with await Socket.open(worker) as back:
            await back.join(topic, people.token("Bob"), replay={"after": got[-1]["event_seq"], "limit": 1000})
            sent.append((await alice.send_message(conversation, "live"))["seq"])
            await back.wait(lambda: any(e["message"]["content"] == "live" for e in back.events("message:new")))
            await back.heartbeat()
            assert back.events("replay:gap") == []
            got += back.events("message:new")
        assert [event["message"]["seq"] for event in got] == sent
        first = got[0]["event_seq"]
        assert [event["event_seq"] for event in got] == list(range(first, first + len(sent)))
        for socket in (quick, alice):
            await socket.close()
