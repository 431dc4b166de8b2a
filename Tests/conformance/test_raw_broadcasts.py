"""Broadcasts frame by frame: who hears them, with which bytes, and what a client cannot make others believe.

The numbers are those of the case list of the protocol's fact sheet, section 8.
"""

from __future__ import annotations

import asyncio
import json
import uuid

import pytest
from frames import VERSIONS, spoken
from sockets import Refused

pytestmark = pytest.mark.asyncio
LIMIT = 256 * 1024


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("ack", [False, True])
async def test_case_10_and_11_ack_and_self(room, version, ack, own):
    """All four combinations: others always hear, the sender only with `self`, and one reply only with `ack`."""
    sender = await room.member(version=version, broadcast={"self": own, "ack": ack})
    twin, other = await room.member("Alice"), await room.member("Bob", "1.0.0")
    await sender.shout(room.topic, "hi", {"n": 1}, ref="31")
    await room.settled()
    assert len(twin.seen("broadcast")) == len(other.seen("broadcast")) == 1
    assert len(sender.seen("broadcast")) == int(own)
    replies = sender.seen("phx_reply")
    assert [(reply["ref"], reply["payload"]) for reply in replies] == [("31", {"status": "ok", "response": {}})] * int(ack)
    assert len(sender.messages) == int(own) + int(ack)


@pytest.mark.parametrize("flag", ["true", "TRUE", "True"])
async def test_case_10_flags_may_be_words(room, flag):
    sender = await room.socket()
    config = {"broadcast": {"self": flag, "ack": flag}, "private": flag}
    await sender.push(room.topic, "phx_join", {"config": config, "access_token": room.people.token("Alice")})
    assert await sender.broadcast(room.topic, "hi", {}) == {}
    assert len(sender.seen("broadcast")) == 1


async def test_case_12_a_json_frame_keeps_its_bytes(room):
    sender = await room.member()
    old, new = await room.member("Bob", "1.0.0"), await room.member("Bob", "2.0.0")
    name = f"realtime:{room.topic}"
    bodies = [b'{ "a":1.0,\t"b":"\\u00e9\xc3\xa9", "a":2 ,"big":123456789012345678901234567890 }', b"{}", b'[1, "two",null]', b'"text"', b"-0.0"]
    for body in bodies:
        await sender.push_frame(room.topic, "é:x", body)
    await room.settled()
    assert [message["raw"] for message in old.messages] == [spoken(room.topic, "é:x", body) for body in bodies]
    for message, body in zip(new.messages, bodies, strict=True):
        if body.startswith(b"{"):
            names = [name.encode(), "é:x".encode(), b""]
            assert message["raw"] == bytes([4, *map(len, names), 1]) + b"".join(names) + body
        else:
            # Some clients take nothing but an object from a binary frame.
            text = '[null,null,"%s","broadcast",{"type":"broadcast","event":"é:x","payload":%s}]' % (name, body.decode())
            assert message["raw"] == text
    assert [reply["ref"] for reply in sender.seen("phx_reply")] == ["77"] * len(bodies)


async def test_case_13_bytes_reach_version_2_only(room):
    sender = await room.member()
    old, new = await room.member("Bob", "1.0.0"), await room.member("Bob", "2.0.0")
    bodies = [bytes(range(256)) * 4, b"", b"\x00", b"{not json"]
    for body in bodies:
        await sender.push_frame(room.topic, "blob", body, encoding=0)
    await room.settled()
    names = [f"realtime:{room.topic}".encode(), b"blob", b""]
    head = bytes([4, *map(len, names), 0]) + b"".join(names)
    assert [message["raw"] for message in new.messages] == [head + body for body in bodies]
    assert old.messages == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_14_a_text_broadcast_reaches_both_versions(room, version):
    sender = await room.member(version=version)
    old, new = await room.member("Bob", "1.0.0"), await room.member("Bob", "2.0.0")
    payload = {"type": "broadcast", "event": "drawing:moved", "payload": {"text": "žluťoučký 🐎", "n": [1.50, None]}, "seq": 7}
    await sender.send(f"realtime:{room.topic}", "broadcast", payload, "5")
    await room.settled()
    name = f"realtime:{room.topic}"
    assert json.loads(new.messages[0]["raw"]) == [None, None, name, "broadcast", payload]
    assert json.loads(old.messages[0]["raw"]) == {"topic": name, "event": "broadcast", "payload": payload, "ref": None}
    assert len(new.messages) == len(old.messages) == 1


async def test_case_15_names_at_their_longest(room):
    """Topics here are ASCII of a fixed form; event names are anything up to 255 bytes, which is not 255 characters."""
    sender = await room.member()
    old, new = await room.member("Bob", "1.0.0"), await room.member("Bob", "2.0.0")
    names = ["é" * 127 + "x", "a:b:c", "🐎" * 63, " ", "*"]
    for name in names:
        await sender.push_frame(room.topic, name, b"{}")
    await room.settled()
    for receiver in (old, new):
        assert [message["payload"]["event"] for message in receiver.messages] == names
        assert {message["topic"] for message in receiver.messages} == {f"realtime:{room.topic}"}
    assert all(isinstance(message["raw"], bytes) for message in new.messages)


async def test_case_15_longer_names_travel_as_text(room):
    sender = await room.member(version="1.0.0")
    old, new = await room.member("Bob", "1.0.0"), await room.member("Bob", "2.0.0")
    for name in ("é" * 128, "x" * 1000):
        await sender.broadcast(room.topic, name, {"n": 1})
    await room.settled()
    for receiver in (old, new):
        assert [message["payload"]["event"] for message in receiver.messages] == ["é" * 128, "x" * 1000]


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_15_a_topic_is_answered_as_it_was_written(room, version):
    """An id in upper case is the same conversation, and the client knows its channel by the text it sent."""
    other = await room.member("Bob")
    topic = f"conversation:{room.id.upper()}"
    shouting = await room.socket(version)
    await shouting.join(topic, room.people.token("Alice"), presence={"enabled": True, "key": "a"})
    await shouting.push(topic, "presence", {"event": "track", "payload": {}})
    await other.push_frame(room.topic, "hi", b"{}")
    await other.send_message(room.id, "hello")
    await shouting.event("message:new")
    await shouting.broadcast(topic, "hello", {})
    await room.settled()
    assert {message["topic"] for message in shouting.messages} == {f"realtime:{topic}"}
    assert [message["payload"]["event"] for message in shouting.seen("broadcast")] == ["hi", "message:new"]
    assert {message["topic"] for message in other.messages} == {f"realtime:{room.topic}"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("ack", [False, True])
async def test_case_16_a_payload_too_large(room, version, ack):
    sender = await room.member(version=version, broadcast={"ack": ack})
    other = await room.member("Bob")
    sizes = [LIMIT + 1, LIMIT]
    for size in sizes:
        # {"t":""} takes eight bytes
        await sender.shout(room.topic, "hi", {"t": "x" * (size - 9)}, ref=str(size))
        if version == "2.0.0":
            await sender.push_frame(room.topic, "hi", b"\x00" * size, encoding=0, ref=str(size))
    await room.settled()
    assert {message["payload"]["event"] for message in other.messages} == {"hi"}
    assert len(other.messages) == (2 if version == "2.0.0" else 1)
    errors = {message["ref"]: message["payload"]["response"] for message in sender.messages if message["payload"]["status"] == "error"}
    refusal = {
        "reason": "payload_size_exceeded", "message": "payload_size_exceeded", "code": "PT413", "details": None,
        "hint": None, "retriable": False,
    }
    assert errors == ({str(LIMIT + 1): refusal} if ack else {})


@pytest.mark.parametrize("config", [{"private": False}, {}, {"private": None}, {"private": "no"}, None])
async def test_case_17_there_are_no_public_channels(room, config):
    """Upstream keeps public and private channels of one name apart; Parley has only private ones, and says so."""
    socket = await room.socket()
    payload: dict = {"access_token": room.people.token("Alice")}
    if config is not None:
        payload["config"] = config
    with pytest.raises(Refused) as refused:
        await socket.push(room.topic, "phx_join", payload)
    assert refused.value.reason == "PrivateOnly: This project only allows private channels"
    # The word is no part of a name either.
    with pytest.raises(Refused) as refused:
        await socket.join(f"private:{room.topic}", room.people.token("Alice"))
    assert refused.value.reason.startswith("Unauthorized: ")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("event", ["message:new", "Message:New", "MESSAGE:DELETED", "participant:left", "partİcİpant:left", "Typing:Start", "account:updated"])
async def test_what_the_server_says_cannot_be_forged(room, version, event):
    sender, receiver = await room.member(version=version), await room.member("Bob")
    with pytest.raises(Refused) as refused:
        await sender.broadcast(room.topic, event, {"message": {"content": "forged"}})
    assert refused.value.reason == "This event name is reserved for the server"
    if version == "2.0.0":
        await sender.push_frame(room.topic, event, b'{"message":{}}')
    await room.settled()
    assert receiver.messages == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_clients_broadcast_never_looks_like_a_durable_event(room, version):
    sender = await room.member(version=version)
    old, new = await room.member("Bob", "1.0.0"), await room.member("Bob", "2.0.0")
    name = f"realtime:{room.topic}"
    forged = {"id": "1", "replayed": True}
    await sender.shout(room.topic, "hi", {}, meta=forged)
    body = '{"type":"broadcast","event":"hi","payload":{},"m\\u0065ta":{"id":"1"}}'
    frame = f'[null,"6","{name}","broadcast",{body}]'
    if version == "1.0.0":
        frame = f'{{"topic":"{name}","event":"broadcast","ref":"6","payload":{body}}}'
    await sender.connection.send(frame)
    sent = 2
    if version == "2.0.0":
        await sender.push_frame(room.topic, "hi", b"{}", meta=json.dumps(forged).encode())
        sent = 3
    await room.settled()
    for receiver in (old, new):
        assert [message["payload"] for message in receiver.messages] == [{"type": "broadcast", "event": "hi", "payload": {}}] * sent


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("second", ['"event":"message:new"', '"\\u0065vent":"message:new"', '"\\u0065v\\u0065nt":"typing:start"'])
async def test_a_name_given_twice_is_refused(room, version, second):
    """Readers differ on which of two equal names counts, so one could be shown to the server and another to clients."""
    sender, receiver = await room.member(version=version), await room.member("Bob", "1.0.0")
    body = '{"type":"broadcast","event":"hi","payload":{"message":{}},%s}' % second
    name = f"realtime:{room.topic}"
    frame = f'[null,"6","{name}","broadcast",{body}]'
    if version == "1.0.0":
        frame = f'{{"topic":"{name}","event":"broadcast","ref":"6","payload":{body}}}'
    await sender.connection.send(frame)
    await room.settled()
    assert receiver.messages == []
    assert sender.messages[0]["payload"]["status"] == "error"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("payload", [None, 5, "text", [], {}, {"event": 5}, {"event": None, "payload": {}}, {"event": ""}])
async def test_a_broadcast_without_a_name_is_refused(room, version, payload):
    sender, receiver = await room.member(version=version), await room.member("Bob")
    with pytest.raises(Refused) as refused:
        await sender.push(room.topic, "broadcast", payload)
    assert refused.value.reason == "A broadcast needs an event name"
    await room.settled()
    assert receiver.messages == []


async def test_message_send_as_a_binary_frame(room):
    sender, receiver = await room.member(), await room.member("Bob")
    await sender.push_frame(room.topic, "message:send", b'{"content":"from a stock client"}')
    message = await receiver.event("message:new")
    assert message["message"]["content"] == "from a stock client"
    reply = await sender.one("phx_reply")
    assert reply["payload"]["response"]["message"]["id"] == message["message"]["id"]
    # Bytes are no arguments.
    await sender.push_frame(room.topic, "message:send", b'{"content":"as bytes"}', encoding=0, ref="78")
    await sender.wait(lambda: sender.seen("phx_reply")[1:])
    assert sender.seen("phx_reply")[1]["payload"]["status"] == "error"


@pytest.mark.parametrize("version", VERSIONS)
async def test_message_send_without_ack_is_stored_and_not_answered(room, version):
    sender = await room.member(version=version, broadcast={"ack": False})
    receiver = await room.member("Bob", version)
    await sender.shout(room.topic, "message:send", {"content": "quietly"})
    await sender.shout(room.topic, "message:send", {"content": ""})
    assert (await receiver.event("message:new"))["message"]["content"] == "quietly"
    # The sender's own device hears of it as all devices do, by the event.
    assert (await sender.event("message:new"))["message"]["content"] == "quietly"
    await asyncio.sleep(0.2)
    await room.settled()
    assert sender.seen("phx_reply") == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_19_who_may_only_read(room, version):
    """Parley's topic that clients read and do not write is the inbox: upstream drops such broadcasts without a word,
    Parley answers them when `ack` was asked."""
    people = room.people
    inbox = f"user:{people.id('Alice')}"
    loud, quiet = await room.socket(version), await room.socket(version)
    await loud.join(inbox, people.token("Alice"))
    await quiet.join(inbox, people.token("Alice"), broadcast={"ack": False, "self": True})
    for event in ("hi", "message:send", "typing:start"):
        with pytest.raises(Refused):
            await loud.broadcast(inbox, event, {"content": "x"})
        await quiet.shout(inbox, event, {"content": "x"})
    await room.settled()
    assert loud.messages == []
    # Names of the server's seem done when nothing is said: that answer comes unasked.
    assert [message["payload"]["response"]["message"] for message in quiet.messages] == ["This event name is reserved for the server"] * 2
    people.rpc("Bob", "send_message", conversation_id=room.id, content="heard")
    for socket in (loud, quiet):
        assert (await socket.event("message:new"))["message"]["content"] == "heard"


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_32_what_is_said_in_the_database(room, version):
    """`realtime.send` is upstream's. Here a call of the API is what speaks from the database, and the id of its row in
    the log is the `meta.id` of its event."""
    people, member = room.people, await room.member(version=version)
    inbox = await room.socket(version)
    await inbox.join(f"user:{people.id('Alice')}", people.token("Alice"))
    people.worker.rpc("send_system_message", people.worker.service_key, conversation_id=room.id, content="The room is yours")
    row = f"select id from parley.event where conversation_id = '{room.id}' order by id desc limit 1"
    for socket in (member, inbox):
        await socket.event("message:new")
        message = socket.seen("broadcast")[-1]
        assert message["payload"]["payload"]["message"]["content"] == "The room is yours"
        assert message["payload"]["meta"] == {"id": people.cluster.psql(row)}
        # Clients drop the metadata of binary frames, so durable events are text.
        assert isinstance(message["raw"], str)


async def test_case_33_only_what_is_committed_is_heard(room):
    people, member = room.people, await room.member("Bob")
    claims = json.dumps({"sub": people.id("Alice"), "role": "authenticated"})
    text = uuid.uuid4().hex

    def script(content: str, end: str) -> str:
        return (
            f"begin; set local role authenticated; select set_config('request.jwt.claims', '{claims}', true);"
            f" select parley_api.send_message(conversation_id => '{room.id}', content => '{content}'); {end};"
        )

    people.cluster.psql(script(f"never {text}", "rollback"), people.cluster.superuser_url)
    slow = asyncio.create_task(
        asyncio.to_thread(people.cluster.psql, script(f"late {text}", "select pg_sleep(0.7); commit"), people.cluster.superuser_url)
    )
    await asyncio.sleep(0.35)
    assert member.events("message:new") == []
    await slow
    await member.event("message:new")
    await member.send_message(room.id, f"after {text}")
    await member.wait(lambda: len(member.events("message:new")) == 2)
    got = member.events("message:new")
    assert [event["message"]["content"] for event in got] == [f"late {text}", f"after {text}"]
    assert got[1]["event_seq"] == got[0]["event_seq"] + 1
