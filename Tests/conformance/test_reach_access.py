"""Plans, roles and tenants at every door: plain SQL, gateway and socket refuse in the same words, and open sockets obey."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from parley import RpcError
from sockets import Refused, Socket

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()


class Tier:
    """A plan of its own, so that its limits concern nobody else."""

    def __init__(self, cluster):
        self.cluster, self.name = cluster, f"t{uuid.uuid4().hex[:12]}"
        cluster.psql(f"""
            insert into parley.tier (name, rank, description)
            select '{self.name}', (select max(rank) + 1 from parley.tier), 'Of a test.';
            insert into parley.tier_entitlement (tier_name, name, granted)
            select '{self.name}', k.name, true from parley.limit_kind as k where k.kind = 'entitlement';
            insert into parley.tier_limit (tier_name, name, amount, period_seconds)
            select '{self.name}', k.name, null, k.default_period_seconds from parley.limit_kind as k where k.kind <> 'entitlement'
        """)

    def limit(self, name: str, amount: int | None, burst: int | None = None) -> None:
        value = "null" if amount is None else amount
        self.cluster.psql(
            f"update parley.tier_limit set amount = {value}, burst = {burst or 'null'} where tier_name = '{self.name}' and name = '{name}'"
        )

    def revoke(self, entitlement: str) -> None:
        self.cluster.psql(f"update parley.tier_entitlement set granted = false where tier_name = '{self.name}' and name = '{entitlement}'")


@pytest.fixture
def tier(cluster):
    return Tier(cluster)


def tenant(cluster, *users: str, role: str = "member") -> str:
    id = str(uuid.uuid4())
    cluster.psql(f"insert into parley.tenant (id, name) values ('{id}', 'Store')")
    for user in users:
        cluster.psql(f"insert into parley.tenant_member (tenant_id, user_id, role) values ('{id}', '{user}', '{role}')")
    return id


async def by_sql(people, name: str, function: str, arguments: dict) -> dict | None:
    connection = await asyncpg.connect(people.cluster.superuser_url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(
            "select set_config('request.jwt.claims', $1, true)", json.dumps({"sub": people.id(name), "role": "authenticated"})
        )
        await connection.execute("set local role authenticated")
        named = ", ".join(f"{key} => {literal(value)}" for key, value in arguments.items())
        await connection.execute(f"select parley_api.{function}({named})")
        return None
    except asyncpg.PostgresError as error:
        return {"code": error.sqlstate, "message": error.message, "details": error.detail, "hint": error.hint}
    finally:
        await transaction.rollback()
        await connection.close()


def literal(value: object) -> str:
    if isinstance(value, list):
        return "array[" + ", ".join(literal(item) for item in value) + "]::uuid[]"
    return "'" + str(value) + "'" if not isinstance(value, (bool, int)) else str(value)


def by_http(people, name: str, function: str, arguments: dict) -> dict | None:
    try:
        people.rpc(name, function, **arguments)
    except RpcError as error:
        return error.body
    return None


async def by_socket(people, name: str, function: str, arguments: dict) -> dict | None:
    socket = await Socket.open(people.worker)
    topic = f"user:{people.id(name)}"
    await socket.join(topic, people.token(name))
    try:
        await socket.broadcast(topic, f"rpc:{function}", arguments)
    except Refused as refused:
        return {key: refused.response.get(key) for key in ("code", "message", "details", "hint")}
    finally:
        await socket.close()
    return None


async def refusal(people, name: str, function: str, **arguments: object) -> dict:
    """The one refusal of all three doors."""
    answers = [
        await by_sql(people, name, function, arguments),
        by_http(people, name, function, arguments),
        await by_socket(people, name, function, arguments),
    ]
    assert answers[0] is not None and answers == answers[:1] * 3, answers
    return answers[0]


@pytest.mark.asyncio
async def test_plans_are_refused_in_the_same_words_at_every_door(cluster, people, tier):
    people.id("Fay", "free")
    group = people.conversation("Ann", "Fay", type="group")
    start = await refusal(people, "Fay", "start_conversation", participant_ids=[people.id("Bob")])
    assert (start["code"], start["message"]) == ("PT403", "Your plan does not include starting conversations.")
    assert start == await refusal(people, "Fay", "start_conversation", participant_ids=[str(uuid.uuid4())])
    assert start == await refusal(people, "Fay", "add_participants", conversation_id=group, participant_ids=[people.id("Bob")])


@pytest.mark.asyncio
async def test_stores_are_refused_in_the_same_words_at_every_door(cluster, people):
    conversation = people.conversation("Ann", "Bob")
    message = people.rpc("Ann", "send_message", conversation_id=conversation, content="before")["id"]
    tenant(cluster, people.id("Ann"), people.id("Cid"))
    tenant(cluster, people.id("Bob"), people.id("Dan"))
    reach = await refusal(people, "Ann", "start_conversation", participant_ids=[people.id("Dan")])
    assert reach == {"code": "PT403", "message": "You cannot reach this user.", "details": None, "hint": None}
    assert reach == await refusal(people, "Ann", "start_conversation", participant_ids=[str(uuid.uuid4())])
    send = await refusal(people, "Ann", "send_message", conversation_id=conversation, content="x")
    assert send["message"].startswith("This conversation can only be read")
    for function, arguments in {
        "schedule_message": {"content": "x", "send_at": TOMORROW},
        "start_call": {"kind": "voice", "device_id": "phone"},
        "create_poll": {"question": "Which?", "options": ["a", "b"]},
        "declare_attachment": {"kind": "image", "file_name": "a.png", "content_type": "image/png", "byte_size": 9},
    }.items():
        if function == "create_poll":
            assert by_http(people, "Ann", function, {"conversation_id": conversation, **arguments}) == send
        else:
            assert send == await refusal(people, "Ann", function, conversation_id=conversation, **arguments)
    assert people.rpc("Bob", "get_conversation", conversation_id=conversation)["read_only"] is True


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("limit", "function", "arguments"),
    [
        ("edits_per_minute", "edit_message", {"content": "y"}),
        ("reactions_per_minute", "add_reaction", {"emoji": "👍"}),
        ("settings_per_minute", "update_conversation", {"title": "Title"}),
        ("new_conversations_per_day", "add_participants", {}),
        ("searches_per_minute", "search_messages", {"query": "before"}),
        ("calls_per_hour", "start_call", {"kind": "voice", "device_id": "phone"}),
        ("uploads_per_hour", "declare_attachment", {"kind": "image", "file_name": "a.png", "content_type": "image/png", "byte_size": 9}),
        ("schedules_per_hour", "schedule_message", {"content": "x", "send_at": TOMORROW}),
        ("messages_per_minute", "send_message", {"content": "x"}),
    ],
)
async def test_limits_are_refused_in_the_same_words_at_every_door(cluster, people, tier, limit, function, arguments):
    people.id("Max", tier.name)
    conversation = people.conversation("Max", "Bob", type="group")
    message = people.rpc("Max", "send_message", conversation_id=conversation, content="before")["id"]
    if function in ("edit_message", "add_reaction"):
        arguments = {"message_id": message, **arguments}
    elif function != "search_messages":
        arguments = {"conversation_id": conversation, **arguments}
    if function == "add_participants":
        arguments["participant_ids"] = [people.id("Cid")]
    tier.limit(limit, 0)
    refused = await refusal(people, "Max", function, **arguments)
    assert refused["code"] == "PT429" and refused["details"].startswith("Retry-After: ") and limit in refused["hint"]
    tier.limit(limit, None)
    assert by_http(people, "Max", function, arguments) is None, "the row is obeyed by the next statement"


@pytest.mark.asyncio
async def test_what_strangers_may_send_is_refused_in_the_same_words_at_every_door(cluster, people, tier):
    """So many messages before the answer, so many to strangers in an hour, and nothing anew after a decline."""
    people.id("Max", tier.name)
    cluster.psql("update parley.setting set value = 'requests' where name = 'stranger_messages'")
    try:
        conversation = people.conversation("Max", "Bob", message="Hello")
        tier.limit("request_messages", 1)
        unanswered = await refusal(people, "Max", "send_message", conversation_id=conversation, content="Hello?")
        assert (unanswered["code"], unanswered["hint"]) == ("PT403", "Wait for an answer.")
        tier.limit("request_messages", None)
        tier.limit("messages_to_strangers_per_hour", 0)
        often = await refusal(people, "Max", "send_message", conversation_id=conversation, content="Hello?")
        assert often["code"] == "PT429" and "messages_to_strangers_per_hour" in often["hint"]
        tier.limit("messages_to_strangers_per_hour", None)
        people.rpc("Bob", "decline_request", conversation_id=conversation)
        anew = {"participant_ids": [people.id("Bob")], "context_type": "listing", "context_id": "1"}
        declined = await refusal(people, "Max", "start_conversation", **anew)
        assert declined == {"code": "PT403", "message": "You cannot reach this user.", "details": None, "hint": None}
        assert by_http(people, "Max", "send_message", {"conversation_id": conversation, "content": "Hello?"}) is None, "he is not told"
    finally:
        cluster.psql("update parley.setting set value = 'inbox' where name = 'stranger_messages'")


async def until(condition, seconds: float = 10) -> None:
    for _ in range(int(seconds * 20)):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise TimeoutError("not seen")


@pytest.mark.asyncio
async def test_requests_and_commands_share_a_limit_and_receipts_have_their_own(cluster, people, tier):
    people.id("Max", tier.name)
    conversation = people.conversation("Max", "Bob", type="group")
    socket = await Socket.open(people.worker)
    await socket.join(f"conversation:{conversation}", people.token("Max"))

    def refused() -> dict | None:
        return by_http(people, "Max", "get_unread_counts", {})

    before = cluster.psql("select count(*) from parley.rate_bucket")
    tier.limit("requests_per_minute", 0)
    await until(refused)
    assert refused() == {
        "code": "PT429", "message": "Too many requests: the limit of this plan is reached.", "details": "Retry-After: 60",
        "hint": "This plan allows 0 requests a minute: see requests_per_minute in get_entitlements().",
    }
    with pytest.raises(Refused) as send:
        await socket.send_message(conversation, "x")
    assert {key: send.value.response[key] for key in ("code", "message", "details", "hint")} == refused()
    people.rpc("Max", "mark_as_read", conversation_id=conversation)
    await socket.broadcast(f"conversation:{conversation}", "message:read", {"seq": 0})
    assert cluster.psql("select count(*) from parley.rate_bucket") == before, "a request writes no row"
    tier.limit("receipts_per_minute", 0)
    await until(lambda: by_http(people, "Max", "mark_as_read", {"conversation_id": conversation}))
    assert "receipts_per_minute" in by_http(people, "Max", "mark_as_delivered", {"conversation_id": conversation, "seq": 1})["hint"]
    tier.limit("requests_per_minute", 600, 3)
    await until(lambda: not refused())
    answers = [refused() for _ in range(12)]
    assert None in answers and any(answers), "three at once, and ten a second"
    people.rpc("Bob", "get_unread_counts")
    await socket.close()


@pytest.mark.asyncio
async def test_a_smaller_plan_closes_the_sockets_that_are_too_many(cluster, people, tier):
    people.id("Max", tier.name)
    topic = f"user:{people.id('Max')}"
    sockets = [await Socket.open(people.worker) for _ in range(4)]
    for socket in sockets:
        await socket.join(topic, people.token("Max"))
    tier.limit("max_connections", 3)
    assert await asyncio.wait_for(sockets[3].closed, 10) == 1008
    other = Tier(cluster)
    other.limit("max_connections", 1)
    people.worker.rpc("set_account_tier", people.worker.service_key, user_id=people.id("Max"), tier=other.name)
    changed = await sockets[0].event("entitlements:changed")
    assert (changed["tier"], changed["limits"]["max_connections"]["amount"]) == (other.name, 1)
    assert [await asyncio.wait_for(socket.closed, 10) for socket in sockets[1:3]] == [1008, 1008]
    late = await Socket.open(people.worker)
    with pytest.raises((Refused, ConnectionError, TimeoutError)):
        await late.join(topic, people.token("Max"))
        await asyncio.wait_for(late.closed, 10)
        raise ConnectionError
    assert not sockets[0].closed.done()
    await sockets[0].close()


@pytest.mark.asyncio
async def test_an_open_socket_hears_nothing_of_what_its_window_no_longer_shows(cluster, people, tier):
    people.id("Max", tier.name)
    conversation = people.conversation("Ann", "Max", type="group")
    message = people.rpc("Ann", "send_message", conversation_id=conversation, content="long ago")["id"]
    cluster.psql(f"""
        with old as (select parley.uuid_v7(now() - interval '3 days') as id),
        moved as (update parley.message set id = old.id from old where message.id = '{message}' returning message.id),
        told as (update parley.event set message_id = old.id from old where message_id = '{message}')
        select id from moved
    """)
    message = cluster.psql(f"select id from parley.message where conversation_id = '{conversation}' and content = 'long ago'")
    topic = f"conversation:{conversation}"
    ann, max_ = await Socket.open(people.worker), await Socket.open(people.worker)
    await ann.join(topic, people.token("Ann"))
    await max_.join(topic, people.token("Max"))
    people.rpc("Ann", "edit_message", message_id=message, content="shown to both")
    await max_.event("message:updated")
    tier.limit("retention_days", 2)
    await asyncio.sleep(1)
    people.rpc("Ann", "edit_message", message_id=message, content="shown to one")
    people.rpc("Ann", "send_message", conversation_id=conversation, content="now")
    await max_.event("message:new")
    await ann.wait(lambda: len(ann.events("message:updated")) == 2)
    assert [e["message"]["content"] for e in max_.events("message:updated")] == ["shown to both"]
    await ann.close()
    await max_.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("held", [False, True])
async def test_who_is_deleted_from_a_store_by_sql_hears_nothing_more(cluster, people, held):
    """Also where a message was being written while the row was deleted, and is committed after it."""
    store = tenant(cluster, people.id("Ann"), people.id("Bob"), people.id("Cid"))
    conversation = people.conversation("Ann", "Bob", "Cid")
    topic = f"conversation:{conversation}"
    sockets = {}
    for name, where in [("Bob", topic), ("Bob's inbox", f"user:{people.id('Bob')}"), ("Cid", topic)]:
        sockets[name] = await Socket.open(people.worker)
        await sockets[name].join(where, people.token(name.split("'")[0]))
    connection = await asyncpg.connect(cluster.superuser_url)
    claims = json.dumps({"sub": people.id("Ann"), "role": "authenticated"})
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("select set_config('request.jwt.claims', $1, true)", claims)
    if held:
        await connection.execute("select parley_api.send_message($1, 'committed after')", conversation)
    cluster.psql(f"delete from parley.tenant_member where tenant_id = '{store}' and user_id = '{people.id('Bob')}'")
    if not held:
        await connection.execute("select parley_api.send_message($1, 'committed after')", conversation)
    await transaction.commit()
    await connection.close()
    await sockets["Cid"].event("participant:left")
    people.rpc("Ann", "send_message", conversation_id=conversation, content="the end")
    await sockets["Cid"].wait(lambda: any(e["message"]["content"] == "the end" for e in sockets["Cid"].events("message:new")))
    for name in ("Bob", "Bob's inbox"):
        await sockets[name].heartbeat()
        texts = [e["message"]["content"] for e in sockets[name].events("message:new")]
        assert not {"committed after", "the end"} & set(texts), (name, texts)
    with pytest.raises(Refused):
        await sockets["Bob"].join(topic, people.token("Bob"))
    for socket in sockets.values():
        await socket.close()


@pytest.mark.asyncio
async def test_a_subscription_ends_by_itself_for_an_open_socket(cluster, people):
    people.id("Sue", "free")
    socket = await Socket.open(people.worker)
    await socket.join(f"user:{people.id('Sue')}", people.token("Sue"))
    cluster.psql(f"""
        insert into parley.subscription (user_id, tier_name, starts_at, ends_at)
        values ('{people.id("Sue")}', 'privileged', now(), now() + interval '2 seconds')
    """)
    assert (await socket.event("entitlements:changed"))["tier"] == "privileged"
    assert by_http(people, "Sue", "start_conversation", {"participant_ids": [people.id("Bob")]}) is None
    await asyncio.sleep(2.2)
    refused = await refusal(people, "Sue", "start_conversation", participant_ids=[people.id("Cid")])
    assert refused["message"] == "Your plan does not include starting conversations."
    await socket.wait(lambda: len(socket.events("entitlements:changed")) == 2)
    assert socket.events("entitlements:changed")[1]["tier"] == "free"
    await socket.close()
