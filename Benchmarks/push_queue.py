"""Does a claim cost more the longer the queue is? Claims of the same size with 10,000 and with a million jobs waiting.

    make bench-push-queue

Of each ten jobs four are due and of 21 tenants, four due and of one tenant, one is of a route that is paused, and one is
held until later. A claim takes 200 jobs, decides them as ever (each is a message of a conversation) and leases them; they
are settled, and everything commits. The queue grows between the two measurements and nothing else changes; nothing is
analyzed, so that the plans are those of a queue that grew unseen.
"""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from datetime import timedelta
from pathlib import Path

import asyncpg

from lib.bench import Verdict
from parley import Cluster

SMALL, LARGE, CLAIM, ROUNDS, USERS = 10_000, 1_000_000, 200, 20, 1_000

WORLD = f"""
insert into parley.tenant (id, name) select md5('tenant' || n)::uuid, 'Shop ' || n from generate_series(1, 20) n;
insert into parley.account (id, display_name, tier_name)
select md5('user' || n)::uuid, 'User ' || n, 'privileged_plus' from generate_series(0, {USERS}) n;
insert into parley.conversation (id, last_seq) select md5('talk' || n)::uuid, 1 from generate_series(1, {USERS}) n;
insert into parley.conversation_profile (conversation_id, type, tenant_id)
select md5('talk' || n)::uuid, 'group', case when n % 21 > 0 then md5('tenant' || n % 21)::uuid end from generate_series(1, {USERS}) n;
insert into parley.participant (conversation_id, user_id)
select md5('talk' || n)::uuid, u from generate_series(1, {USERS}) n, unnest(array[md5('user0')::uuid, md5('user' || n)::uuid]) u;
insert into parley.message (id, conversation_id, seq, sender_id, created_at, type, content)
select parley.uuid_v7(), md5('talk' || n)::uuid, 1, md5('user0')::uuid, now(), 'text', 'Where are you?' from generate_series(1, {USERS}) n;
insert into parley.push_device (id, user_id, provider, kind, environment, app_id, route, token_hash, token)
select md5('device' || n)::uuid, md5('user' || n)::uuid, 'apns', 'alert', 'production', 'app', 'app',
    sha256(int4send(n)), md5(n::text) || md5(n::text) from generate_series(1, {USERS}) n;
"""
# Of each user as many as it takes; a group of its own for each, as if they were of many conversations.
FILL = f"""
insert into parley.push_job (id, tenant_id, user_id, device_id, conversation_id, message_id, first_seq, last_seq, due_at,
    expires_at, provider, route, lane, kind, state, collapse_key)
select parley.uuid_v7(), coalesce($2::uuid, cp.tenant_id, '{"0" * 8}-0000-0000-0000-{"0" * 12}'), md5('user' || u)::uuid, md5('device' || u)::uuid,
    cp.conversation_id, m.id, 1, 1, now() + $4::interval, now() + interval '1 day', 'apns', $3, 'message', 'message',
    'queued', $5 || n
from generate_series(1, $1::integer) n
cross join lateral (select n % {USERS} + 1 as u) u
inner join parley.conversation_profile cp on cp.conversation_id = md5('talk' || u)::uuid
inner join parley.message m on m.conversation_id = cp.conversation_id
"""
CLAIMED = "select job from parley.claim_push_jobs('bench', '{call,message,quiet}', $1, 'apns', '{paused}') job"
PLAN = """
explain (analyze, buffers, costs off, timing off, summary off)
select j from parley.push_job j
where j.settled_at is null and j.provider = 'apns' and j.lane = 'message' and j.is_sealed = false
    and j.tenant_id = '00000000-0000-0000-0000-000000000000' and j.route = 'app' and j.due_at <= now()
order by j.due_at limit 10 for update skip locked
"""
ONE = uuid.UUID(int=0)


class Queue:
    def __init__(self, connection: asyncpg.Connection):
        self.connection = connection

    async def fill(
        self, count: int, name: str, tenant: uuid.UUID | None = None, route: str = "app", due: timedelta = -timedelta(seconds=1)
    ) -> None:
        await self.connection.execute(FILL, count, tenant, route, due, name)

    async def empty(self) -> None:
        await self.connection.execute("truncate parley.push_job")

    def processor_seconds(self) -> float:
        """Of the server's process, so far: whoever else is at work on this machine does not count."""
        fields = Path(f"/proc/{self.connection.get_server_pid()}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def claims(self) -> float:
        """Milliseconds of processor time of a claim, all of them full."""
        seconds = 0.0
        for _ in range(ROUNDS):
            begun = self.processor_seconds()
            rows = await self.connection.fetch(CLAIMED, CLAIM)
            seconds += self.processor_seconds() - begun
            jobs = [json.loads(row["job"]) for row in rows]
            if len(jobs) != CLAIM:
                raise SystemExit(f"a claim got {len(jobs)} jobs")
            settled = [{"id": job["id"], "claim": job["claim"], "outcome": "delivered"} for job in jobs]
            await self.connection.execute("select parley.settle_push_job('bench', $1)", json.dumps(settled))
        return 1000 * seconds / ROUNDS


async def measure(connection: asyncpg.Connection, verdict: Verdict) -> None:
    await connection.execute(WORLD)
    queue = Queue(connection)
    times = {}
    for size, grown in ((SMALL, SMALL), (LARGE, LARGE - SMALL)):
        await queue.fill(grown * 4 // 10, f"{size} all ")
        await queue.fill(grown * 4 // 10, f"{size} one ", tenant=ONE)
        await queue.fill(grown // 10, f"{size} paused ", route="paused")
        await queue.fill(grown // 10, f"{size} held ", due=timedelta(hours=8))
        times[size] = await queue.claims()
        verdict.row(f"with {size:,} jobs", f"{times[size]:.1f}")
    verdict.promise("a long queue, times a short one", times[LARGE] / times[SMALL], 1.5, at_least=False)
    plan = await connection.fetch(PLAN)
    print("what a claim reads of one group:", *(line[0] for line in plan), sep="\n    ")
    await queue.empty()
    await queue.fill(SMALL, "many ", tenant=ONE)
    await queue.fill(1, "last ", tenant=uuid.UUID(int=1))
    await connection.fetch(CLAIMED, 50)
    served = await connection.fetchval("select count(*) from parley.push_job where collapse_key = 'last 1' and state = 'leased'")
    verdict.promise("one job beside those of a large tenant", served, 1)


async def main() -> None:
    verdict = Verdict(f"a claim of {CLAIM} jobs, ms of processor time, mean of {ROUNDS}")
    with Cluster() as cluster:
        connection = await asyncpg.connect(cluster.superuser_url, command_timeout=600)
        await measure(connection, verdict)
        await connection.close()
    verdict.close()


if __name__ == "__main__":
    asyncio.run(main())
