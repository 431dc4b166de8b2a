"""`rpc:<function>` as a broadcast: any function of the API over a socket."""

from __future__ import annotations

import uuid

import pytest

from parley import RpcError
from sockets import Refused

pytestmark = pytest.mark.asyncio


async def test_the_channels_conversation_is_filled_in(room):
    member = await room.member()
    sent = await member.broadcast(room.topic, "rpc:send_message", {"content": "by name"})
    assert sent["content"] == "by name" and f"conversation:{sent['conversation_id']}" == room.topic
    page = await member.broadcast(room.topic, "rpc:get_conversation_messages", {"page_size": 1})
    assert [one["id"] for one in page["messages"]] == [sent["id"]]


async def test_in_the_inbox_it_is_named(room):
    people = room.people
    socket, inbox = await room.socket(), f"user:{people.id('Alice')}"
    await socket.join(inbox, people.token("Alice"))
    assert "total" in str(await socket.broadcast(inbox, "rpc:get_unread_counts", {}))
    with pytest.raises(Refused) as refused:
        await socket.broadcast(inbox, "rpc:send_message", {"content": "where?"})
    assert refused.value.response["code"] == "PGRST202"


@pytest.mark.parametrize(
    ("function", "arguments", "code"),
    [
        ("sned_message", {}, "PGRST202"),
        ("send_message", {"content": "x", "nope": 1}, "PGRST202"),
        ("send_message", {"content": "x", "client_message_id": "nope"}, "22P02"),
        ("get_conversation_messages", {"conversation_id": str(uuid.uuid4())}, None),
    ],
)
async def test_refused_as_over_http(room, function, arguments, code):
    member, people = await room.member(), room.people
    with pytest.raises(Refused) as refused:
        await member.broadcast(room.topic, f"rpc:{function}", arguments)
    body = dict({"conversation_id": room.topic.removeprefix("conversation:")}, **arguments)
    if function == "sned_message":
        body = arguments
    with pytest.raises(RpcError) as over_http:
        people.worker.rpc(function, people.token("Alice"), **body)
    assert refused.value.response["code"] == over_http.value.body["code"] and refused.value.reason == over_http.value.body["message"]
    assert code in (None, over_http.value.body["code"])
