"""Four people with two devices each do with calls whatever comes to mind, all at once. Nothing may deadlock, every refusal
is one of the documented ones, and what is left must make sense: each call rang once, ended once, and was told of once."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter

import asyncpg
import pytest
from parley import Cluster

pytestmark = pytest.mark.asyncio

NAMES = ("Ann", "Bob", "Cid", "Dan")
STEPS = 150
ACTS = ["start"] * 3 + ["accept"] * 2 + ["decline"] * 3 + ["cancel"] + ["end"] + ["signal"] * 3 + ["members", "clock"]
REFUSALS = {"PT400", "PT403", "PT404", "PT409"}


class Device:
    """One device of one user, with a connection of its own."""

    def __init__(self, user: str, name: str, connection: asyncpg.Connection, world: World):
        self.user, self.name, self.connection, self.world = user, name, connection, world
        self.chance = random.Random(f"{world.seed} {user} {name}")

    async def call(self, function: str, *arguments: object) -> dict | None:
        places = ", ".join(f"${n}" for n in range(1, len(arguments) + 1))
        try:
            async with self.connection.transaction():
                claims = json.dumps({"sub": self.user, "role": "authenticated"})
                await self.connection.execute("select set_config('request.jwt.claims', $1, true)", claims)
                await self.connection.execute("set local role authenticated")
                answer = await self.connection.fetchval(f"select parley_api.{function}({places})", *arguments)
        except asyncpg.PostgresError as error:
            self.world.outcomes[function, error.sqlstate] += 1
            return None
        self.world.outcomes[function, "ok"] += 1
        return json.loads(answer)

    async def step(self) -> None:
        world, chance = self.world, self.chance
        conversation = chance.choice(world.pair + [world.group] * 3 if self.user in world.users[:2] else [world.group])
        call = world.calls.get(conversation)
        match chance.choice(ACTS):
            case "start":
                answer = await self.call("start_call", conversation, chance.choice(["voice", "video"]), self.name)
                if answer:
                    world.calls[answer["conversation_id"]] = answer["id"]
                    if chance.random() < 0.2:
                        await self.call("cancel_call", answer["id"])
            case "accept" if call:
                await self.call("accept_call", call, self.name)
            case "decline" if call:
                await self.call("decline_call", call, chance.random() < 0.5)
            case "cancel" if call:
                await self.call("cancel_call", call)
            case "end" if call:
                await self.call("end_call", call, self.name if chance.random() < 0.5 else None)
            case "signal" if call:
                other, kind = chance.choice(world.users), chance.choice(["offer", "answer", "ice"])
                await self.call("signal_call", call, other, kind, json.dumps({"n": chance.random()}))
            case "members":
                other = chance.choice(world.users[1:])
                if chance.random() < 0.3:
                    await self.call("remove_participant", world.group, other)
                else:
                    await self.call("add_participants", world.group, [other])
            case "clock":
                async with self.connection.transaction():
                    if chance.random() < 0.3:
                        await self.connection.execute(
                            """update parley.call set due_at = now() where id = (
                                select id from parley.call where ended_at is null limit 1 for no key update skip locked)""")
                    await self.connection.execute("select parley.expire_calls()")


class World:
    def __init__(self, seed: int):
        self.seed = seed
        self.users: list[str] = []
        self.pair: list[str] = []
        self.group = ""
        self.calls: dict[str, str] = {}
        self.outcomes: Counter = Counter()


# Whatever is wrong with a call, by what is wrong. The system message comes right after the last event of its call.
WRONG = """
with step as (
    select e.conversation_id, (e.data ->> 'call_id')::uuid as call_id, e.kind, e.event_seq, e.actor_id
    from parley.event e where e.kind like 'call:%' and e.conversation_id is not null
), told as (
    select m.conversation_id, (m.metadata ->> 'call_id')::uuid as call_id, m.metadata, e.event_seq
    from parley.message m inner join parley.event e on e.message_id = m.id and e.kind = 'message:new'
    where m.metadata ->> 'event' = 'call_ended'
), fault as (
    select c.id, f.fault
    from parley.call c
    cross join lateral (values
        ('did not ring once, first of all', 1 <> (select count(*) from step s where s.call_id = c.id and s.kind = 'call:ring')
            or c.event_seq <> (select min(s.event_seq) from step s where s.call_id = c.id)),
        ('was answered without a call:accepted', (c.answered_at is not null) <> exists (
            select from step s where s.call_id = c.id and s.kind = 'call:accepted' and s.actor_id <> c.initiator_id)),
        ('was not told of once', (c.ended_at is not null)::integer <> (select count(*) from told t where t.call_id = c.id)),
        ('goes on after its end', exists (
            select from told t, step s where t.call_id = c.id and s.call_id = c.id and s.event_seq > t.event_seq)),
        ('is told of too late', exists (
            select from told t where t.call_id = c.id
                and t.event_seq <> 1 + (select max(s.event_seq) from step s where s.call_id = c.id))),
        ('ended otherwise than was told', exists (
            select from told t where t.call_id = c.id and (t.metadata ->> 'outcome') is distinct from c.outcome)),
        ('has somebody in it after its end', c.ended_at is not null and exists (
            select from parley.call_participant p where p.call_id = c.id and p.state in ('ringing', 'accepted'))),
        ('is open with nobody in it', c.ended_at is null and not exists (
            select from parley.call_participant p where p.call_id = c.id and p.state = 'accepted')),
        ('rings for nobody', c.state = 'ringing' and not exists (
            select from parley.call_participant p where p.call_id = c.id and p.state = 'ringing')),
        ('has somebody in it who left the conversation', exists (
            select from parley.call_participant p inner join parley.participant q
                on p.conversation_id = q.conversation_id and p.user_id = q.user_id
            where p.call_id = c.id and p.state in ('ringing', 'accepted') and q.left_at is not null)),
        ('left something said behind', c.ended_at is not null and exists (
            select from parley.call_signal s where s.call_id = c.id))
    ) f (fault, is_so)
    where f.is_so
)
select fault || ': ' || string_agg(id::text, ' ') from fault group by fault
union all
select 'two open calls of two people' from (
    select d.user_low, d.user_high from parley.call c inner join parley.direct_conversation d using (conversation_id)
    where c.state = 'ringing' and c.due_at > now() group by 1, 2
    having count(*) > 1 and count(distinct c.initiator_id) > 1
) x
union all
select 'a gap in the log of ' || c.id from parley.conversation c
where c.last_event_seq <> (select count(*) from parley.event e where e.conversation_id = c.id)
    or c.last_seq <> (select count(*) from parley.message m where m.conversation_id = c.id)
"""


async def test_calls_at_random():
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    with Cluster() as cluster:
        cluster.psql("update parley.tier_limit set amount = null, burst = null where period_seconds is not null")
        world = World(seed)
        world.users = [cluster.account(name) for name in NAMES]
        connections = [await asyncpg.connect(cluster.superuser_url) for _ in range(2 * len(NAMES))]
        try:
            devices = [
                Device(user, name, connections.pop(0), world) for user in world.users for name in ("phone", "laptop")
            ]
            ann, bob = devices[0], devices[2]
            world.pair = [(await ann.call("start_conversation", [bob.user]))["id"]]
            for listing in ("7", "8"):
                arguments = ([bob.user], "direct", None, "listing", listing)
                world.pair.append((await ann.call("start_conversation", *arguments))["id"])
            world.group = (await ann.call("start_conversation", world.users[1:], "group"))["id"]

            async def play(device: Device) -> None:
                for _ in range(STEPS):
                    await device.step()

            await asyncio.gather(*(play(device) for device in devices))
            print(world.outcomes)
            wrong = cluster.psql(WRONG)
            assert not wrong, wrong
            # None of these would be an answer to give: above all no deadlock.
            unexpected = {key: n for key, n in world.outcomes.items() if key[1] not in REFUSALS | {"ok", "40001"}}
            assert not unexpected, unexpected
            for function in ("start_call", "accept_call", "decline_call", "cancel_call", "end_call", "signal_call"):
                assert world.outcomes[function, "ok"] > 0, world.outcomes
            outcomes = cluster.psql("select count(distinct outcome) from parley.call where ended_at is not null")
            assert int(outcomes) >= 3, "too few ways to end were tried"
        finally:
            for device in devices:
                await device.connection.close()
