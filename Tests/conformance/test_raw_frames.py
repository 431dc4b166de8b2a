"""The envelope: handshake, heartbeats, refs, joins and what is no message (cases 1 to 9 and 39).

The numbers are those of the case list of the protocol's fact sheet. Parley's topics are all private and known by their
form, so where a case speaks of `room:1`, a conversation takes its place.
"""

from __future__ import annotations

import json
import time

import jwt
import pytest
import websockets
from frames import VERSIONS, FrameSocket
from sockets import Refused
from websockets.asyncio.client import connect

pytestmark = pytest.mark.asyncio


def address(worker, query: str) -> str:
    return f"ws://127.0.0.1:{worker.port}/realtime/v1/websocket{query}"


async def refusal(worker, query: str, **headers: str) -> tuple[int, object]:
    with pytest.raises(websockets.InvalidStatus) as refused:
        await connect(address(worker, query), additional_headers=headers)
    response = refused.value.response
    return response.status_code, json.loads(response.body) if response.body else None


async def speaks(worker, query: str, version: str, **headers: str) -> None:
    """The socket opens and answers in this version."""
    connection = await connect(address(worker, query), additional_headers=headers)
    async with FrameSocket(connection, version) as socket:
        assert "Sec-WebSocket-Protocol" not in connection.response.headers
        await socket.heartbeat()


async def test_case_01_the_handshake_negotiates_no_subprotocol(worker):
    await speaks(worker, f"?apikey={worker.anon_key}&vsn=2.0.0", "2.0.0")
    # Query parameters of clients' own (a log level, and what the user adds) are no obstacle.
    await speaks(worker, f"?log_level=info&apikey={worker.anon_key}&vsn=2.0.0&device=phone%201", "2.0.0")


async def test_case_02_versions(worker):
    key = worker.anon_key
    await speaks(worker, f"?apikey={key}", "1.0.0")
    await speaks(worker, f"?apikey={key}&vsn=1.0.0", "1.0.0")
    for version in ("3.0.0", "2", "2.1.0", "2.0", "1", "x", ""):
        assert await refusal(worker, f"?apikey={key}&vsn={version}") == (403, None), version


async def test_case_03_keys_that_are_refused(worker):
    now = int(time.time())
    cases = [
        ("", "API key is missing"),
        ("?apikey=", "API key is missing"),
        ("?apikey=%20", "API key is missing"),
        ("?apikey=not-a-jwt", "The token provided is not a valid JWT"),
        ("?apikey=" + worker.token(role="anon", ttl=-1), "Token has expired"),
        ("?apikey=" + worker.token(role=None), "Fields `role` and `exp` are required in JWT"),
        ("?apikey=" + worker.token(role="anon", exp=None), "Fields `role` and `exp` are required in JWT"),
        ("?apikey=" + jwt.encode({"role": "anon", "exp": now + 60}, "w" * 64), "Failed to validate JWT signature"),
    ]
    for query, text in cases:
        assert await refusal(worker, query) == (401, {"error": text}), query


async def test_case_04_the_header_wins_over_the_query(worker):
    good, bad = worker.anon_key, "not-a-jwt"
    await speaks(worker, f"?apikey={bad}&vsn=2.0.0", "2.0.0", **{"x-api-key": good})
    await speaks(worker, "?vsn=2.0.0", "2.0.0", **{"X-API-Key": good})
    status, _ = await refusal(worker, f"?apikey={good}&vsn=2.0.0", **{"x-api-key": bad})
    assert status == 401
    # White space that crept into a key, or was encoded on the way, is no part of it.
    await speaks(worker, f"?apikey=%20{good}%0A&vsn=2.0.0", "2.0.0")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("ref", ["9", None])
async def test_case_05_heartbeats_echo_their_ref(worker, version, ref):
    async with await FrameSocket.open(worker, version=version) as socket:
        await socket.send("phoenix", "heartbeat", {}, ref)
        await socket.wait(lambda: socket.messages)
        shown = json.dumps(ref)
        expected = {
            "1.0.0": '{"topic":"phoenix","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":%s}' % shown,
            "2.0.0": '[null,%s,"phoenix","phx_reply",{"status":"ok","response":{}}]' % shown,
        }
        assert json.loads(socket.messages[0]["raw"]) == json.loads(expected[version])


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_06_the_join_reply_has_the_key_that_clients_wait_for(room, version):
    """Upstream's case is a public join; that one is refused here (case 17), so a private one is answered."""
    socket = await room.socket(version)
    assert await socket.join(room.topic, room.people.token("Alice"), broadcast={}) == {"postgres_changes": []}


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_07_ref_and_join_ref_differ(room, version):
    socket = await room.socket(version)
    payload = {"config": {"private": True}, "access_token": room.people.token("Alice")}
    await socket.send(f"realtime:{room.topic}", "phx_join", payload, ref="12", join_ref="11")
    reply = await socket.one("phx_reply")
    assert (reply["join_ref"], reply["ref"]) == ("11" if version == "2.0.0" else None, "12")
    assert reply["payload"] == {"status": "ok", "response": {"postgres_changes": []}}
    # What names no join, or a join of before, is heard all the same; only the join that is meant can be left by name.
    for join_ref in ("11", None, "3"):
        await socket.send(f"realtime:{room.topic}", "presence", {"event": "untrack"}, "20", join_ref)
        await socket.wait(lambda: socket.seen("phx_reply")[1:])
        answer = socket.messages.pop()
        assert (answer["ref"], answer["payload"]["status"]) == ("20", "ok")
        assert answer["join_ref"] == (join_ref if version == "2.0.0" else None)


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_08_topics_that_are_none_or_not_joined(room, version):
    socket = await room.socket(version)
    for topic, event, reason in [
        ("realtime:", "phx_join", "TopicNameRequired: You must provide a topic name"),
        (f"realtime:{room.topic}", "broadcast", "unmatched topic"),
        (f"realtime:{room.topic}", "presence", "unmatched topic"),
        (f"realtime:{room.topic}", "whatever", "unmatched topic"),
        (room.topic, "phx_join", "unmatched topic"),
        (room.topic, "phx_leave", "unmatched topic"),
        ("", "phx_join", "unmatched topic"),
    ]:
        await socket.send(topic, event, {"config": {"private": True}}, "4", "4")
        await socket.wait(lambda: socket.messages)
        reply = socket.messages.pop()
        assert (reply["topic"], reply["event"], reply["ref"]) == (topic, "phx_reply", "4")
        assert reply["payload"]["status"] == "error" and reply["payload"]["response"]["reason"] == reason, (topic, event)
        assert reason != "unmatched topic" or reply["payload"]["response"]["code"] == "PT404"
    assert await socket.leave(room.topic) == {}


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_09_opaque_keys_mean_the_key_of_the_socket(room, version):
    people = room.people
    own = await room.socket(version, apikey=people.token("Alice"))
    for token in ("sb_publishable_x", "sb_secret_y", None):
        await own.join(room.topic, token)
        await own.leave(room.topic)
    anonymous = await room.socket(version)
    with pytest.raises(Refused) as refused:
        await anonymous.join(room.topic, "sb_publishable_x")
    assert refused.value.reason.startswith("Unauthorized: ")
    with pytest.raises(Refused) as refused:
        await own.join(room.topic, people.token("Alice", ttl=-7))
    assert refused.value.reason in {f"InvalidJWTToken: Token has expired {n} seconds ago" for n in range(7, 20)}
    # The older name of the member, and an empty token, which is not the same as none.
    payload = {"config": {"private": True}, "user_token": people.token("Alice")}
    assert await anonymous.push(room.topic, "phx_join", payload) == {"postgres_changes": []}
    with pytest.raises(Refused) as refused:
        await anonymous.join(room.topic, "")
    assert refused.value.reason == "MalformedJWT: The token provided is not a valid JWT"


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_39_what_is_no_message_is_dropped(room, version):
    member = await room.member(version=version)
    topic = f"realtime:{room.topic}"
    name = topic.encode()
    for frame in (
        "", "{", "[]", '{"a":1}', "null", '"x"', "[1,2,3,4,5]", '["1",null,"t"]', '{"topic":1}',
        # nobody waits for an answer
        json.dumps([1, None, topic, "phx_leave"]), json.dumps({"topic": topic, "event": "phx_leave", "payload": {}}),
        b"", b"\x09", b"\x03", b"\x03\xff", b"\x03\xff\xff\xff\xff\xff\xff", b"\x04\0\0\0\0",
        # kinds of upstream's own that stock clients do not send; an encoding that is none; a body that is no JSON
        b"\x00\x01\x01" + bytes([len(name), 9]) + b"11" + name + b"phx_leave{}",
        bytes([3, 0, 0, len(name), 2, 0, 7]) + name + b"hi{}",
        bytes([3, 0, 0, len(name), 2, 0, 1]) + name + b"hi{",
        bytes([3, 0, 0, len(name), 2, 1, 1]) + name + b"hi{{}",
        bytes([3, 0, 0, len(name), 2, 0, 1]) + name + b"\xff\xfe{}",
    ):
        await member.connection.send(frame)
    await member.heartbeat()
    assert member.messages == []
    # Still joined: nothing of it was taken for a leave.
    await member.broadcast(room.topic, "hi", {})


@pytest.mark.parametrize("version", VERSIONS)
async def test_frames_that_cannot_be_read_are_answered_where_they_name_a_ref(room, version):
    """Upstream drops them; a client that cut a text within an emoji would wait for ten seconds, and never know why."""
    member = await room.member(version=version)
    topic = f"realtime:{room.topic}"
    deep = "[" * 70 + "]" * 70
    cases = [
        ('"7"', '{"event":"message:send","payload":{"content":"Preview \\ud83d"}}', "lone surrogate"),
        ('"7"', deep, "nested too deep"), ('"7"', '{"a":[1e131071]}', "too large an exponent"),
        ('"7"', '{"a":%s}' % ("9" * 101), "too many digits"), ("7", "{}", "wrong type"), ('"7"', "", "unexpected byte"),
        ('"%s"' % ("7" * 255), "{", "unexpected"),
    ]
    for ref, payload, why in cases:
        if version == "2.0.0":
            await member.connection.send(f'["1",{ref},"{topic}","broadcast",{payload}]')
        else:
            await member.connection.send(f'{{"topic":"{topic}","ref":{ref},"event":"broadcast","payload":{payload}}}')
        await member.wait(lambda: member.messages)
        reply = json.loads(member.messages.pop()["raw"])
        got = reply["ref"] if version == "1.0.0" else reply[1]
        answer = reply["payload"] if version == "1.0.0" else reply[4]
        assert got == json.loads(ref) and answer["status"] == "error", payload
        assert why in answer["response"]["reason"] and answer["response"]["message"] and answer["response"]["code"] == "PT400"
    # A heartbeat without a payload.
    await member.connection.send('[null,"8","phoenix","heartbeat"]' if version == "2.0.0" else '{"topic":"phoenix","event":"heartbeat","ref":"8"}')
    await member.wait(lambda: member.messages)
    assert member.messages.pop()["ref"] == "8"
    await member.broadcast(room.topic, "hi", {})


async def test_case_39_binary_frames_are_not_for_version_1(room):
    old, new = await room.member(version="1.0.0"), await room.member("Bob")
    await old.push_frame(room.topic, "hi", b"{}")
    await room.settled()
    assert new.messages == []
    (reply,) = old.messages
    assert (reply["ref"], reply["payload"]["status"]) == ("77", "error")


async def test_further_elements_of_a_frame_are_ignored(room):
    """Clients may append to the array of 2.0.0 and the object of 1.0.0."""
    new, old = await room.member(), await room.member("Bob", "1.0.0")
    await new.connection.send(json.dumps([None, "5", "phoenix", "heartbeat", {}, "more", {"and": "more"}]))
    message = {"topic": "phoenix", "event": "heartbeat", "payload": {}, "ref": "5", "join_ref": None, "extra": [1]}
    await old.connection.send(json.dumps(message))
    for socket in (new, old):
        assert (await socket.one("phx_reply"))["ref"] == "5"
