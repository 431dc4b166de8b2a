"""What users write must not get into a log because it was written in the wrong place."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from parley import RpcError
from sockets import Refused, Socket

CANARY = "canary-in-a-coal-mine"


def refused(people, function: str, **arguments: object) -> tuple[int, str, dict]:
    with pytest.raises(RpcError) as error:
        people.rpc("Alice", function, **arguments)
    return error.value.status, error.value.body["code"], error.value.body


@pytest.mark.asyncio
async def test_refused_arguments_are_in_no_log(people):
    conversation = people.conversation("Alice", "Bob")
    here = {"conversation_id": conversation}
    log = Path(people.cluster.environment["PARLEY_TEST_CLUSTER"]) / "log"
    long = CANARY + " " + "x" * 200
    for code, function, arguments in [
        ("22P05", "send_message", {**here, "content": f"{CANARY} \u0000"}),
        ("22P05", "send_message", {**here, "content": "x", "metadata": {f"{CANARY}\u0000": 1}}),
        ("22P02", "send_message", {**here, "content": "x", "client_message_id": CANARY}),
        ("22P02", "send_message", {"conversation_id": long, "content": "x"}),
        ("22P02", "send_message", {**here, "content": "x", "mentions": [CANARY]}),
        ("22P02", "send_message", {**here, "content": "x", "mentions": CANARY}),
        ("22007", "send_message", {**here, "content": "x", "expires_in": CANARY}),
        ("22P02", "mark_as_read", {**here, "seq": CANARY}),
        ("22P02", "mark_as_read", {**here, "seq": {CANARY: 1}}),
        ("22003", "mark_as_read", {**here, "seq": "99999999999999999999"}),
        ("22P02", "delete_message", {"message_id": str(uuid.uuid4()), "for_everyone": CANARY}),
    ]:
        status, got, body = refused(people, function, **arguments)
        assert (status, got) == (400, code), (function, arguments, body)
        assert set(body) == {"code", "message", "details", "hint"} and "x" * 64 not in body["message"]
        if code != "22P05":
            assert f"argument {list(arguments)[-1] if function != 'send_message' or len(arguments) > 2 else 'conversation_id'}" in body["message"]
    async with await Socket.open(people.worker) as socket:
        topic = f"conversation:{conversation}"
        await socket.join(topic, people.token("Alice"))
        for code, payload in [
            ("22P05", {"content": f"{CANARY}\u0000"}),
            ("22P02", {"content": "x", "client_message_id": CANARY}),
            ("22P02", {"content": "x", "mentions": [CANARY]}),
            ("22007", {"content": "x", "expires_in": CANARY}),
        ]:
            with pytest.raises(Refused) as error:
                await socket.broadcast(topic, "message:send", payload)
            assert (error.value.response["code"], error.value.response["retriable"]) == (code, False)
    with pytest.raises(RpcError):
        people.worker.rpc("get_unread_counts", people.token("Alice", note=f"{CANARY}\u0000"))
    assert CANARY not in log.read_text(errors="replace")
    assert CANARY not in people.worker.output()


def test_a_token_with_a_zero_character_is_refused_as_a_token(people):
    with pytest.raises(RpcError) as error:
        people.worker.rpc("get_unread_counts", people.token("Alice", note="zero\u0000"))
    assert (error.value.status, error.value.body["code"]) == (401, "PGRST301")


def test_events_after_the_last_number(people):
    conversation = people.conversation("Alice", "Bob")
    assert refused(people, "get_events", conversation_id=conversation, after_seq=2**63 - 1)[:2] == (400, "PT400")
    page = people.rpc("Alice", "get_events", conversation_id=conversation, after_seq=2**63 - 2)
    assert page["events"] == []


def test_what_postgres_accepts_is_accepted(people):
    conversation = people.conversation("Alice", "Bob")
    bob = people.id("Bob")
    for spelling in [conversation.upper(), "{" + conversation + "}", conversation.replace("-", "")]:
        message = people.rpc("Alice", "send_message", conversation_id=spelling, content="x", mentions=[bob])
        assert (message["conversation_id"], message["mentions"]) == (conversation, [bob])
        read = people.rpc("Bob", "mark_as_read", conversation_id=spelling, seq=str(message["seq"]))
        assert read["last_read_seq"] == message["seq"]
    text = r"\u0000 is \\u0000"
    message = people.rpc("Alice", "send_message", conversation_id=conversation, content=text, expires_in="1 hour 5 mins")
    assert message["content"] == text
    lives = datetime.fromisoformat(message["expires_at"]) - datetime.fromisoformat(message["created_at"])
    assert abs(lives - timedelta(hours=1, minutes=5)) < timedelta(minutes=1)
