"""A channel's life frame by frame: who may join, tokens that change and end, leaving, joining again.

The numbers are those of the case list of the protocol's fact sheet, section 8.
"""

from __future__ import annotations

import asyncio
import json

import pytest
from frames import VERSIONS
from parley import Cluster, Worker
from sockets import Refused

pytestmark = pytest.mark.asyncio
DENIED = "Unauthorized: You do not have permissions to read from this Channel topic: "


async def ended(socket, topic: str, join_ref: str) -> str:
    """The message of the `system` error that closed the channel; asserts the shape of both frames."""
    await socket.wait(lambda: socket.seen("phx_close"))
    await socket.heartbeat()
    system, close = socket.messages
    socket.messages.clear()
    assert (system["event"], system["ref"], system["topic"]) == ("system", None, f"realtime:{topic}")
    text = system["payload"].pop("message")
    assert system["payload"] == {"channel": topic, "extension": "system", "status": "error"}
    assert (close["event"], close["ref"], close["topic"], close["payload"]) == ("phx_close", join_ref, f"realtime:{topic}", {})
    return text


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_18_a_stranger_may_not_read(room, version):
    stranger = await room.socket(version)
    with pytest.raises(Refused) as refused:
        await stranger.join(room.topic, room.people.token("Stranger"))
    assert refused.value.response == {"reason": DENIED + room.topic}
    with pytest.raises(Refused) as refused:
        await stranger.broadcast(room.topic, "hi", {})
    assert refused.value.reason == "unmatched topic"


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_20_presence_where_broadcasts_are_not_allowed(room, version):
    """The inbox: its owner's devices see each other, and nobody speaks on it."""
    people = room.people
    inbox = f"user:{people.id('Alice')}"
    phone, desk = await room.socket(version), await room.socket()
    for name, socket in (("phone", phone), ("desk", desk)):
        await socket.join(inbox, people.token("Alice"), presence={"key": name, "enabled": True})
    assert await phone.push(inbox, "presence", {"event": "track", "payload": {"here": True}}) == {}
    with pytest.raises(Refused):
        await phone.broadcast(inbox, "hi", {})
    await room.settled()
    assert desk.seen("presence_diff")[0]["payload"]["joins"]["phone"]["metas"][0]["here"] is True
    assert desk.seen("broadcast") == []


async def test_case_21_an_access_rule_that_fails_is_a_refusal():
    """Where a policy raises an error upstream, here the access rule does: nobody gets in, nothing else suffers."""
    from conftest import People
    from frames import Room

    with Cluster() as cluster, Worker(cluster, "--log-level", "error") as worker:
        async with Room(People(cluster, worker)) as room:
            member = await room.member()
            rule = "select pg_get_functiondef('parley.authorize_join'::regproc)"
            right = cluster.psql(rule)
            head = right[: right.index("AS $function$")]
            cluster.psql(head + "AS $function$ begin raise exception 'this rule is broken: %', topic; end $function$")
            other = await room.socket()
            with pytest.raises(Refused) as refused:
                await other.join(room.topic, room.people.token("Bob"))
            assert "broken" not in refused.value.reason and refused.value.reason == "Unknown Error on Channel"
            await member.send_message(room.id, "still here")
            cluster.psql(right)
            await other.join(room.topic, room.people.token("Bob"))


@pytest.fixture
def witness(cluster):
    """A trigger of the host's that notes what a stored message's transaction knows of its caller."""
    cluster.psql("""
        create table public.witness (content text, claims jsonb, role text);
        create function public.note() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
        begin
            insert into public.witness
            values (new.content, current_setting('request.jwt.claims', true)::jsonb, current_setting('role', true));
            return null;
        end $$;
        create trigger conformance_witness after insert on parley.message for each row execute function public.note();
    """)
    yield lambda: [json.loads(row) for row in cluster.psql("select to_jsonb(w) from public.witness w").splitlines()]
    cluster.psql("drop trigger conformance_witness on parley.message; drop function public.note(); drop table public.witness")


async def test_case_22_and_24_the_database_sees_the_token_of_the_moment(room, witness):
    """The claims of a call are those of the channel's newest token, word for word; asking for access leaves nothing."""
    people = room.people
    count = "select (select count(*) from parley.event), (select count(*) from parley.message), (select count(*) from parley.account)"
    first = people.token("Alice", level=1, app={"plan": "é", "n": [1, None]})
    before = people.cluster.psql(count)
    socket = await room.socket()
    await socket.join(room.topic, first)
    await socket.push(room.topic, "presence", {"event": "track", "payload": {}})
    with pytest.raises(Refused):
        await socket.join(f"user:{people.id('Bob')}", first)
    assert people.cluster.psql(count) == before
    await socket.send_message(room.id, "first")
    await socket.send(f"realtime:{room.topic}", "access_token", {"access_token": people.token("Alice", level=2)})
    limit = asyncio.get_running_loop().time() + 10
    levels = [1]
    while levels[-1] == 1 and asyncio.get_running_loop().time() < limit:
        await socket.send_message(room.id, "later")
        levels = [row["claims"]["level"] for row in witness()]
    assert levels[-1] == 2 and sorted(levels) == levels
    notes = witness()
    assert {row["role"] for row in notes} == {"authenticated"}
    assert notes[0]["claims"]["app"] == {"plan": "é", "n": [1, None]} and notes[0]["claims"]["sub"] == people.id("Alice")


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_23_tokens_that_change_nothing(room, version):
    people = room.people
    token = people.token("Alice")
    socket = await room.socket(version)
    await socket.join(room.topic, token)
    for payload in (
        {"access_token": token}, {"access_token": None}, {"access_token": "sb_publishable_x"}, {}, {"access_token": 5}, None, [], "text",
        {"access_token": people.token("Alice", ttl=1800)},
    ):
        for join_ref in (None, socket.join_refs[room.topic]):
            await socket.send(f"realtime:{room.topic}", "access_token", payload, "9", join_ref)
    await socket.broadcast(room.topic, "hi", {})
    await asyncio.sleep(0.5)
    await socket.send_message(room.id, "still a member")
    assert socket.seen("phx_reply") == socket.seen("phx_close") == socket.seen("system") == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_23_tokens_that_end_the_channel(room, version):
    people = room.people
    lost = "You no longer have permission to read from this Channel topic: " + room.topic
    never = "You do not have permissions to read from this Channel topic: " + room.topic
    cases = [
        ("", "The token provided is not a valid JWT"),
        ("not.a.jwt", "The token provided is not a valid JWT"),
        (people.token("Alice") + "x", "Failed to validate JWT signature"),
        (people.token("Alice", exp=None), "Fields `role` and `exp` are required in JWT"),
        (people.token("Alice", role="anon"), lost),
        (people.token("Bob"), never),
        (people.worker.token(role="authenticated"), never),
    ]
    socket = await room.socket(version)
    for token, text in cases:
        await socket.join(room.topic, people.token("Alice"))
        await socket.send(f"realtime:{room.topic}", "access_token", {"access_token": token})
        got = await ended(socket, room.topic, socket.join_refs[room.topic])
        # A signature with a letter more is no base64url of that length, which comes first.
        assert got == text or (token.endswith("x") and got == "The token provided is not a valid JWT"), token
        with pytest.raises(Refused):
            await socket.broadcast(room.topic, "hi", {})
    await socket.join(room.topic, people.token("Alice"))
    await socket.send(f"realtime:{room.topic}", "access_token", {"access_token": people.token("Alice", ttl=-3)})
    got = await ended(socket, room.topic, socket.join_refs[room.topic])
    assert got in {f"Token has expired {n} seconds ago" for n in range(3, 20)}


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_23_a_token_that_is_good_for_one_channel_only(room, version):
    """Each channel has its own token: that one is closed does not touch the others of its socket."""
    people = room.people
    inbox = f"user:{people.id('Alice')}"
    socket = await room.socket(version)
    for topic in (room.topic, inbox):
        await socket.join(topic, people.token("Alice"))
    await socket.send(f"realtime:{room.topic}", "access_token", {"access_token": ""})
    await ended(socket, room.topic, socket.join_refs[room.topic])
    people.rpc("Bob", "send_message", conversation_id=room.id, content="for the inbox")
    await socket.event("message:new", inbox)
    assert socket.events("message:new", room.topic) == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_25_a_token_may_expire_and_be_renewed(room, version):
    people = room.people
    renewed, expiring = await room.socket(version), await room.socket(version)
    for socket in (renewed, expiring):
        await socket.join(room.topic, people.token("Alice", ttl=2))
    await renewed.send(f"realtime:{room.topic}", "access_token", {"access_token": people.token("Alice", ttl=600)})
    text = await asyncio.wait_for(ended(expiring, room.topic, expiring.join_refs[room.topic]), 6)
    assert text in {f"Token has expired {n} seconds ago" for n in range(3)}
    await expiring.join(room.topic, people.token("Alice"))
    await asyncio.sleep(1)
    await room.settled()
    assert renewed.messages == expiring.messages == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("named", [True, False])
async def test_case_26_leave_is_answered_then_closed(room, version, named):
    other = await room.member("Bob", presence={"enabled": True, "key": "b"})
    socket = await room.member(version=version, presence={"enabled": True, "key": "a"})
    await socket.push(room.topic, "presence", {"event": "track", "payload": {}})
    await room.settled()
    socket.messages.clear()
    join_ref = socket.join_refs[room.topic]
    await socket.send(f"realtime:{room.topic}", "phx_leave", {}, "40", join_ref if named else None)
    await socket.wait(lambda: len(socket.messages) == 2)
    reply, close = socket.messages
    assert (reply["event"], reply["ref"], reply["payload"]) == ("phx_reply", "40", {"status": "ok", "response": {}})
    assert (close["event"], close["ref"], close["payload"]) == ("phx_close", join_ref, {})
    if version == "2.0.0":
        assert close["join_ref"] == join_ref
    await other.broadcast(room.topic, "hi", {})
    await other.send_message(room.id, "hello")
    await other.event("message:new")
    await room.settled()
    assert len(socket.messages) == 2
    assert [diff["payload"]["leaves"].keys() for diff in other.seen("presence_diff")] == [set(), {"a"}]


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_26_a_leave_of_an_older_join_is_late(room, version):
    socket, other = await room.member(version=version), await room.member("Bob")
    old = socket.join_refs[room.topic]
    await socket.join(room.topic, room.people.token("Alice"))
    await socket.send(f"realtime:{room.topic}", "phx_leave", {}, "40", old)
    await other.broadcast(room.topic, "hi", {})
    await room.settled()
    assert [message["event"] for message in socket.messages] == ["phx_reply", "broadcast"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_27_joining_again_leaves_one_membership(room, version):
    """No `phx_close` for the join of before: a client that does not look at its ref would close the new one."""
    socket, other = await room.member(version=version), await room.member("Bob")
    for _ in range(3):
        await socket.join(room.topic, room.people.token("Alice"))
    await other.broadcast(room.topic, "hi", {})
    await other.send_message(room.id, "hello")
    await socket.event("message:new")
    await room.settled()
    assert [message["event"] for message in socket.messages] == ["broadcast", "broadcast"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_27_joins_that_overlap(room, version):
    """Three joins sent before the first is answered: every one that is answered is answered once, the last one lives."""
    socket, other = await room.socket(version), await room.member("Bob")
    payload = {"config": {"private": True}, "access_token": room.people.token("Alice")}
    for ref in ("101", "102", "103"):
        await socket.send(f"realtime:{room.topic}", "phx_join", payload, ref, ref)
    await socket.wait(lambda: any(message["ref"] == "103" for message in socket.messages))
    await other.broadcast(room.topic, "hi", {})
    await room.settled()
    refs = [message["ref"] for message in socket.seen("phx_reply")]
    assert refs[-1] == "103" and len(set(refs)) == len(refs)
    assert len(socket.seen("broadcast")) == 1 and socket.seen("phx_close") == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_is_sent_before_the_join_is_answered_waits_for_it(room, version):
    """Clients may write on at once; what they asked is answered after the join, in its order."""
    socket, other = await room.socket(version), await room.member("Bob")
    topic = f"realtime:{room.topic}"
    config = {"private": True, "broadcast": {"ack": True}}
    await socket.send(topic, "phx_join", {"config": config, "access_token": room.people.token("Alice")}, "1", "1")
    for ref in ("2", "3", "4"):
        await socket.shout(room.topic, "hi", {"n": ref}, ref)
    await socket.wait(lambda: len(socket.seen("phx_reply")) == 4)
    assert [message["ref"] for message in socket.seen("phx_reply")] == ["1", "2", "3", "4"]
    await room.settled()
    assert [event["n"] for event in other.events("hi")] == ["2", "3", "4"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_37_and_38_changes_of_tables(room, version):
    """Parley serves no changes of tables. The join echoes what was asked, in order and with ids, as clients insist on,
    and goes on. Clients of 2.0.0 are then told as upstream tells of a table it does not serve; the Python client, which
    speaks 1.0.0, would take that for a failed channel and join again forever."""
    wanted = [
        {"event": "INSERT", "schema": "public", "table": "t"},
        {"event": "*", "schema": "public", "table": "u", "filter": "id=eq.7", "select": ["id", "é"]},
        {"event": "INSERT", "schema": "public", "table": "t"},
    ]
    socket = await room.socket(version)
    response = await socket.join(room.topic, room.people.token("Alice"), postgres_changes=[*wanted, None])
    ids = [echo.pop("id") for echo in response["postgres_changes"]]
    assert response["postgres_changes"] == wanted
    assert all(isinstance(number, int) and number != 0 for number in ids)
    assert ids[0] == ids[2] != ids[1]
    again = await room.socket(version)
    response = await again.join(room.topic, room.people.token("Alice"), postgres_changes=wanted[:1])
    assert response["postgres_changes"][0]["id"] == ids[0]
    await socket.send_message(room.id, "the channel works")
    await socket.event("message:new")
    await room.settled()
    systems = [message["payload"] for message in socket.seen("system")]
    assert socket.seen("phx_close") == []
    if version == "1.0.0":
        assert systems == []
    else:
        text = (
            "Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect"
            " parameters: [event: INSERT, schema: public, table: t, filters: [], select: nil]"
        )
        assert systems == [{"channel": room.topic, "extension": "postgres_changes", "message": text, "status": "error"}]
