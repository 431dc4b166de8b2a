"""A removed participant's open sockets receive nothing that was committed after the removal, in every interleaving."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal

import asyncpg
import pytest
from parley import Cluster, Worker
from sockets import Refused, Socket


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as cluster:
        cluster.psql("update parley.tier_limit set amount = null where period_seconds is not null")
        yield cluster


@pytest.fixture(scope="module")
def worker(cluster):
    with Worker(cluster, "--log-level", "warning", "--client-events-per-second", "1000") as worker:
        yield worker


class Group:
    """An admin, a member who will be removed, and another who stays to see that messages do flow."""

    def __init__(self, cluster: Cluster, worker: Worker):
        self.cluster, self.worker = cluster, worker
        self.admin, self.member, self.other = (cluster.account(name) for name in ("Admin", "Member", "Other"))
        self.id = self.rpc(self.admin, "start_conversation", participant_ids=[self.member, self.other], type="group")["id"]
        self.topic = f"conversation:{self.id}"

    def rpc(self, user: str, function: str, **arguments):
        return self.worker.rpc(function, self.worker.token(user), **arguments)

    async def call(self, user: str, function: str, **arguments):
        return await asyncio.get_running_loop().run_in_executor(None, lambda: self.rpc(user, function, **arguments))

    async def remove(self) -> None:
        await self.call(self.admin, "remove_participant", conversation_id=self.id, user_id=self.member)

    def removal_seq(self) -> int:
        return int(self.cluster.psql(
            f"select event_seq from parley.event where conversation_id = '{self.id}' and kind = 'participant:left'"
        ))

    async def watch(self, user: str, topic: str | None = None) -> Socket:
        socket = await Socket.open(self.worker)
        await socket.join(topic or self.topic, self.worker.token(user))
        return socket

    async def all_delivered(self, witness: Socket) -> None:
        """Returns when the worker has fanned out everything that is committed now."""
        marker = await self.call(self.admin, "send_message", conversation_id=self.id, content="marker")
        await witness.wait(lambda: any(e["message"]["id"] == marker["id"] for e in witness.events("message:new")))

    def check(self, *sockets: Socket) -> None:
        last = self.removal_seq()
        for socket in sockets:
            seen = [event["event_seq"] for event in socket.events() if event.get("conversation_id") == self.id and "event_seq" in event]
            assert all(seq <= last for seq in seen), f"received {[s for s in seen if s > last]} after the removal at {last}"


@pytest.mark.asyncio
@pytest.mark.parametrize("round", range(12))
async def test_removal_while_messages_flow(cluster, worker, round):
    chance = random.Random(round)
    group = Group(cluster, worker)
    mine = [await group.watch(group.member), await group.watch(group.member, f"user:{group.member}")]
    witness = await group.watch(group.other)
    flowing = True

    async def flood(user: str) -> None:
        n = 0
        while flowing:
            n += 1
            await group.call(user, "send_message", conversation_id=group.id, content=f"flood {n}")

    floods = [asyncio.create_task(flood(group.admin)), asyncio.create_task(flood(group.other))]
    await asyncio.sleep(chance.random() * 0.2)
    await group.remove()
    await asyncio.sleep(0.1)
    flowing = False
    await asyncio.gather(*floods)
    await group.all_delivered(witness)
    for socket in mine:
        await socket.heartbeat()
    group.check(*mine)
    assert len(witness.events("message:new")) > 2
    # The channel was closed with the protocol's words; the socket is alive, and a new join is refused.
    await mine[0].wait(lambda: any(m["event"] == "phx_close" for m in mine[0].messages))
    assert any("permission" in m["payload"]["message"] for m in mine[0].messages if m["event"] == "system")
    with pytest.raises(Refused):
        await mine[0].join(group.topic, worker.token(group.member))
    with pytest.raises(Refused):
        await mine[0].send_message(group.id, "let me in")
    for socket in [*mine, witness]:
        await socket.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("commit_first", [True, False])
async def test_removal_held_open_while_the_member_joins(cluster, worker, commit_first):
    """The join's check sees the member, the removal commits before or after the join is answered."""
    group = Group(cluster, worker)
    witness = await group.watch(group.other)
    connection = await asyncpg.connect(cluster.superuser_url)
    removal = connection.transaction()
    await removal.start()
    claims = json.dumps({"sub": group.admin, "role": "authenticated"})
    await connection.execute("select set_config('request.jwt.claims', $1, true)", claims)
    await connection.execute("set local role authenticated")
    await connection.execute(
        "select parley_api.remove_participant(conversation_id => $1, user_id => $2)", group.id, group.member
    )
    sockets = [await Socket.open(worker) for _ in range(10)]

    async def join(socket: Socket, topic: str) -> bool:
        try:
            await socket.join(topic, worker.token(group.member))
        except Refused:
            return False
        return True

    joins = [
        asyncio.create_task(join(socket, group.topic if n % 2 else f"user:{group.member}")) for n, socket in enumerate(sockets)
    ]
    if commit_first:
        await removal.commit()
        await asyncio.gather(*joins)
    else:
        assert all(await asyncio.gather(*joins)), "a removal that was not committed kept the member out"
        await removal.commit()
    await connection.close()
    for n in range(5):
        await group.call(group.admin, "send_message", conversation_id=group.id, content=f"after {n}")
    await group.all_delivered(witness)
    for socket in sockets:
        await socket.heartbeat()
    group.check(*sockets)
    for socket in [*sockets, witness]:
        await socket.close()


@pytest.mark.asyncio
async def test_removal_and_messages_while_the_worker_is_stopped(cluster, worker):
    """All of it is in one read of the log: the worker applies the removal at its position, not at the end."""
    group = Group(cluster, worker)
    mine = [await group.watch(group.member), await group.watch(group.member, f"user:{group.member}")]
    witness = await group.watch(group.other)

    def as_admin(call: str) -> str:
        claims = json.dumps({"sub": group.admin, "role": "authenticated"})
        return f"select set_config('request.jwt.claims', '{claims}', true); set local role authenticated; select {call}; commit"

    first = group.rpc(group.admin, "send_message", conversation_id=group.id, content="seen by all")["id"]
    for socket in [*mine, witness]:
        await socket.event("message:new")
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        for call in [
            f"parley_api.edit_message(message_id => '{first}', content => 'edited before')",
            f"parley_api.remove_participant(conversation_id => '{group.id}', user_id => '{group.member}')",
            # Events before the removal are rendered after it: they must not carry what was written since.
            f"parley_api.edit_message(message_id => '{first}', content => 'edited after')",
            f"parley_api.add_reaction(message_id => '{first}', emoji => '🤫')",
            f"parley_api.send_message(conversation_id => '{group.id}', content => 'after')",
        ]:
            cluster.psql("begin; " + as_admin(call), cluster.superuser_url)
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    await group.all_delivered(witness)
    for socket in mine:
        await socket.heartbeat()
        received = json.dumps(socket.messages)
        assert "seen by all" in received
        for later in ("edited after", "\\ud83e\\udd2b", '"after"'):
            assert later not in received, later
    # Who was removed learns that, and nothing more.
    assert mine[1].events("participant:left")[0]["user_id"] == group.member
    group.check(*mine)
    contents = [event["message"]["content"] for kind in ("message:new", "message:updated") for event in witness.events(kind)]
    assert "after" in contents and "edited after" in contents
    for socket in [*mine, witness]:
        await socket.close()


@pytest.mark.asyncio
async def test_leaving_and_coming_back(cluster, worker):
    """Nothing of the time in between, everything from the return on."""
    group = Group(cluster, worker)
    inbox = await group.watch(group.member, f"user:{group.member}")
    witness = await group.watch(group.other)
    await group.call(group.member, "leave_conversation", conversation_id=group.id)
    await group.call(group.admin, "send_message", conversation_id=group.id, content="while away")
    await group.all_delivered(witness)
    await group.call(group.admin, "add_participants", conversation_id=group.id, participant_ids=[group.member])
    await group.call(group.admin, "send_message", conversation_id=group.id, content="welcome back")
    await inbox.wait(lambda: any(e["message"]["content"] == "welcome back" for e in inbox.events("message:new")))
    contents = [event["message"]["content"] for event in inbox.events("message:new")]
    assert "while away" not in contents and "marker" not in contents
    for socket in [inbox, witness]:
        await socket.close()


@pytest.mark.asyncio
async def test_ephemeral_events_stop_with_the_removal(cluster, worker):
    group = Group(cluster, worker)
    mine, other = await group.watch(group.member), await group.watch(group.other)
    await other.broadcast(group.topic, "typing:start", {})
    await mine.event("typing:start")
    await group.remove()
    await other.event("participant:left")
    await asyncio.sleep(1.1)
    await other.broadcast(group.topic, "typing:start", {})
    await other.broadcast(group.topic, "wave", {"a": 1})
    await mine.heartbeat()
    assert len(mine.events("typing:start")) == 1 and mine.events("wave") == []
    with pytest.raises(Refused):
        await mine.broadcast(group.topic, "typing:start", {})
    for socket in [mine, other]:
        await socket.close()


@pytest.mark.asyncio
async def test_revoked_sessions_close_every_channel(cluster, worker):
    group = Group(cluster, worker)
    mine = [await group.watch(group.member), await group.watch(group.member, f"user:{group.member}")]
    old = worker.token(group.member)
    worker.rpc("revoke_sessions", worker.service_key, user_id=group.member)
    for socket in mine:
        await socket.wait(lambda: any(m["event"] == "phx_close" for m in socket.messages))
        with pytest.raises(Refused):
            await socket.join(group.topic, old)
        await socket.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("column", ["suspended_at", "deleted_at"])
async def test_a_closed_account_loses_every_channel(cluster, worker, column):
    """Whoever writes the row: no function is called, and what is committed after it reaches nobody of that account."""
    group = Group(cluster, worker)
    mine = [await group.watch(group.member), await group.watch(group.member, f"user:{group.member}")]
    witness = await group.watch(group.other)
    before = await group.call(group.admin, "send_message", conversation_id=group.id, content="before")
    token = worker.token(group.member)
    # In one transaction with a message before it, and one after it.
    claims = json.dumps({"sub": group.admin, "role": "authenticated"})

    def send(content: str) -> str:
        call = f"parley_api.send_message(conversation_id => '{group.id}', content => '{content}')"
        return (
            f"select set_config('request.jwt.claims', '{claims}', true); set local role authenticated; select {call};"
            "reset role;"
        )

    close = f"update parley.account set {column} = now() where id = '{group.member}';"
    cluster.psql(
        f"begin; {send('in the same transaction')} {close} commit; begin; {send('after')} commit", cluster.superuser_url
    )
    await group.all_delivered(witness)
    # without the notice that an erased user has left
    said = [event["message"] for event in witness.events("message:new") if event["message"]["type"] != "system"]
    contents = [message["content"] for message in said]
    assert contents[:3] == ["before", "in the same transaction", "after"]
    for socket in mine:
        await socket.wait(lambda: any(m["event"] == "phx_close" for m in socket.messages))
        await socket.heartbeat()
        received = [event["message"]["content"] for event in socket.events("message:new")]
        # An erased user is out of the conversation: what is read after that may be less, never more.
        assert received == contents[:2] or (column == "deleted_at" and received == contents[:1])
        assert socket.events("message:new")[0]["message"]["id"] == before["id"]
        with pytest.raises(Refused):
            await socket.join(group.topic, token)
        await socket.close()
    await witness.close()


@pytest.mark.asyncio
async def test_an_account_suspended_while_it_joins(cluster, worker):
    """The join's check sees an open account, and the suspension commits before it is answered."""
    group = Group(cluster, worker)
    witness = await group.watch(group.other)
    connection = await asyncpg.connect(cluster.superuser_url)
    suspension = connection.transaction()
    await suspension.start()
    await connection.execute("update parley.account set suspended_at = now() where id = $1", group.member)
    sockets = [await Socket.open(worker) for _ in range(10)]
    joins = [
        asyncio.create_task(socket.join(group.topic if n % 2 else f"user:{group.member}", worker.token(group.member)))
        for n, socket in enumerate(sockets)
    ]
    await asyncio.sleep(random.random() * 0.02)
    await suspension.commit()
    await asyncio.gather(*joins, return_exceptions=True)
    await connection.close()
    await group.call(group.admin, "send_message", conversation_id=group.id, content="after")
    await group.all_delivered(witness)
    for socket in sockets:
        await socket.heartbeat()
        assert socket.events("message:new") == []
        await socket.close()
    await witness.close()


class Tenant:
    """A tenant with a moderator, who also has a conversation and an inbox, and one more who stays."""

    def __init__(self, cluster: Cluster, worker: Worker):
        self.cluster, self.worker = cluster, worker
        self.moderator, self.other = cluster.account("Moderator"), cluster.account("Other")
        self.id = cluster.psql("insert into parley.tenant (name) values ('Store') returning id")
        for user in (self.moderator, self.other):
            self.give(user, "moderator")
        self.topic = f"tenant:{self.id}:moderation"

    def give(self, user: str, role: str) -> None:
        self.worker.rpc("set_tenant_member", self.worker.service_key, tenant_id=self.id, user_id=user, role=role)

    async def watch(self, user: str, *topics: str) -> Socket:
        socket = await Socket.open(self.worker)
        for topic in topics or [self.topic]:
            await socket.join(topic, self.worker.token(user))
        return socket

    def end(self, how: str) -> None:
        if how == "demoted":
            self.give(self.moderator, "member")
        elif how == "removed":
            self.worker.rpc(
                "remove_tenant_member", self.worker.service_key, tenant_id=self.id, user_id=self.moderator
            )
        else:
            self.cluster.psql(
                f"delete from parley.tenant_member where user_id = '{self.moderator}' and tenant_id = '{self.id}'"
            )


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["demoted", "removed", "deleted by hand"])
async def test_who_moderates_no_more_loses_the_moderation(cluster, worker, how):
    tenant, elsewhere = Tenant(cluster, worker), Tenant(cluster, worker)
    elsewhere.give(tenant.moderator, "owner")
    inbox = f"user:{tenant.moderator}"
    mine = await tenant.watch(tenant.moderator, tenant.topic, elsewhere.topic, inbox)
    service = await Socket.open(worker)
    await service.join(tenant.topic, worker.service_key)
    await service.join(elsewhere.topic, worker.service_key)
    witness = await tenant.watch(tenant.other)
    await service.broadcast(tenant.topic, "report", {"n": 1})
    await mine.event("report")
    tenant.end(how)
    await mine.wait(lambda: any(m["event"] == "phx_close" for m in mine.messages))
    assert [m["topic"] for m in mine.messages if m["event"] == "phx_close"] == [f"realtime:{tenant.topic}"]
    assert (await mine.event("moderation:revoked"))["tenant_id"] == tenant.id
    await service.broadcast(tenant.topic, "report", {"n": 2})
    await service.broadcast(elsewhere.topic, "report", {"n": 3})
    await witness.wait(lambda: len(witness.events("report")) == 2)
    await mine.wait(lambda: len(mine.events("report")) == 2)
    assert [event["n"] for event in mine.events("report")] == [1, 3]
    with pytest.raises(Refused):
        await mine.join(tenant.topic, worker.token(tenant.moderator))
    # The inbox is alive.
    worker.rpc("set_account_tier", worker.service_key, user_id=tenant.moderator, tier="privileged")
    await mine.event("account:updated", inbox)
    for socket in (mine, witness, service):
        await socket.close()


@pytest.mark.asyncio
async def test_another_role_that_moderates_keeps_the_moderation(cluster, worker):
    tenant = Tenant(cluster, worker)
    mine = await tenant.watch(tenant.moderator, tenant.topic, f"user:{tenant.moderator}")
    tenant.give(tenant.moderator, "manager")
    worker.rpc("set_account_tier", worker.service_key, user_id=tenant.moderator, tier="privileged")
    await mine.event("account:updated")
    await mine.heartbeat()
    assert not any(m["event"] == "phx_close" for m in mine.messages)
    await mine.close()


@pytest.mark.asyncio
async def test_a_moderator_demoted_while_joining(cluster, worker):
    """The join's check sees a moderator; the demotion commits before or after it is answered."""
    tenant = Tenant(cluster, worker)
    connection = await asyncpg.connect(cluster.superuser_url)
    demotion = connection.transaction()
    await demotion.start()
    await connection.execute("select parley.set_tenant_member($1, $2)", tenant.id, tenant.moderator)
    sockets = [await Socket.open(worker) for _ in range(10)]
    joins = [asyncio.create_task(socket.join(tenant.topic, worker.token(tenant.moderator))) for socket in sockets]
    await asyncio.sleep(random.random() * 0.02)
    await demotion.commit()
    answers = await asyncio.gather(*joins, return_exceptions=True)
    await connection.close()
    for socket, answer in zip(sockets, answers):
        if isinstance(answer, BaseException):
            assert isinstance(answer, Refused), answer
        else:
            await socket.wait(lambda: any(m["event"] == "phx_close" for m in socket.messages))
        await socket.close()
