"""Presence frame by frame (cases 28 to 31 of the protocol's fact sheet, section 8)."""

from __future__ import annotations

import pytest
from frames import VERSIONS, FrameSocket
from sockets import Refused

pytestmark = pytest.mark.asyncio
AS_A = {"presence": {"key": "a", "enabled": True}}
AS_B = {"presence": {"key": "b", "enabled": True}}


def diffs(socket: FrameSocket) -> list[dict]:
    return [message["payload"] for message in socket.seen("presence_diff")]


async def track(socket: FrameSocket, topic: str, fields: object, event: str = "track") -> dict:
    return await socket.push(topic, "presence", {"type": "presence", "event": event, "payload": fields})


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_28_the_state_comes_after_every_join(room, version):
    """Clients hold diffs back until the state of the current join is there, so it comes even when it is empty."""
    other = await room.member("Bob", presence={"key": "b", "enabled": True})
    socket = await room.socket(version)
    states = []
    for tracked in (False, True, True):
        if tracked and not states[1:]:
            await track(other, room.topic, {"status": "é"})
        await socket.join(room.topic, room.people.token("Alice"), **AS_A)
        state = await socket.one("presence_state")
        assert state["ref"] is None
        assert state["join_ref"] == (socket.join_refs[room.topic] if version == "2.0.0" else None)
        states.append(state["payload"])
        socket.messages.clear()
    assert states[0] == {}
    ref = diffs(other)[0]["joins"]["b"]["metas"][0]["phx_ref"]
    assert states[1] == states[2] == {
        "b": {"metas": [{"phx_ref": ref, "status": "é", "user_id": room.people.id("Bob")}]}
    }


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_28_the_reply_comes_first(room, version):
    socket = await room.socket(version)
    payload = {"config": {"private": True, **AS_A}, "access_token": room.people.token("Alice")}
    await socket.send(f"realtime:{room.topic}", "phx_join", payload, "1", "1")
    await socket.one("presence_state")
    assert [message["event"] for message in socket.messages] == ["phx_reply", "presence_state"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_28_without_presence_there_is_no_state(room, version):
    socket = await room.member(version=version, presence={"key": "a", "enabled": False})
    await room.settled()
    assert socket.messages == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_29_track_change_and_untrack(room, version):
    alice, bob = await room.member(version=version, **AS_A), await room.member("Bob", "1.0.0", **AS_B)
    who, deaf = {"user_id": room.people.id("Alice")}, await room.member("Bob")
    for fields in ({"at": 1}, {"at": 1}, {"at": 2, "phx_ref": "forged", "phx_ref_prev": "forged"}):
        assert await track(alice, room.topic, fields) == {}
    assert await alice.push(room.topic, "presence", {"type": "presence", "event": "untrack"}) == {}
    await room.settled()
    assert diffs(alice) == diffs(bob) and len(diffs(bob)) == 3
    came, changed, gone = diffs(bob)
    first = came["joins"]["a"]["metas"][0]
    assert came == {"joins": {"a": {"metas": [{"phx_ref": first["phx_ref"], "at": 1, **who}]}}, "leaves": {}}
    second = changed["joins"]["a"]["metas"][0]
    assert second == {"phx_ref": second["phx_ref"], "phx_ref_prev": first["phx_ref"], "at": 2, **who}
    assert len({first["phx_ref"], second["phx_ref"], "forged"}) == 3
    assert changed["leaves"] == {"a": {"metas": [first]}}
    assert gone == {"joins": {}, "leaves": {"a": {"metas": [{"phx_ref": second["phx_ref"], "at": 2, **who}]}}}
    # Nobody is there twice to leave again.
    await alice.push(room.topic, "presence", {"event": "untrack"})
    await room.settled()
    assert len(diffs(bob)) == 3
    # Who did not ask for presence has no state to put diffs into.
    assert deaf.messages == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("end", ["close", "drop", "leave", "join again"])
async def test_case_29_who_is_gone_is_not_present(room, version, end):
    alice, bob = await room.member(version=version, **AS_A), await room.member("Bob", **AS_B)
    await track(alice, room.topic, {"n": 1})
    match end:
        case "close":
            await alice.close()
        case "drop":
            alice.connection.transport.abort()
        case "leave":
            await alice.leave(room.topic)
        case "join again":
            await alice.join(room.topic, room.people.token("Alice"), **AS_A)
    await bob.wait(lambda: len(diffs(bob)) == 2)
    assert diffs(bob)[1]["leaves"]["a"]["metas"][0]["n"] == 1
    late = await room.member("Bob", presence={"key": "b", "enabled": True})
    assert (await late.one("presence_state"))["payload"] == {}


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_30_spellings_and_wrong_payloads(room, version):
    socket = await room.member(version=version, **AS_A)
    assert await socket.push(room.topic, "presence", {"event": "TRACK", "payload": {"n": 1}}) == {}
    for payload in ([1], "text"):
        with pytest.raises(Refused) as refused:
            await socket.push(room.topic, "presence", {"event": "Track", "payload": payload})
        assert refused.value.reason == "Presence track payload must be a map" and refused.value.response["code"] == "PT400"
    with pytest.raises(Refused) as refused:
        await socket.push(room.topic, "presence", {"event": "dance"})
    assert refused.value.response["code"] == "PT400"
    # The channel lives, and is present as before; without a payload the fields are empty.
    assert await socket.push(room.topic, "presence", {"event": "track"}) == {}
    await room.settled()
    assert [list(diff["joins"]["a"]["metas"][0]) for diff in diffs(socket)] == [
        ["phx_ref", "n", "user_id"], ["phx_ref", "phx_ref_prev", "user_id"],
    ]
    await socket.broadcast(room.topic, "hi", {})


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_30_tracking_switches_presence_on(room, version):
    socket, other = await room.member(version=version), await room.member("Bob", **AS_B)
    await track(other, room.topic, {"n": 0})
    await room.settled()
    assert socket.messages == []
    other.messages.clear()
    assert await track(socket, room.topic, {"n": 1}) == {}
    await room.settled()
    # The state of before comes first: clients hold diffs back until they have one.
    assert [message["event"] for message in socket.messages] == ["presence_state", "presence_diff"]
    assert list(socket.messages[0]["payload"]) == ["b"]
    (key,) = diffs(other)[0]["joins"]
    assert key == room.people.id("Alice") and diffs(socket) == diffs(other)
    await socket.leave(room.topic)
    await room.settled()
    assert list(diffs(other)[1]["leaves"]) == [key]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("key", ["", None])
async def test_case_31_without_a_key_it_is_the_users_id(room, version, key):
    sockets = [await room.member(version=version, presence={"key": key, "enabled": True}) for _ in range(2)]
    for socket in sockets:
        await track(socket, room.topic, {})
    await room.settled()
    keys = [*diffs(sockets[0])[0]["joins"], *diffs(sockets[0])[1]["joins"]]
    assert keys == [room.people.id("Alice")] * 2


async def test_case_31_two_sockets_with_one_key(room):
    first, second = await room.member(**AS_A), await room.member(version="1.0.0", **AS_A)
    await track(first, room.topic, {"n": 1})
    await track(second, room.topic, {"n": 2})
    late = await room.member("Bob", presence={"key": "b", "enabled": True})
    state = (await late.one("presence_state"))["payload"]
    assert [meta["n"] for meta in state["a"]["metas"]] == [1, 2]
    await first.close()
    await late.wait(lambda: diffs(late))
    assert [meta["n"] for meta in diffs(late)[0]["leaves"]["a"]["metas"]] == [1]


async def test_keys_that_names_of_objects_must_not_confuse(room):
    """Keys are data: names that mean something to JavaScript, quotes, and two spellings of one letter stay apart."""
    watcher = await room.member("Bob", presence={"key": "w", "enabled": True})
    keys = ["__proto__", 'say "hi"\\', "\u00e9", "e\u0301", "7", "a b\n"]
    for key in keys:
        socket = await room.member(presence={"key": key, "enabled": True})
        await track(socket, room.topic, {"key": key})
    await room.settled()
    assert [[key for key in diff["joins"]] for diff in diffs(watcher)] == [[key] for key in keys]
    late = await room.member("Bob", presence={"key": "b", "enabled": True})
    assert list((await late.one("presence_state"))["payload"]) == keys


async def test_nobody_is_present_as_another(room):
    bob = room.people.id("Bob")
    for key in (bob, bob.upper(), "{%s}" % bob, bob.replace("-", "")):
        socket = await room.member(presence={"key": key, "enabled": True})
        with pytest.raises(Refused) as refused:
            await track(socket, room.topic, {})
        assert refused.value.reason.startswith("The presence key is another user's id"), key
        await socket.close()
    socket = await room.member(presence={"key": room.people.id("Alice").upper(), "enabled": True})
    await track(socket, room.topic, {"user_id": bob, "userId": bob})
    await room.settled()
    (meta,) = diffs(socket)[0]["joins"][room.people.id("Alice").upper()]["metas"]
    assert meta["user_id"] == meta["userId"] == room.people.id("Alice")


async def test_one_user_does_not_fill_a_topic(room):
    sockets = [await room.member() for _ in range(17)]
    for socket in sockets[:16]:
        await track(socket, room.topic, {"text": "x" * 3000})
    with pytest.raises(Refused) as refused:
        await track(sockets[16], room.topic, {})
    assert "no room for another presence of yours" in refused.value.reason
    bob = await room.member("Bob")
    assert await track(bob, room.topic, {}) == {}


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_40_the_sixth_presence_call_closes_the_channel(room, version):
    socket, other = await room.member(version=version, **AS_A), await room.member("Bob", **AS_B)
    for n in range(5):
        await track(socket, room.topic, {"n": n})
    await socket.send(f"realtime:{room.topic}", "presence", {"event": "untrack"}, "6")
    await socket.one("phx_close")
    assert socket.seen("system")[0]["payload"] == {
        "channel": room.topic, "extension": "system", "message": "Client presence rate limit exceeded", "status": "error",
    }
    await other.wait(lambda: len(diffs(other)) == 6)
    assert list(diffs(other)[5]["leaves"]) == ["a"]
    await socket.join(room.topic, room.people.token("Alice"))


async def test_a_presence_too_large_closes_the_channel(room):
    socket, other = await room.member(**AS_A), await room.member("Bob", **AS_B)
    await socket.send(f"realtime:{room.topic}", "presence", {"event": "track", "payload": {"text": "x" * 5000}}, "6")
    await socket.one("phx_close")
    assert socket.seen("system")[0]["payload"]["message"] == "Track message size exceeded"
    await room.settled()
    assert diffs(other) == []
