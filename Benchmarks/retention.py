"""A year of messages is retired and purged while people send and read: does the purge take what was foretold, and who waits?

    make bench-retention                     5 million messages of 50,000 users; SCALE=0.01 makes it short

A throw-away cluster without fsync. A first pass, as of 31 days ago, retires what no window reached then. The preview of
today's pass is kept, message by message; then the pass runs in steps of 1,000, as the job does. Postgres is killed in the
middle of the twentieth; from the next on, one client sends and another reads pages. Promises: what went is what was
foretold, by key, count, size and checksum, and what was retired is, by key and count; what is held is still there; nothing
hangs on what has gone; a second pass finds nothing; sends and pages take at p99 at most twice as long as when it is quiet,
before the crash or after the pass, whichever is shorter; the session that purges stays small; months that are empty are
detached and dropped, and the disk has them back; of what went from the others most is free for other rows.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import asyncpg

from lib.bench import Verdict
from parley import Cluster
from year import ORPHANS, make_year

SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
QUIET_SECONDS = 20 if SCALE >= 0.1 else 5
SEND = "select parley_api.send_message($1, 'hello') ->> 'seq'"
FREE = "select c.relname, (pgstattuple(c.oid)).free_space from pg_class c where c.relname ~ '^message_\\d{4}_\\d\\d$'"
READ = "select count(*) from jsonb_array_elements(parley_api.get_conversation_messages($1) -> 'messages')"


def quantile(values: list[float], q: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * q))] if values else 0.0


def check(verdict: Verdict, name: str, kept: bool) -> None:
    verdict.promise(name, float(kept), 1)


class Client:
    """Sends or reads, one call after the other, and notes how long each took."""

    def __init__(self, connection: asyncpg.Connection, sql: str, pairs: list[tuple[str, str]]):
        self.connection, self.sql, self.pairs = connection, sql, pairs
        self.times: list[float] = []

    async def run(self, until: asyncio.Event) -> None:
        number = 0
        while not until.is_set():
            conversation, user = self.pairs[number % len(self.pairs)]
            number += 1
            await self.connection.execute(
                "select set_config('request.jwt.claims', $1, false)", json.dumps({"sub": user, "role": "authenticated"}))
            start = time.perf_counter()
            await self.connection.fetchval(self.sql, conversation)
            self.times.append(time.perf_counter() - start)
            await asyncio.sleep(0.002)


async def connected(cluster: Cluster, pairs: list[tuple[str, str]]) -> list[Client]:
    """One that sends and one that reads, both warm."""
    clients = []
    for sql in (SEND, READ):
        connection = await asyncpg.connect(cluster.superuser_url)
        await connection.execute("set role authenticated")
        clients.append(Client(connection, sql, pairs))
    await load(clients, asyncio.sleep(2))
    return clients


async def load(clients: list[Client], work) -> list[float]:
    """Runs the clients while `work` is under way; returns the p99 of each, in milliseconds."""
    done = asyncio.Event()
    for client in clients:
        client.times = []
    tasks = [asyncio.create_task(client.run(done)) for client in clients]
    await work
    done.set()
    await asyncio.gather(*tasks)
    return [1000 * quantile(client.times, 0.99) for client in clients]


async def passes(connection: asyncpg.Connection, as_of: str) -> dict:
    """One whole pass, step by step."""
    while True:
        step = json.loads(await connection.fetchval(f"select parley.retention_run({as_of})"))
        if not step["more"]:
            return step


async def step_and_crash(cluster: Cluster, owner: asyncpg.Connection, as_of: str, steps: int) -> asyncpg.Connection:
    """Some steps of the pass, then SIGKILL of Postgres in the middle of one more. Returns a connection to it as it comes back."""
    for _ in range(steps):
        await owner.fetchval(f"select parley.retention_run({as_of})")
    await owner.execute("begin")
    torn = json.loads(await owner.fetchval(f"select parley.retention_run({as_of})"))
    print(f"killed in the middle of step {torn['steps']}, with {torn['purged']} purged")
    cluster.command("kill9")
    owner.terminate()
    cluster.command("restart")
    return await asyncpg.connect(cluster.superuser_url)


class Memory:
    """The most memory of its own (not the shared buffers) that a session of the server was seen with, in MB."""

    def __init__(self, pid: int):
        self.status, self.peak = Path(f"/proc/{pid}/status"), 0.0

    async def watch(self) -> None:
        while True:
            line = next(line for line in self.status.read_text().splitlines() if line.startswith("RssAnon"))
            self.peak = max(self.peak, int(line.split()[1]) / 1024)
            await asyncio.sleep(0.2)


async def bench(cluster: Cluster, verdict: Verdict) -> None:
    owner = await asyncpg.connect(cluster.superuser_url)
    began = time.monotonic()
    first = await passes(owner, "now() - interval '31 days'")
    print(f"first pass: {first['retired']} retired in {time.monotonic() - began:.1f} s, {first['steps']} steps")

    as_of = f"'{await owner.fetchval('select now()')}'::timestamptz"
    began = time.monotonic()
    preview = await owner.fetch(f"select * from parley.retention_preview({as_of})")
    print(f"preview in {time.monotonic() - began:.1f} s:")
    for row in preview:
        print("   ", row["action"], row["tier"], row["reason"], row["messages"], "messages", row["bytes"], "bytes")
    await owner.execute(f"create table year.foretold as select d.message_id, d.action from parley.retention_due({as_of}) d")
    await owner.execute("create table year.there as select m.id, m.retired_at is not null as retired, parley.purged_bytes(m) as bytes, "
                        "(select c.relname::text from pg_class c where c.oid = m.tableoid) as month from parley.message m")
    purge = [row for row in preview if row["action"] == "purge"]
    checksum = 0
    for row in purge:
        checksum ^= row["checksum"]
    sizes = "select sum(pg_total_relation_size(c.oid))::bigint from pg_class c where c.relname ~ '^message_\\d{4}_\\d\\d$'"
    before = await owner.fetchval(sizes)
    await owner.execute("create extension if not exists pgstattuple")
    await owner.execute("vacuum parley.message")
    free_before = dict(await owner.fetch(FREE))

    pairs = [(str(c), str(u)) for c, u in await owner.fetch(
        "select p.conversation_id, p.user_id from parley.participant p where p.left_at is null order by md5(p.conversation_id::text) limit 500")]
    clients = await connected(cluster, pairs)
    quiet = await load(clients, asyncio.sleep(QUIET_SECONDS))
    for client in clients:
        client.connection.terminate()
    owner = await step_and_crash(cluster, owner, as_of, 19)
    clients = await connected(cluster, pairs)

    began = time.monotonic()
    run: dict = {}

    async def purging() -> None:
        run.update(await passes(owner, as_of))

    memory = Memory(await owner.fetchval("select pg_backend_pid()"))
    watching = asyncio.create_task(memory.watch())
    busy = await load(clients, purging())
    seconds = time.monotonic() - began
    watching.cancel()
    assert memory.peak > 0
    quiet = [min(pair) for pair in zip(quiet, await load(clients, asyncio.sleep(QUIET_SECONDS)))]
    print(f"the pass: {run['purged']} purged, {run['retired']} retired in {seconds:.1f} s, {run['steps']} steps, {run['files']} files")

    check(
        verdict, "what went is what was foretold, by key",
        await owner.fetchval("""
            select count(*) from (
                (select t.id from year.there t where not exists (select from parley.message m where m.id = t.id)
                 except select f.message_id from year.foretold f where f.action = 'purge')
                union all
                (select f.message_id from year.foretold f where f.action = 'purge'
                 except select t.id from year.there t where not exists (select from parley.message m where m.id = t.id))
            ) x""") == 0 and run["purged"] > 0)
    check(verdict, "by count, size and checksum", (run["purged"], run["purged_bytes"], run["checksum"]) == (
        sum(r["messages"] for r in purge), sum(r["bytes"] for r in purge), checksum))
    retired = await owner.fetchrow("""
        with now as (
            select t.id from year.there t where not t.retired and exists (select from parley.message m where m.id = t.id and m.retired_at is not null)
        ), was_to_be as (select f.message_id from year.foretold f where f.action = 'retire')
        select (select count(*) from now) as n, (select count(*) from (
            (table now except table was_to_be) union all (table was_to_be except table now)) x) as other""")
    check(verdict, "what was retired is what was foretold, by key and count", retired["other"] == 0 and retired["n"] == run["retired"] > 0)
    held = sum(r["messages"] for r in preview if r["action"] == "held")
    check(verdict, "what is held stays", await owner.fetchval("""
        select count(*) from year.foretold f where f.action = 'held' and exists (select from parley.message m where m.id = f.message_id)""") == held)
    orphans = {row["of"]: row["n"] for row in await owner.fetch(ORPHANS)}
    check(verdict, f"nothing hangs on what has gone {orphans}", not any(orphans.values()))
    second = await passes(owner, as_of)
    check(verdict, "a second pass finds nothing", (second["retired"], second["returned"], second["purged"]) == (0, 0, 0))
    for name, calm, rough in zip(("send", "page"), quiet, busy):
        verdict.row(f"{name}, p99", f"{calm:.1f} ms quiet, {rough:.1f} ms meanwhile")
        verdict.promise(f"{name}: p99 meanwhile, as times the quiet one", rough / calm, 2, at_least=False)

    verdict.promise("memory of the session that purges, MB", memory.peak, 100, at_least=False)

    # months that nobody is in any more, by the documented line; holds keep theirs
    await owner.execute("update parley.hold set released_at = now() where released_at is null")
    await passes(owner, "now()")
    middle = await owner.fetchval(sizes)
    await owner.close()
    subprocess.run(
        ["psql", "-X", "-q", "-d", cluster.owner_url, "-o", "/dev/null", "-v", "ON_ERROR_STOP=1"],
        input="select statement from parley.partitions_to_drop() \\gexec\n", text=True, check=True)
    owner = await asyncpg.connect(cluster.superuser_url)
    after = await owner.fetchval(sizes)
    left = await owner.fetchval("select count(*) from parley.partitions_to_drop()")
    print(f"bytes of all months: {before} before, {middle} after the purge, {after} after the empty months were dropped")
    check(verdict, "empty months are given back", after < middle and left == 0)
    left_over = await owner.fetchval("select count(*) from parley.message")
    await owner.execute("vacuum (analyze) parley.message")
    free = dict(await owner.fetch(FREE))
    freed = sum(free.values()) - sum(free_before[month] for month in free)
    print(f"{left_over} messages left; {sum(free.values())} bytes in their months are free for others, {freed} more than before")
    gone = await owner.fetchval("""
        select coalesce(sum(t.bytes), 0)::bigint from year.there t
        where to_regclass('parley.' || t.month) is not null and not exists (select from parley.message m where m.id = t.id)""")
    verdict.promise("of the bytes of rows that went from months that stay, the share that is free now", freed / max(gone, 1), 0.5)


def main() -> None:
    messages = int(5_000_000 * SCALE)
    verdict = Verdict(f"Retention of a year: {messages:,} messages")
    with Cluster("--set", "shared_buffers=1GB", "--set", "max_wal_size=8GB") as cluster:
        began = time.monotonic()
        make_year(cluster.superuser_url, messages)
        print(f"a year of {messages} messages, {max(messages // 100, 10)} users, made in {time.monotonic() - began:.0f} s")
        asyncio.run(bench(cluster, verdict))
    verdict.close()


if __name__ == "__main__":
    main()
