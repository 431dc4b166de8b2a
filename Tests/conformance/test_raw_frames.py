"""The protocol frame by frame, by the cases of its fact sheet, with a client that shows what the stock ones hide."""

from __future__ import annotations

import asyncio
import json

import pytest
import pytest_asyncio
import websockets
from sockets import Refused, Socket

pytestmark = pytest.mark.asyncio
VERSIONS = ("1.0.0", "2.0.0")
QUIET = 0.3  # seconds in which a frame that must not come would have come


def push_frame(topic: str, event: str, body: bytes, encoding: int, ref: str = "77", meta: bytes = b"") -> bytes:
    """A client's binary broadcast (kind 3)."""
    names = [b"1", ref.encode(), f"realtime:{topic}".encode(), event.encode(), meta]
    return bytes([3, *map(len, names), encoding]) + b"".join(names) + body


class Room:
    """A conversation with Alice and Bob, and sockets in it."""

    def __init__(self, people):
        self.people = people
        self.id = people.conversation("Alice", "Bob")
        self.topic = f"conversation:{self.id}"
        self.sockets: list[Socket] = []

    async def member(self, name: str = "Alice", version: str = "2.0.0", **config: object) -> Socket:
        socket = await Socket.open(self.people.worker, version=version)
        self.sockets.append(socket)
        await socket.join(self.topic, self.people.token(name), **config)
        return socket

    async def __aenter__(self) -> Room:
        return self

    async def __aexit__(self, *_: object) -> None:
        for socket in self.sockets:
            await socket.close()


@pytest_asyncio.fixture
async def room(people):
    async with Room(people) as room:
        yield room


def broadcasts(socket: Socket) -> list[dict]:
    return [message for message in socket.messages if message["event"] == "broadcast"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("ref", ["9", None])
async def test_heartbeats_echo_their_ref(people, version, ref):
    async with await Socket.open(people.worker, version=version) as socket:
        await socket.send("phoenix", "heartbeat", {}, ref)
        await socket.wait(lambda: socket.messages)
        assert socket.messages[0] == {
            "join_ref": None, "ref": ref, "topic": "phoenix", "event": "phx_reply",
            "payload": {"status": "ok", "response": {}}, "at": socket.messages[0]["at"],
        }


@pytest.mark.parametrize(
    ("query", "status", "body"),
    [
        ("", 401, {"error": "API key is missing"}),
        ("?apikey=nonsense", 401, {"error": "The token provided is not a valid JWT"}),
        ("?apikey=%KEY&vsn=3.0.0", 403, None),
        ("?apikey=%KEY&vsn=2", 403, None),
    ],
)
async def test_handshakes_that_are_refused(people, query, status, body):
    url = f"ws://127.0.0.1:{people.worker.port}/realtime/v1/websocket" + query.replace("%KEY", people.worker.anon_key)
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(url)
    response = refused.value.response
    assert response.status_code == status
    assert (json.loads(response.body) if response.body else None) == body


async def test_ref_and_join_ref_are_echoed_apart(room):
    socket = await Socket.open(room.people.worker)
    room.sockets.append(socket)
    payload = {"config": {"private": True}, "access_token": room.people.token("Alice")}
    await socket.send(f"realtime:{room.topic}", "phx_join", payload, ref="12", join_ref="11")
    await socket.wait(lambda: socket.messages)
    reply = socket.messages[0]
    assert (reply["join_ref"], reply["ref"], reply["event"]) == ("11", "12", "phx_reply")
    assert reply["payload"] == {"status": "ok", "response": {"postgres_changes": []}}


async def test_pushes_to_topics_that_are_not_joined(room):
    async with await Socket.open(room.people.worker) as socket:
        with pytest.raises(Refused) as refused:
            await socket.broadcast(room.topic, "hi", {})
        assert refused.value.reason == "unmatched topic"
        assert await socket.leave(room.topic) == {}


@pytest.mark.parametrize("sender_version", VERSIONS)
async def test_a_text_broadcast_reaches_both_versions(room, sender_version):
    sender = await room.member(version=sender_version)
    old, new = await room.member("Bob", "1.0.0"), await room.member("Bob", "2.0.0")
    payload = {"text": "žluťoučký 🐎", "n": 1.50, "deep": [{"a": None}]}
    assert await sender.broadcast(room.topic, "drawing:moved", payload) == {}
    for receiver in (old, new):
        await receiver.wait(lambda receiver=receiver: broadcasts(receiver))
        message = broadcasts(receiver)[0]
        assert message["payload"] == {"type": "broadcast", "event": "drawing:moved", "payload": payload}
        assert (message["ref"], message["join_ref"]) == (None, None)
    await asyncio.sleep(QUIET)
    assert not broadcasts(sender)


async def test_self_and_ack(room):
    hears = await room.member(broadcast={"self": True, "ack": False})
    await hears.send(f"realtime:{room.topic}", "broadcast", {"type": "broadcast", "event": "hi", "payload": {}}, "5", None)
    await hears.wait(lambda: broadcasts(hears))
    await hears.heartbeat()
    await asyncio.sleep(QUIET)
    assert [message["event"] for message in hears.messages] == ["broadcast"]


async def test_binary_json_keeps_its_bytes(room):
    sender = await room.member()
    old, new = await room.member("Bob", "1.0.0"), await room.member("Bob", "2.0.0")
    body = b'{ "a":1.0,\t"b":"\\u00e9"}'
    await sender.connection.send(push_frame(room.topic, "é:x", body, 1))
    await old.wait(lambda: broadcasts(old))
    await new.wait(lambda: broadcasts(new))
    expected = {"type": "broadcast", "event": "é:x", "payload": json.loads(body)}
    assert broadcasts(old)[0]["payload"] == broadcasts(new)[0]["payload"] == expected
    await sender.wait(lambda: sender.messages)
    assert (sender.messages[0]["ref"], sender.messages[0]["payload"]["status"]) == ("77", "ok")


async def test_binary_bytes_reach_version_2_only(room):
    sender = await room.member()
    old, new = await room.member("Bob", "1.0.0"), await room.member("Bob", "2.0.0")
    body = bytes(range(256)) * 4
    await sender.connection.send(push_frame(room.topic, "blob", body, 0))
    await new.wait(lambda: broadcasts(new))
    assert broadcasts(new)[0]["payload"] == {"type": "broadcast", "event": "blob", "payload": body}
    await asyncio.sleep(QUIET)
    assert not broadcasts(old)


async def test_message_send_as_a_binary_frame(room):
    sender, receiver = await room.member(), await room.member("Bob")
    await sender.connection.send(push_frame(room.topic, "message:send", b'{"content":"from a stock client"}', 1))
    message = await receiver.event("message:new")
    assert message["message"]["content"] == "from a stock client"
    await sender.wait(lambda: [m for m in sender.messages if m["ref"] == "77"])
    reply = next(m for m in sender.messages if m["ref"] == "77")
    assert reply["payload"]["response"]["message"]["id"] == message["message"]["id"]


@pytest.mark.parametrize("event", ["message:new", "Message:New", "participant:left", "typing:paused", "user:online"])
async def test_what_the_server_says_cannot_be_forged(room, event):
    sender, receiver = await room.member(), await room.member("Bob")
    with pytest.raises(Refused) as refused:
        await sender.broadcast(room.topic, event, {"message": {"content": "forged"}})
    assert refused.value.reason == "This event name is reserved for the server"
    # A `meta` of the client's own, which would make it look durable, does not travel.
    await sender.send(
        f"realtime:{room.topic}", "broadcast",
        {"type": "broadcast", "event": "hi", "payload": {}, "meta": {"id": "1", "replayed": True}}, "5",
    )
    await receiver.wait(lambda: broadcasts(receiver))
    assert broadcasts(receiver)[0]["payload"] == {"type": "broadcast", "event": "hi", "payload": {}}


async def test_a_payload_too_large_is_an_error_object(room):
    sender = await room.member()
    with pytest.raises(Refused) as refused:
        await sender.broadcast(room.topic, "hi", {"text": "x" * 300_000})
    assert refused.value.response == {"reason": "payload_size_exceeded"}
    await sender.heartbeat()


@pytest.mark.parametrize("version", VERSIONS)
async def test_leave_is_answered_then_closed(room, version):
    socket, other = await room.member(version=version), await room.member("Bob")
    await socket.leave(room.topic)
    await socket.wait(lambda: socket.messages)
    close = socket.messages[0]
    assert (close["event"], close["ref"], close["payload"]) == ("phx_close", socket.join_refs[room.topic], {})
    await other.broadcast(room.topic, "hi", {})
    await asyncio.sleep(QUIET)
    assert not broadcasts(socket)


@pytest.mark.parametrize("version", VERSIONS)
async def test_joining_again_leaves_one_membership(room, version):
    socket, other = await room.member(version=version), await room.member("Bob")
    await socket.join(room.topic, room.people.token("Alice"))
    await other.broadcast(room.topic, "hi", {})
    await socket.wait(lambda: broadcasts(socket))
    await asyncio.sleep(QUIET)
    assert [message["event"] for message in socket.messages] == ["broadcast"]


async def test_presence(room):
    presence = {"presence": {"key": "a", "enabled": True}}
    alice = await room.member(**presence)
    bob = await room.member("Bob", "1.0.0")
    await alice.wait(lambda: alice.messages)
    assert (alice.messages[0]["event"], alice.messages[0]["payload"]) == ("presence_state", {})
    assert alice.messages[0]["join_ref"] == alice.join_refs[room.topic]

    def diffs(socket: Socket) -> list[dict]:
        return [m["payload"] for m in socket.messages if m["event"] == "presence_diff"]

    for count, payload in enumerate(({"at": 1}, {"at": 1}, {"at": 2}), 1):
        assert await alice.push(room.topic, "presence", {"type": "presence", "event": "TRACK", "payload": payload}) == {}
    await bob.wait(lambda: len(diffs(bob)) == 2)
    await alice.wait(lambda: len(diffs(alice)) == 2)
    first, second = diffs(bob)
    meta = first["joins"]["a"]["metas"][0]
    assert meta["at"] == 1 and isinstance(meta["phx_ref"], str) and first["leaves"] == {}
    assert second["joins"]["a"]["metas"][0]["phx_ref_prev"] == meta["phx_ref"]
    assert second["leaves"]["a"]["metas"] == [meta]

    with pytest.raises(Refused) as refused:
        await alice.push(room.topic, "presence", {"event": "track", "payload": [1]})
    assert refused.value.reason == "Presence track payload must be a map"
    twin = await room.member(**presence)
    await twin.wait(lambda: twin.messages)
    assert twin.messages[0]["payload"]["a"]["metas"][0]["at"] == 2
    await twin.push(room.topic, "presence", {"event": "track", "payload": {"at": 3}})
    await alice.close()
    await bob.wait(lambda: len(diffs(bob)) == 4)
    assert diffs(bob)[3]["leaves"]["a"]["metas"][0]["at"] == 2


async def test_the_sixth_presence_call_closes_the_channel(room):
    socket = await room.member()
    for _ in range(5):
        await socket.push(room.topic, "presence", {"type": "presence", "event": "untrack"})
    await socket.send(f"realtime:{room.topic}", "presence", {"event": "untrack"}, "6")
    await socket.wait(lambda: len(socket.messages) == 2)
    system, close = socket.messages
    assert system["payload"] == {
        "channel": room.topic, "extension": "system", "message": "Client presence rate limit exceeded", "status": "error",
    }
    assert close["event"] == "phx_close"
    await socket.join(room.topic, room.people.token("Alice"))


@pytest.mark.parametrize("version", VERSIONS)
async def test_malformed_frames_keep_the_connection(people, version):
    async with await Socket.open(people.worker, version=version) as socket:
        for frame in ("", "{", "[]", '{"a":1}', "null", "[1,2,3,4,5]", '["1","1","t"]', b"", b"\x09", b"\x03\xff", b"\x04\0\0\0\0"):
            await socket.connection.send(frame)
        await socket.heartbeat()
        assert not socket.messages


async def test_the_101st_channel(people):
    async with await Socket.open(people.worker) as socket:
        token = people.token("Alice")
        conversations = [people.conversation("Alice", f"Friend {n}") for n in range(101)]
        for conversation in conversations[:100]:
            await socket.join(f"conversation:{conversation}", token)
        with pytest.raises(Refused) as refused:
            await socket.join(f"conversation:{conversations[100]}", token)
        assert refused.value.reason == "ChannelRateLimitReached: Too many channels"


async def test_a_token_may_expire_and_be_renewed(room):
    people = room.people
    socket = await Socket.open(people.worker)
    room.sockets.append(socket)
    await socket.join(room.topic, people.token("Alice", ttl=2))
    await socket.send(f"realtime:{room.topic}", "access_token", {"access_token": people.token("Alice", ttl=600)})
    await asyncio.sleep(3.5)
    assert not socket.messages

    await socket.join(room.topic, people.token("Alice", ttl=2))
    await socket.wait(lambda: len(socket.messages) == 2)
    system, close = socket.messages
    assert system["payload"]["message"].startswith("Token has expired ") and close["event"] == "phx_close"
    await socket.join(room.topic, people.token("Alice"))

    await socket.send(f"realtime:{room.topic}", "access_token", {"access_token": people.token("Bob")})
    await socket.wait(lambda: len(socket.messages) == 4)
    assert socket.messages[2]["payload"]["message"].startswith("You do not have permissions to read")
    assert socket.messages[3]["event"] == "phx_close"
