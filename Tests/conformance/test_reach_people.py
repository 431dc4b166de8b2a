"""Who may reach whom, through plain SQL, gateway and socket: one refusal, silence in an old thread, and no other way to tell."""

from __future__ import annotations

import json
import re
import uuid

import asyncpg
import pytest
import pytest_asyncio
from parley import RpcError
from sockets import Refused, Socket

pytestmark = pytest.mark.asyncio
UNREACHABLE = {
    "code": "PT403",
    "message": "You cannot reach this user.",
    "details": None,
    "hint": None,
}
PRESENCE = {"presence": {"key": "", "enabled": True}}


class PlainSQL:
    """A user who talks SQL, as an application's own connection does."""

    def __init__(self, connection: asyncpg.Connection, user: str):
        self.connection, self.user = connection, user

    async def call(self, call: str, *arguments: object) -> object:
        """The answer, or the refusal as the gateway words it."""
        async with self.connection.transaction():
            claims = json.dumps({"sub": self.user, "role": "authenticated"})
            await self.connection.execute("select set_config('request.jwt.claims', $1, true)", claims)
            await self.connection.execute("set local role authenticated")
            try:
                async with self.connection.transaction():
                    return json.loads(await self.connection.fetchval(f"select parley_api.{call}", *arguments))
            except asyncpg.PostgresError as error:
                return {"code": error.sqlstate, "message": error.args[0], "details": error.detail or None, "hint": error.hint or None}


@pytest_asyncio.fixture
async def sql(cluster):
    connection = await asyncpg.connect(cluster.superuser_url)
    yield connection
    await connection.close()


def refusal(people, name: str, function: str, **arguments: object) -> dict:
    with pytest.raises(RpcError) as refused:
        people.rpc(name, function, **arguments)
    assert refused.value.status == 403
    return {key: refused.value.body[key] for key in UNREACHABLE}


async def over_socket(people, name: str, topic: str, event: str, payload: dict) -> dict:
    async with await Socket.open(people.worker) as socket:
        await socket.join(topic, people.token(name))
        with pytest.raises(Refused) as refused:
            await socket.broadcast(topic, event, payload)
        return {key: refused.value.response.get(key) for key in UNREACHABLE}


async def test_one_refusal_at_every_door(people, sql):
    """Blocker, absent and no_one at starting, adding and calling: the same words through SQL, gateway and socket."""
    blocker, hidden, absent = people.id("Blocker"), people.id("Hidden"), str(uuid.uuid4())
    group = people.conversation("Ann", "Friend", "Friend2")
    threads = {name: people.conversation("Ann", name) for name in ("Blocker", "Hidden")}
    people.rpc("Blocker", "block_user", user_id=people.id("Ann"))
    people.rpc("Hidden", "set_privacy", message_privacy="no_one")
    plain = PlainSQL(sql, people.id("Ann"))
    for target in (blocker, hidden, absent):
        for context in ({}, {"context_type": "listing", "context_id": "1"}):
            if context or target == absent:
                assert refusal(people, "Ann", "start_conversation", participant_ids=[target], **context) == UNREACHABLE
        assert refusal(people, "Ann", "start_conversation", participant_ids=[target], type="group") == UNREACHABLE
        assert refusal(people, "Ann", "add_participants", conversation_id=group, participant_ids=[target]) == UNREACHABLE
        assert await plain.call("start_conversation(array[$1::uuid], 'group')", target) == UNREACHABLE
        assert await plain.call("add_participants($1, array[$2::uuid])", group, target) == UNREACHABLE
    for thread in threads.values():
        arguments = {"conversation_id": thread, "kind": "voice", "device_id": "a"}
        assert refusal(people, "Ann", "start_call", **arguments) == UNREACHABLE
        assert await plain.call("start_call($1, 'voice', 'a')", thread) == UNREACHABLE
        assert await over_socket(people, "Ann", f"conversation:{thread}", "call:start", arguments) == UNREACHABLE


async def test_an_old_thread_is_silent(people):
    """What a blocked user sends reaches all of their own devices, on every topic, and nothing of the blocker's."""
    thread = people.conversation("Ann", "Bob", message="before")
    beside = people.conversation("Ann", "Cid")
    topic = f"conversation:{thread}"
    phone, laptop, ann = [await Socket.open(people.worker) for _ in range(3)]
    async with phone, laptop, ann:
        await phone.join(topic, people.token("Bob"))
        await laptop.join(topic, people.token("Bob"))
        await laptop.join(f"user:{people.id('Bob')}", people.token("Bob"))
        await ann.join(topic, people.token("Ann"))
        await ann.join(f"user:{people.id('Ann')}", people.token("Ann"))
        people.rpc("Ann", "block_user", user_id=people.id("Bob"))
        await ann.event("contact:updated")
        sent = await phone.send_message(thread, "into the void")
        assert (sent["status"], sent["content"]) == ("sent", "into the void")
        for where in (topic, f"user:{people.id('Bob')}"):
            assert (await laptop.event("message:new", where))["message"]["content"] == "into the void"
        people.rpc("Bob", "edit_message", message_id=sent["id"], content="into the void, again")
        await laptop.event("message:updated", topic)
        people.rpc("Bob", "add_reaction", message_id=sent["id"], emoji="👍")
        await laptop.event("message:reaction", topic)
        # the log is one: what comes later has arrived, so all before it has, if it ever would
        people.rpc("Cid", "send_message", conversation_id=beside, content="the barrier")
        await ann.wait(lambda: any(e["message"]["content"] == "the barrier" for e in ann.events("message:new")))
        assert [e["message"]["content"] for e in ann.events("message:new")] == ["the barrier"]
        assert ann.events("message:updated") == ann.events("message:reaction") == []
        assert laptop.events("contact:updated") == laptop.events("conversation:quiet") == []
        # a reading does not come back either
        people.rpc("Ann", "mark_as_read", conversation_id=thread)
        await ann.event("message:read", f"user:{people.id('Ann')}")
        people.rpc("Ann", "unblock_user", user_id=people.id("Bob"))
        later = await phone.send_message(thread, "and back")
        await ann.wait(lambda: [e["message"]["content"] for e in ann.events("message:new", topic)] == ["and back"])
        assert laptop.events("message:read") == []
        page = people.rpc("Ann", "get_events", conversation_id=thread, after_seq=0)
        assert "void" not in json.dumps(page) and page["to"] == page["last_event_seq"]
        history = people.rpc("Ann", "get_conversation_messages", conversation_id=thread)["messages"]
        assert [message["content"] for message in history] == ["before", "and back"]
        assert later["seq"] == 3


async def seen(socket: Socket, kind: str, user: str) -> None:
    def holds() -> bool:
        diffs = [m["payload"][kind] for m in socket.messages if m["event"] == "presence_diff"]
        return any(user in json.dumps(diff) for diff in diffs)

    await socket.wait(holds)


async def test_typing_and_presence_stop_with_a_block_and_come_back_after_it(people):
    thread = people.conversation("Ann", "Bob")
    topic = f"conversation:{thread}"
    async with await Socket.open(people.worker) as ann, await Socket.open(people.worker) as bob:
        for socket, name in ((ann, "Ann"), (bob, "Bob")):
            await socket.join(topic, people.token(name), **PRESENCE)
            await socket.push(topic, "presence", {"type": "presence", "event": "track", "payload": {"name": name}})
        await seen(ann, "joins", people.id("Bob"))
        await ann.broadcast(topic, "typing:start", {})
        await bob.event("typing:start")
        await ann.broadcast(topic, "typing:stop", {})
        await bob.event("typing:stop")
        for socket in (ann, bob):
            socket.messages.clear()
        people.rpc("Ann", "block_user", user_id=people.id("Bob"))
        await seen(bob, "leaves", people.id("Ann"))
        await seen(ann, "leaves", people.id("Bob"))
        await ann.broadcast(topic, "typing:start", {})
        await bob.broadcast(topic, "typing:start", {})
        await bob.broadcast(topic, "wave", {"hello": True})
        for socket in (ann, bob):
            await socket.heartbeat()
            assert socket.events("typing:start") == socket.events("wave") == []
        async with await Socket.open(people.worker) as again:
            await again.join(topic, people.token("Bob"), **PRESENCE)
            await again.wait(lambda: any(m["event"] == "presence_state" for m in again.messages))
            state = next(m["payload"] for m in again.messages if m["event"] == "presence_state")
            assert people.id("Bob") in json.dumps(state) and people.id("Ann") not in json.dumps(state)
        people.rpc("Ann", "unblock_user", user_id=people.id("Bob"))
        await seen(bob, "joins", people.id("Ann"))
        await seen(ann, "joins", people.id("Bob"))


async def test_who_hides_is_not_seen_and_who_has_a_request_neither(people, cluster):
    group = people.conversation("Ann", "Bob", "Cid")
    topic = f"conversation:{group}"
    async with await Socket.open(people.worker) as ann, await Socket.open(people.worker) as bob:
        for socket, name in ((ann, "Ann"), (bob, "Bob")):
            await socket.join(topic, people.token(name), **PRESENCE)
            await socket.push(topic, "presence", {"type": "presence", "event": "track", "payload": {}})
        await seen(ann, "joins", people.id("Bob"))
        people.rpc("Bob", "set_privacy", show_presence=False)
        await seen(ann, "leaves", people.id("Bob"))
        ann.messages.clear()
        await bob.push(topic, "presence", {"type": "presence", "event": "track", "payload": {"here": True}})
        await bob.broadcast(topic, "typing:start", {})
        await ann.event("typing:start")
        assert not [m for m in ann.messages if m["event"] == "presence_diff"]
        people.rpc("Bob", "set_privacy", show_presence=True)
        await seen(ann, "joins", people.id("Bob"))
    cluster.psql("update parley.setting set value = 'requests' where name = 'stranger_messages'")
    try:
        thread = people.conversation("Dan", "Eve", message="hello")
    finally:
        cluster.psql("update parley.setting set value = 'inbox' where name = 'stranger_messages'")
    topic = f"conversation:{thread}"
    async with await Socket.open(people.worker) as dan, await Socket.open(people.worker) as eve:
        await dan.join(topic, people.token("Dan"), **PRESENCE)
        await eve.join(topic, people.token("Eve"), **PRESENCE)
        await eve.push(topic, "presence", {"type": "presence", "event": "track", "payload": {}})
        await eve.broadcast(topic, "typing:start", {})
        with pytest.raises(RpcError):
            people.rpc("Dan", "start_call", conversation_id=thread, kind="voice", device_id="a")
        await dan.heartbeat()
        assert not [m for m in dan.messages if m["event"] == "presence_diff"] and dan.events("typing:start") == []
        people.rpc("Eve", "accept_request", conversation_id=thread)
        await seen(dan, "joins", people.id("Eve"))


async def test_receipts_work_both_ways(people):
    group = people.conversation("Ann", "Bob", "Cid", message="read me")
    people.rpc("Ann", "set_privacy", read_receipts=False)
    topic = f"conversation:{group}"
    async with await Socket.open(people.worker) as ann, await Socket.open(people.worker) as cid:
        await ann.join(topic, people.token("Ann"))
        await ann.join(f"user:{people.id('Ann')}", people.token("Ann"))
        await cid.join(topic, people.token("Cid"))
        people.rpc("Bob", "mark_as_read", conversation_id=group)
        await cid.event("message:read")
        people.rpc("Bob", "send_message", conversation_id=group, content="barrier")
        await ann.event("message:new", topic)
        await ann.event("message:new", f"user:{people.id('Ann')}")
        assert ann.events("message:read") == []


def blind(answer: object, *ids: str) -> str:
    """An answer without what may differ: the ids of the users, new ids and times."""
    text = json.dumps(answer, sort_keys=True)
    for place in ids:
        text = text.replace(place, "<user>")
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)?", "<time>", text)


def auc(one: list[float], other: list[float]) -> float:
    """How often a timing of `other` is the longer one: 0.5 tells nothing."""
    both = sorted([(time, 0) for time in one] + [(time, 1) for time in other])
    ranks, place = 0.0, 0
    while place < len(both):
        end = place
        while end < len(both) and both[end][0] == both[place][0]:
            end += 1
        ranks += (place + end + 1) / 2 * sum(kind for _, kind in both[place:end])
        place = end
    return (ranks - len(other) * (len(other) + 1) / 2) / (len(one) * len(other))


TIMES = """
create or replace function pg_temp.times(statement text, ids uuid[], rounds integer)
returns table (which integer, took double precision) language plpgsql as $$
declare
    v_at timestamptz;
begin
    for i in 1..rounds loop
        for which in select n from generate_series(1, cardinality(ids)) n order by random() loop
            v_at := clock_timestamp();
            begin
                execute statement using ids[which];
            exception when others then
                null;
            end;
            took := extract(epoch from clock_timestamp() - v_at);
            return next;
        end loop;
    end loop;
end $$
"""
DOORS = {
    "start": "select parley_api.start_conversation(array[$1])",
    "context": "select parley_api.start_conversation(array[$1], context_type => 'listing', context_id => '1')",
    "group": "select parley_api.start_conversation(array[$1, '{friend}'::uuid], 'group')",
    "add": "select parley_api.add_participants('{group}', array[$1])",
    "call": "select parley_api.start_call('{group}', 'voice', 'a', array[$1])",
    "mention": "select parley_api.send_message('{group}', 'hello', mentions => array[$1])",
    "block": "select parley_api.block_user($1)",
    "restrict": "select parley_api.restrict_user($1)",
    "follow": "select parley_api.follow_user($1)",
}


@pytest_asyncio.fixture
async def three(people, sql):
    """Three users whom Ann cannot tell apart: one who has blocked her, one who is not there, one with no_one."""
    ids = {"blocker": people.id("Blocker"), "absent": str(uuid.uuid4()), "no_one": people.id("Hidden")}
    names = {"friend": people.id("Friend"), "group": people.conversation("Ann", "Friend", "Friend2")}
    people.rpc("Blocker", "block_user", user_id=people.id("Ann"))
    people.rpc("Hidden", "set_privacy", message_privacy="no_one")
    return ids, {door: statement.format(**names) for door, statement in DOORS.items()}


async def test_no_answer_tells_who_is_there(people, sql, three):
    ids, doors = three
    plain = PlainSQL(sql, people.id("Ann"))
    for door, statement in doors.items():
        call = statement.removeprefix("select parley_api.").replace("$1", "$1::uuid")
        answers = {blind(await plain.call(call, target), target) for target in ids.values()}
        assert len(answers) == 1, (door, answers)
    lists = await plain.call("get_blocked_users()")
    assert {user["user_id"]: user["display_name"] for user in lists["users"]} == dict.fromkeys(ids.values())
    found = await plain.call("search_members($1, 'Hidden')", doors["add"].split("'")[1])
    assert found == []


@pytest.mark.parametrize("door", ["start", "context", "group", "add", "call", "mention"])
async def test_no_time_tells_who_is_there(people, sql, three, door):
    """2,000 timings of each of the three, interleaved at random, in the database itself: nearer than any client gets."""
    ids, doors = three
    await sql.execute(TIMES)
    await sql.execute("select set_config('request.jwt.claims', $1, false)", json.dumps({"sub": people.id("Ann"), "role": "authenticated"}))
    warm = 50
    rows = await sql.fetch("select * from pg_temp.times($1, $2, $3)", doors[door], list(ids.values()), 2000 + warm)
    times = {name: [row["took"] for row in rows if row["which"] == n][warm:] for n, name in enumerate(ids, 1)}
    found = {(a, b): auc(times[a], times[b]) for a in times for b in times if a < b}
    print({name: sorted(each)[len(each) // 2] for name, each in times.items()}, found)
    assert all(0.45 <= value <= 0.55 for value in found.values()), found


async def test_the_measure_finds_a_difference_that_is_there(people, sql, three):
    ids, _ = three
    await sql.execute(TIMES)
    statement = f"select pg_sleep(case when $1 = '{ids['absent']}'::uuid then 0.0003 else 0 end)"
    rows = await sql.fetch("select * from pg_temp.times($1, $2, $3)", statement, [ids["blocker"], ids["absent"]], 200)
    first, second = ([row["took"] for row in rows if row["which"] == n] for n in (1, 2))
    assert auc(first, second) > 0.9
