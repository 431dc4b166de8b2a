"""Broadcasts over HTTP (cases 35 and 36 of the protocol's fact sheet, section 8)."""

from __future__ import annotations

import asyncio
import http.client
import json
from urllib.parse import quote

import pytest
from frames import VERSIONS, spoken

pytestmark = pytest.mark.asyncio
BATCH = "/realtime/v1/api/broadcast"
UNAUTHORIZED = {"code": "PT403", "message": "Unauthorized", "details": None, "hint": None}


async def request(worker, method: str, path: str, body: object = None, **headers: str | None):
    """Status, lower-case headers and body; a dict as body is sent as JSON with its content type."""
    sent = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
        sent.setdefault("content-type", "application/json")

    def ask():
        connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=15)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    return await asyncio.to_thread(ask)


def bearer(token: str) -> str:
    return f"Bearer {token}"


def single(topic: str, event: str, query: str = "?private=true") -> str:
    return f"{BATCH}/{quote(topic, safe='')}/events/{quote(event, safe='')}{query}"


async def test_case_35_a_batch(room):
    people = room.people
    old, new = await room.member("Bob", "1.0.0"), await room.member("Bob", "2.0.0")
    elsewhere = people.conversation("Carol", "Dave")
    messages = [
        {"topic": room.topic, "event": "first", "payload": {"n": 1.50}, "private": True},
        # In a batch, what is not allowed is left out without a word, as upstream does.
        {"topic": f"conversation:{elsewhere}", "event": "second", "payload": {}, "private": True},
        {"topic": f"user:{people.id('Bob')}", "event": "third", "payload": {}, "private": True},
        {"topic": "room:1", "event": "fourth", "payload": {}, "private": False},
        {"topic": room.topic, "event": "fifth", "payload": {"text": "é"}, "private": True},
    ]
    path = f"{BATCH}?apikey={people.worker.anon_key}&vsn=2.0.0"
    status, headers, body = await request(people.worker, "POST", path, {"messages": messages}, authorization=bearer(people.token("Alice")))
    assert (status, body) == (202, b"") and headers["access-control-allow-origin"] == "*"
    await room.settled()
    for socket in (old, new):
        assert [(message["payload"]["event"], message["payload"]["payload"]) for message in socket.messages] == [
            ("first", {"n": 1.5}), ("fifth", {"text": "é"}),
        ]
        assert all("meta" not in message["payload"] for message in socket.messages)


@pytest.mark.parametrize(
    ("messages", "errors"),
    [
        ([{"topic": "TOPIC", "payload": {}}], [{"event": ["can't be blank"]}]),
        ([{"topic": "TOPIC", "event": ""}, {"topic": "TOPIC", "event": "hi", "payload": {}}],
         [{"event": ["can't be blank"], "payload": ["can't be blank"]}, {}]),
        ([{"topic": "TOPIC", "event": "hi", "payload": {}}, {"event": "hi", "payload": [1]}],
         [{}, {"topic": ["can't be blank"], "payload": ["can't be blank"]}]),
    ],
)
async def test_case_35_one_bad_message_refuses_the_batch(room, messages, errors):
    people, member = room.people, await room.member("Bob")
    messages = [{**message, **({"topic": room.topic} if "topic" in message else {})} for message in messages]
    status, _, body = await request(people.worker, "POST", BATCH, {"messages": messages}, authorization=bearer(people.token("Alice")))
    assert (status, json.loads(body)) == (422, {
        "code": "PT422", "message": "Each message needs a topic, an event and an object as payload", "details": None,
        "hint": None, "errors": {"messages": errors},
    })
    await room.settled()
    assert member.messages == []


async def test_case_35_batches_that_are_none(room):
    worker, authorization = room.people.worker, bearer(room.people.token("Alice"))
    for body in (b"", b"{", b"[]", b"{}", b'{"messages":{}}', b'{"messages":[1]}', b"\xff"):
        status, _, answer = await request(worker, "POST", BATCH, body, authorization=authorization, content_type="application/json")
        assert status == 422 and "errors" in json.loads(answer), body
    message = {"topic": room.topic, "event": "hi", "payload": {}}
    status, _, answer = await request(worker, "POST", BATCH, {"messages": [message] * 101}, authorization=authorization)
    assert status == 429 and json.loads(answer)["message"].startswith("Too many messages to broadcast")
    status, _, _ = await request(worker, "GET", BATCH, authorization=authorization)
    assert status == 405


async def test_case_35_tokens(room):
    people, member = room.people, await room.member("Bob")
    worker, good = people.worker, people.token("Alice")
    body = {"messages": [{"topic": room.topic, "event": "hi", "payload": {}, "private": True}]}
    cases = [
        ({"authorization": bearer(good)}, "", 202),
        ({"apikey": good}, "", 202),
        # Older clients send the header empty.
        ({"apikey": good, "authorization": ""}, "", 202),
        ({"authorization": f"bearer {good}"}, "", 202),
        ({}, f"?apikey={good}", 202),
        ({}, "", 401),
        ({"apikey": "not-a-jwt"}, "", 401),
        ({"authorization": bearer(good[:-2])}, "", 401),
        ({"authorization": bearer(people.token("Alice", ttl=-1))}, "", 401),
        # The session's token counts, not the key beside it.
        ({"authorization": bearer("x"), "apikey": good}, "", 401),
    ]
    for headers, query, expected in cases:
        status, _, answer = await request(worker, "POST", BATCH + query, body, **headers)
        assert status == expected, headers
        assert answer == b"" if expected == 202 else json.loads(answer) == UNAUTHORIZED | {"code": "PT401"}
    await room.settled()
    assert len(member.messages) == 5


@pytest.mark.parametrize("path", [BATCH, BATCH + "/room%3A1/events/hi?private=true"])
async def test_case_35_a_browser_may_ask_first(worker, path):
    status, headers, _ = await request(
        worker, "OPTIONS", path, origin="https://app.example", access_control_request_method="POST",
        access_control_request_headers="authorization, apikey, content-type, x-client-info",
    )
    assert status in (200, 204) and headers["access-control-allow-origin"] == "*"
    assert "POST" in headers["access-control-allow-methods"]
    allowed = {name.strip().lower() for name in headers["access-control-allow-headers"].split(",")}
    assert allowed >= {"authorization", "apikey", "content-type", "x-client-info"}


@pytest.mark.parametrize("query", ["?private=true", "", "?apikey=sb_x&vsn=2.0.0&private=true&more=1"])
async def test_case_36_one_message_by_its_address(room, query):
    people = room.people
    old, new = await room.member("Bob", "1.0.0"), await room.member("Bob", "2.0.0")
    authorization = bearer(people.token("Alice"))
    bodies = [(b'{"a": 1.0}', "application/json"), (b"[1,2]", "application/json; charset=utf-8"), (b'"x"', None), (b"\x00\xff", "application/octet-stream")]
    for body, kind in bodies:
        status, headers, answer = await request(
            people.worker, "POST", single(room.topic, "my event/é", query), body, authorization=authorization, content_type=kind
        )
        assert (status, answer, headers["access-control-allow-origin"]) == (202, b"", "*"), kind
    await room.settled()
    assert [message["raw"] for message in old.messages] == [spoken(room.topic, "my event/é", body) for body, _ in bodies[:3]]
    assert [message["payload"]["payload"] for message in new.messages] == [{"a": 1.0}, [1, 2], "x", b"\x00\xff"]


async def test_case_36_refusals(room):
    people, member = room.people, await room.member("Bob")
    worker = people.worker
    alice, stranger = bearer(people.token("Alice")), bearer(people.token("Stranger"))
    cases = [
        (room.topic, "hi", stranger, b"{}", "application/json", 403, UNAUTHORIZED),
        ("room:1", "hi", alice, b"{}", "application/json", 403, UNAUTHORIZED),
        (f"user:{people.id('Alice')}", "hi", alice, b"{}", "application/json", 403, UNAUTHORIZED),
        (room.topic, "hi", bearer(worker.anon_key), b"{}", "application/json", 403, UNAUTHORIZED),
        (room.topic, "hi", None, b"{}", "application/json", 401, UNAUTHORIZED | {"code": "PT401"}),
        (room.topic, "hi", alice, b"{}", "text/plain", 415, None),
        (room.topic, "hi", alice, b"{", "application/json", 400, None),
        (room.topic, "message:new", alice, b"{}", "application/json", 422, None),
        (room.topic, "hi", alice, b'"' + b"x" * 300_000 + b'"', "application/json", 422, UNAUTHORIZED | {"code": "PT413", "message": "payload_size_exceeded"}),
    ]
    for topic, event, authorization, body, kind, expected, answer in cases:
        status, _, got = await request(worker, "POST", single(topic, event), body, authorization=authorization, content_type=kind)
        assert status == expected, (topic, event, kind)
        # PostgREST's members, of which stock clients show the message.
        shown = json.loads(got)
        assert list(shown) == ["code", "message", "details", "hint"] and shown["message"]
        assert answer is None or shown == answer
    for path in (BATCH + "/x/events", BATCH + "/x/y/z", BATCH + "//events/hi", BATCH + "/x/events/"):
        status, _, _ = await request(worker, "POST", path, b"{}", authorization=alice)
        assert status == 404, path
    await room.settled()
    assert member.messages == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_commands_over_http_do_what_they_do_over_the_socket(room, version):
    """`message:send` is stored when the answer is there, `typing:start` names who the token says, whatever the payload does."""
    people, member = room.people, await room.member("Bob", version)
    authorization = bearer(people.token("Alice"))
    status, _, _ = await request(people.worker, "POST", single(room.topic, "message:send"), {"content": "by post"}, authorization=authorization)
    assert status == 202
    assert (await member.event("message:new"))["message"]["sender_id"] == people.id("Alice")
    forged = {"user_id": people.id("Bob")}
    status, _, _ = await request(people.worker, "POST", single(room.topic, "typing:start"), forged, authorization=authorization)
    assert status == 202
    assert (await member.event("typing:start"))["user_id"] == people.id("Alice")
    status, _, answer = await request(people.worker, "POST", single(room.topic, "message:send"), {"content": ""}, authorization=authorization)
    assert status == 400 and json.loads(answer)["code"] == "PT400"
