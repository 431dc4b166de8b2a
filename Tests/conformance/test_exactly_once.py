"""The same message sent again, however often and however many at once, is one message."""

from __future__ import annotations

import asyncio
import concurrent.futures
import uuid

import pytest
from parley import RpcError
from sockets import Refused, Socket


def test_a_hundred_retries_by_twenty_connections(people):
    conversation = people.conversation("Alice", "Bob")
    key, token = str(uuid.uuid4()), people.token("Alice")
    arguments = {"conversation_id": conversation, "content": "once", "client_message_id": key}
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: people.worker.rpc("send_message", token, **arguments), range(100)))
    assert all(answer == answers[0] for answer in answers)
    count = f"from parley.%s where conversation_id = '{conversation}'"
    assert people.cluster.psql(f"select count(*) {count % 'message'} and client_message_id = '{key}'") == "1"
    assert people.cluster.psql(f"select count(*) {count % 'event'} and kind = 'message:new'") == "1"


def test_the_same_id_with_other_content_is_a_conflict(people):
    conversation = people.conversation("Alice", "Bob")
    key = str(uuid.uuid4())
    first = people.rpc("Alice", "send_message", conversation_id=conversation, content="one", client_message_id=key)
    with pytest.raises(RpcError) as refused:
        people.rpc("Alice", "send_message", conversation_id=conversation, content="two", client_message_id=key)
    assert refused.value.status == 409 and refused.value.body["code"] == "PT409"
    again = people.rpc("Alice", "send_message", conversation_id=conversation, content="one", client_message_id=key)
    assert again == first
    # Another sender's id is another message.
    other = people.rpc("Bob", "send_message", conversation_id=conversation, content="two", client_message_id=key)
    assert other["id"] != first["id"]


def test_a_retry_after_an_edit_returns_the_message_as_it_is_now(people):
    conversation = people.conversation("Alice", "Bob")
    key = str(uuid.uuid4())
    first = people.rpc("Alice", "send_message", conversation_id=conversation, content="one", client_message_id=key)
    people.rpc("Alice", "edit_message", message_id=first["id"], content="uno")
    again = people.rpc("Alice", "send_message", conversation_id=conversation, content="one", client_message_id=key)
    assert (again["id"], again["seq"], again["content"]) == (first["id"], first["seq"], "uno")


@pytest.mark.asyncio
async def test_retries_over_sockets_and_rpc_race(people):
    conversation = people.conversation("Alice", "Bob")
    key = str(uuid.uuid4())
    sockets = [await Socket.open(people.worker) for _ in range(5)]
    for socket in sockets:
        await socket.join(f"conversation:{conversation}", people.token("Alice"))
    loop = asyncio.get_running_loop()
    arguments = {"conversation_id": conversation, "content": "race", "client_message_id": key}
    answers = await asyncio.gather(
        *[socket.send_message(conversation, "race", key) for socket in sockets for _ in range(4)],
        *[loop.run_in_executor(None, lambda: people.rpc("Alice", "send_message", **arguments)) for _ in range(10)],
    )
    assert {answer["id"] for answer in answers} == {answers[0]["id"]}
    await sockets[0].event("message:new")
    await sockets[0].heartbeat()
    assert len(sockets[0].events("message:new")) == 1
    with pytest.raises(Refused) as refused:
        await sockets[0].send_message(conversation, "other content", key)
    assert refused.value.response["code"] == "PT409"
    for socket in sockets:
        await socket.close()


@pytest.mark.asyncio
async def test_a_hundred_messages_sent_rapidly_arrive_in_order(people):
    conversation = people.conversation("Alice", "Bob")
    async with await Socket.open(people.worker) as alice, await Socket.open(people.worker, version="1.0.0") as bob:
        await alice.join(f"conversation:{conversation}", people.token("Alice"))
        await bob.join(f"user:{people.id('Bob')}", people.token("Bob"))
        # All hundred are on their way before the first is answered.
        answers = await asyncio.gather(*[alice.send_message(conversation, f"message {n}") for n in range(100)])
        assert [answer["content"] for answer in answers] == [f"message {n}" for n in range(100)]
        assert [answer["seq"] for answer in answers] == list(range(1, 101))
        await bob.wait(lambda: len(bob.events("message:new")) == 100)
        assert [event["message"]["content"] for event in bob.events("message:new")] == [f"message {n}" for n in range(100)]
        sequence = [event["event_seq"] for event in bob.events("message:new")]
        assert sequence == sorted(set(sequence))
