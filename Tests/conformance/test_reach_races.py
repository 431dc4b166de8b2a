"""What a user may do ends while the worker asks about their join, or while their sends wait: it ends at its place all the same."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest
from parley import RpcError
from sockets import Refused, Socket
from test_reach_access import Tier, tenant

RULE = "parley.discretion_of"
CHANGES = ["another plan", "a subscription that ends", "a limit of the plan", "a store that is left"]


@pytest.fixture
def held_joins(cluster):
    """The database decides a join, and holds the answer back while somebody has the lock of its user."""
    right = cluster.psql(f"select pg_get_functiondef('{RULE}'::regproc)")
    body, end = right.rstrip().rsplit("end;", 1)
    lock = "hashtextextended(discretion_of.user_id::text, 4711)"
    cluster.psql(f"{body} perform pg_advisory_lock_shared({lock}); perform pg_advisory_unlock_shared({lock}); end;{end}")
    yield
    cluster.psql(right)


class Max:
    """A user of a plan of their own who may be in a conversation with Ann, in which there is a message of three days ago."""

    def __init__(self, people):
        self.people, self.cluster = people, people.cluster
        self.large, self.small = Tier(self.cluster), Tier(self.cluster)
        # The higher rank wins: a subscription to the large plan is more than the small one.
        self.cluster.psql(f"update parley.tier set rank = rank + 1000000 where name = '{self.large.name}'")
        self.small.limit("retention_days", 2)
        self.small.limit("messages_per_minute", 0)
        self.small.limit("max_connections", 1)
        self.id = people.id("Max", self.large.name)
        self.store = tenant(self.cluster, self.id, people.id("Ann"))
        self.conversation = people.conversation("Ann", "Max", type="group")
        self.topic = f"conversation:{self.conversation}"
        sent = people.rpc("Ann", "send_message", conversation_id=self.conversation, content="long ago")["id"]
        self.old = self.cluster.psql(f"""
            with old as (select parley.uuid_v7(now() - interval '3 days') as id),
            moved as (update parley.message set id = old.id from old where message.id = '{sent}' returning message.id),
            told as (update parley.event set message_id = old.id from old where message_id = '{sent}')
            select id from moved
        """)

    def subscribe(self) -> None:
        self.cluster.psql(f"""
            update parley.account set tier_name = '{self.small.name}' where id = '{self.id}';
            insert into parley.subscription (user_id, tier_name, starts_at) values ('{self.id}', '{self.large.name}', now() - interval '1 day')
        """)

    def change(self, what: str) -> str:
        """As host SQL."""
        if what == "another plan":
            return f"update parley.account set tier_name = '{self.small.name}' where id = '{self.id}'"
        if what == "a subscription that ends":
            return f"update parley.subscription set ends_at = clock_timestamp() where user_id = '{self.id}'"
        if what == "a limit of the plan":
            return f"""
                update parley.tier_limit as l set amount = s.amount from parley.tier_limit as s
                where s.tier_name = '{self.small.name}' and l.tier_name = '{self.large.name}' and s.name = l.name
            """
        return f"delete from parley.tenant_member where user_id = '{self.id}'"

    def edit(self, content: str) -> None:
        self.people.rpc("Ann", "edit_message", message_id=self.old, content=content)

    def say(self, content: str) -> None:
        self.people.rpc("Ann", "send_message", conversation_id=self.conversation, content=content)

    @contextlib.asynccontextmanager
    async def held(self, *sockets: Socket) -> AsyncIterator[list[asyncio.Task]]:
        """Joins of these sockets that are decided, and whose answers are on their way until the end of the block."""
        connection = await asyncpg.connect(self.cluster.superuser_url)
        try:
            await connection.execute("select pg_advisory_lock(hashtextextended($1, 4711))", self.id)
            joins = [asyncio.create_task(socket.join(self.topic, self.people.token("Max"))) for socket in sockets]
            await waiters(connection, "advisory", len(sockets))
            yield joins
        finally:
            await connection.close()
        await asyncio.wait(joins, timeout=30)


async def waiters(connection: asyncpg.Connection, kind: str, count: int) -> None:
    """That so many wait for a lock which this connection has."""
    for _ in range(1500):
        waiting = await connection.fetchval(
            "select count(*) from pg_locks as l where not l.granted and l.locktype = any ($1)"
            " and pg_backend_pid() = any (pg_blocking_pids(l.pid))", kind.split())
        if waiting >= count:
            return
        await asyncio.sleep(0.02)
    raise TimeoutError("nobody waits for the lock")


def heard(socket: Socket) -> list[str]:
    said = [*socket.events("message:new"), *socket.events("message:updated")]
    return [event["message"]["content"] for event in said if event["message"]["type"] != "system"]


@pytest.mark.asyncio
@pytest.mark.parametrize("known", [False, True], ids=["of an unknown user", "of a known user"])
@pytest.mark.parametrize("what", CHANGES)
async def test_a_join_that_was_decided_before(held_joins, people, what, known):
    """It ends after the database has decided a join, and the worker has passed that before the answer is there."""
    max_ = Max(people)
    if what == "a subscription that ends":
        max_.subscribe()
    if known:
        # the worker asks for the limits with the first request
        people.rpc("Max", "get_unread_counts")
    witness, socket = await Socket.open(people.worker), await Socket.open(people.worker)
    await witness.join(max_.topic, people.token("Ann"))
    await witness.join(f"user:{people.id('Ann')}", people.token("Ann"))
    async with max_.held(socket) as joins:
        max_.edit("before")
        max_.cluster.psql(max_.change(what))
        max_.edit("after")
        max_.say("passed")
        await witness.wait(lambda: "passed" in heard(witness))
        assert not joins[0].done()
    assert joins[0].exception() is None
    if what == "a store that is left":
        await socket.wait(lambda: any(m["event"] == "phx_close" for m in socket.messages))
        max_.edit("later")
        await witness.wait(lambda: "later" in heard(witness))
        await socket.heartbeat()
        # what came before it was the user's
        assert set(heard(socket)) <= {"before"}
    else:
        await socket.wait(lambda: "passed" in heard(socket))
        if what != "a limit of the plan":
            assert "after" not in heard(socket)
        for turn in range(200):
            max_.edit(f"old {turn}")
            max_.say(f"new {turn}")
            await socket.wait(lambda: f"new {turn}" in heard(socket))
            # rows of limits are read again when the log says so, which takes a moment
            if f"old {turn}" not in heard(socket):
                break
            assert what == "a limit of the plan"
        else:
            raise AssertionError("the worker keeps to the larger plan")
    await witness.close()
    await socket.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("what", CHANGES[:3])
async def test_joins_of_more_sockets_than_the_plan_has_left(held_joins, people, what):
    max_ = Max(people)
    if what == "a subscription that ends":
        max_.subscribe()
    witness, sockets = await Socket.open(people.worker), [await Socket.open(people.worker) for _ in range(2)]
    await witness.join(max_.topic, people.token("Ann"))
    async with max_.held(*sockets):
        max_.cluster.psql(max_.change(what))
        max_.say("passed")
        await witness.wait(lambda: "passed" in heard(witness))
    done, _ = await asyncio.wait([socket.closed for socket in sockets], timeout=30, return_when=asyncio.FIRST_COMPLETED)
    assert [future.result() for future in done] == [1008]
    left = next(socket for socket in sockets if not socket.closed.done())
    await left.wait(lambda: "passed" in heard(left))
    for socket in (witness, left):
        await socket.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("what", CHANGES)
async def test_sends_that_the_worker_has_accepted(people, what):
    """The first waits for the conversation, the others for the first, and the change commits before any of them."""
    max_ = Max(people)
    if what == "a subscription that ends":
        max_.subscribe()
    socket, witness = await Socket.open(people.worker), await Socket.open(people.worker)
    await socket.join(max_.topic, people.token("Max"))
    await witness.join(f"user:{people.id('Ann')}", people.token("Ann"))
    host = await asyncpg.connect(max_.cluster.superuser_url)
    try:
        async with host.transaction():
            await host.execute("select from parley.conversation where id = $1 for update", uuid.UUID(max_.conversation))
            sends = [asyncio.create_task(socket.send_message(max_.conversation, f"sent {n}")) for n in range(3)]
            await waiters(host, "transactionid tuple", 1)
            await host.execute(max_.change(what))
    finally:
        await host.close()
    answers = await asyncio.gather(*sends, return_exceptions=True)
    codes = [answer.response["code"] if isinstance(answer, Refused) else "sent" for answer in answers]
    refused = "PT403" if what == "a store that is left" else "PT429"
    # the plan of a send is the one of the moment at which it began; membership is asked for under the lock
    assert codes[1:] == [refused] * 2 and codes[0] in ({refused} if refused == "PT403" else {"sent", refused}), codes
    with pytest.raises(RpcError) as later:
        people.rpc("Max", "send_message", conversation_id=max_.conversation, content="later")
    assert later.value.body["code"] == refused
    max_.say("passed")
    await witness.wait(lambda: "passed" in heard(witness))
    assert [text for text in heard(witness) if text != "passed"] == ["sent 0"] * (codes[0] == "sent")
    await socket.close()
    await witness.close()
