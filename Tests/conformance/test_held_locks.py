"""A transaction of somebody else that holds a conversation's lock: its senders are told to try again, all others go on."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import time
import urllib.error
import urllib.request
import uuid

import asyncpg
import pytest
from conftest import People
from parley import Worker
from sockets import Refused, Socket

LOCK_TIMEOUT = 2.0


def send(people, name: str, conversation: str, content: str, client_message_id: str) -> tuple[int, dict, dict]:
    """Status, headers and body of one send."""
    token = people.token(name)
    body = {"conversation_id": conversation, "content": content, "client_message_id": client_message_id}
    request = urllib.request.Request(
        f"{people.worker.url}/rest/v1/rpc/send_message", json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "apikey": token, "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, dict(answer.headers), json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), json.loads(error.read())


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [8, 1])
async def test_a_held_conversation_stops_only_its_senders(cluster, size):
    with Worker(cluster, "--log-level", "error", "--db-pool-size", str(size), "--lock-timeout", "2s") as worker:
        people = People(cluster, worker)
        asyncio.get_running_loop().set_default_executor(concurrent.futures.ThreadPoolExecutor(32))
        conversation = people.conversation("Alice", "Bob")
        people.rpc("Carol", "get_unread_counts")
        ids = [str(uuid.uuid4()) for _ in range(20 if size > 1 else 1)]
        host = await asyncpg.connect(cluster.superuser_url)
        try:
            transaction = host.transaction()
            await transaction.start()
            await host.execute("select from parley.conversation where id = $1 for update", uuid.UUID(conversation))
            sends = [asyncio.create_task(asyncio.to_thread(send, people, "Alice", conversation, "hello", one)) for one in ids]
            await asyncio.sleep(0.5)
            began = time.monotonic()
            await asyncio.to_thread(people.rpc, "Carol", "get_unread_counts")
            took = time.monotonic() - began
            # With connections of its own for everybody else it does not wait at all.
            assert took < (LOCK_TIMEOUT if size > 1 else LOCK_TIMEOUT + 1)
            first = await asyncio.wait_for(asyncio.shield(sends[0]), 30)
            status, headers, body = first
            assert (status, headers.get("Retry-After"), body["code"]) == (503, "1", "55P03")
            # Of two who wait for one row Postgres tells only the first what he waits for.
            assert body["message"] in (
                "The conversation is being changed by another transaction that takes long; try again.",
                "Another transaction that takes long holds a lock that is needed; try again.",
            )
            # All of them learn it in about the time that one waits.
            answers = [answer[0] for answer in await asyncio.gather(*sends)]
            assert answers == [503] * len(ids) and time.monotonic() - began < 3 * LOCK_TIMEOUT
            await transaction.rollback()
        finally:
            await host.close()
        for one in ids:
            again = await asyncio.to_thread(send, people, "Alice", conversation, "hello", one)
            assert again[0] == 200, again
        stored = cluster.psql(
            f"select count(*), count(distinct client_message_id) from parley.message where conversation_id = '{conversation}'"
            " and client_message_id is not null"
        )
        assert stored == f"{len(ids)}|{len(ids)}"


@pytest.mark.asyncio
async def test_a_held_conversation_over_a_socket(people):
    conversation = people.conversation("Alice", "Bob")
    host = await asyncpg.connect(people.cluster.superuser_url)
    try:
        async with await Socket.open(people.worker) as socket:
            await socket.join(f"conversation:{conversation}", people.token("Alice"))
            mark = str(uuid.uuid4())
            async with host.transaction():
                await host.execute("select from parley.conversation where id = $1 for update", uuid.UUID(conversation))
                with pytest.raises(Refused) as refused:
                    await socket.send_message(conversation, "hello", mark)
            assert refused.value.response["code"] == "55P03"
            assert refused.value.response["retriable"] is True
            assert (await socket.send_message(conversation, "hello", mark))["content"] == "hello"
    finally:
        await host.close()
