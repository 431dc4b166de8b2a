"""The snapshot cursor against everything that has lost rows for others: commits out of order, transactions held open,
rollbacks, and transaction ids used again after the server was killed. Only the database; no worker."""

from __future__ import annotations

import asyncio
import json
import random
import uuid

import asyncpg
import pytest
from parley import Cluster

READ = """select pg_current_snapshot()::text as snapshot, e.id, e.conversation_id, e.event_seq
    from (select 1) one left join parley.read_log($1::text::pg_snapshot, $2, $3) e on true"""
LOST = (
    asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.CannotConnectNowError, asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError, OSError, asyncio.TimeoutError,
    # what the driver says if the server dies while a transaction block is being left
    asyncpg.InternalClientError,
)


class Undo(Exception):
    pass


class Log:
    """Writers and one reader of a log with bare events."""

    def __init__(self, cluster: Cluster, seed: int, conversations: int = 20):
        self.cluster, self.chance = cluster, random.Random(seed)
        self.conversations = [str(uuid.UUID(int=self.chance.getrandbits(128))) for _ in range(conversations)]
        values = ",".join(f"('{c}')" for c in self.conversations)
        cluster.psql(f"insert into parley.conversation (id) values {values}")
        self.writing, self.reading = True, True
        self.acknowledged = 0
        self.seen: list[tuple[int, str, int]] = []
        self.reads = 0
        row = cluster.psql("select snapshot::text || ' ' || max_id from parley.log_position()").split(" ")
        self.cursor = (row[0], int(row[1]))

    async def connect(self, url: str) -> asyncpg.Connection:
        while True:
            try:
                return await asyncpg.connect(url, timeout=5)
            except LOST:
                await asyncio.sleep(0.05)

    async def write(self, longest: float) -> None:
        connection = await self.connect(self.cluster.owner_url)
        while self.writing:
            try:
                written = self.chance.randrange(1, 4)
                async with connection.transaction():
                    # In id order, so that writers of several conversations cannot deadlock.
                    for conversation in sorted(self.chance.sample(self.conversations, written)):
                        await connection.execute(
                            "select parley.append_event($1, 'test:event', null, null, null, null, null)", conversation
                        )
                    draw = self.chance.random()
                    if draw < 0.03:
                        await asyncio.sleep(self.chance.random() * longest)
                    if draw > 0.7:
                        raise Undo
                self.acknowledged += written
            except Undo:
                pass
            except LOST:
                connection.terminate()
                connection = await self.connect(self.cluster.owner_url)
        await connection.close()

    async def read(self, batch: int) -> None:
        connection = await self.connect(self.cluster.worker_url)
        while self.reading:
            try:
                rows = await connection.fetch(READ, *self.cursor, batch, timeout=10)
            except LOST:
                connection.terminate()
                connection = await self.connect(self.cluster.worker_url)
                continue
            self.reads += 1
            new = [(row["id"], str(row["conversation_id"]), row["event_seq"]) for row in rows if row["id"] is not None]
            self.seen += new
            self.cursor = (rows[0]["snapshot"], max([self.cursor[1], *[id for id, _, _ in new]]))
            if not new:
                await asyncio.sleep(0.003)
        await connection.close()

    async def settle(self) -> None:
        """Lets the reader find everything: two reads in a row that end with nothing new."""
        stored = int(self.cluster.psql("select count(*) from parley.event"))
        for _ in range(400):
            if len(self.seen) >= stored:
                break
            await asyncio.sleep(0.025)
        await asyncio.sleep(0.2)
        self.reading = False

    def check(self) -> None:
        stored = {
            int(line) for line in self.cluster.psql("select id from parley.event where kind = 'test:event'").splitlines()
        }
        ids = [id for id, _, _ in self.seen]
        assert len(ids) == len(set(ids)), f"{len(ids) - len(set(ids))} events came twice"
        assert set(ids) == stored, f"lost {len(stored - set(ids))}, phantoms {len(set(ids) - stored)}"
        for conversation in self.conversations:
            order = [seq for _, of, seq in self.seen if of == conversation]
            assert order == list(range(1, len(order) + 1)), f"{conversation} came out of order"
        assert len(stored) >= self.acknowledged, "an acknowledged event is gone"


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as cluster:
        yield cluster


def reset(cluster: Cluster) -> None:
    cluster.psql("truncate parley.event, parley.conversation, parley.consumer cascade")


def new_seed() -> int:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    return seed


@pytest.mark.asyncio
@pytest.mark.parametrize("batch", [7, 1000])
async def test_commits_out_of_order_are_read_once_and_in_order(cluster, batch):
    reset(cluster)
    log = Log(cluster, new_seed())
    # One writer has drawn its id and its transaction id before all others, and commits after them.
    left_open = await asyncpg.connect(cluster.owner_url)
    transaction = left_open.transaction()
    await transaction.start()
    held = str(uuid.uuid4())
    await left_open.execute("insert into parley.conversation (id) values ($1)", held)
    await left_open.execute("select parley.append_event($1, 'test:event', null, null, null, null, null)", held)
    writers = [asyncio.create_task(log.write(0.5)) for _ in range(16)]
    reader = asyncio.create_task(log.read(batch))
    await asyncio.sleep(4)
    log.writing = False
    await asyncio.gather(*writers)
    assert not any(of == held for _, of, _ in log.seen)
    await transaction.commit()
    await left_open.close()
    log.conversations.append(held)
    await log.settle()
    await reader
    log.check()
    assert any(of == held for _, of, _ in log.seen)
    print(f"{len(log.seen)} events in {log.reads} reads")
    assert len(log.seen) > 200


@pytest.mark.asyncio
async def test_nothing_is_lost_or_doubled_when_the_server_is_killed_under_load(cluster):
    reset(cluster)
    # Lets commits of others linger unflushed, which is when transaction ids are used again.
    cluster.psql("alter system set wal_writer_delay = '10s'", cluster.superuser_url)
    cluster.psql("select pg_reload_conf()", cluster.superuser_url)
    log = Log(cluster, new_seed())
    writers = [asyncio.create_task(log.write(0.2)) for _ in range(8)]
    reader = asyncio.create_task(log.read(1000))
    for _ in range(4):
        await asyncio.sleep(0.7 + log.chance.random())
        await asyncio.get_running_loop().run_in_executor(None, cluster.command, "kill9")
        await asyncio.get_running_loop().run_in_executor(None, cluster.command, "restart")
    await asyncio.sleep(1)
    log.writing = False
    await asyncio.gather(*writers)
    await log.settle()
    await reader
    log.check()
    print(f"{len(log.seen)} events in {log.reads} reads over 4 kills")
    assert len(log.seen) > 100


@pytest.mark.asyncio
async def test_a_transaction_id_used_again_after_a_crash_hides_nothing(cluster):
    """What a cursor without the id half loses: it has seen this transaction id, rolled back, before the crash."""
    reset(cluster)
    cluster.psql("alter system set wal_writer_delay = '10s'", cluster.superuser_url)
    cluster.psql("select pg_reload_conf()", cluster.superuser_url)
    cluster.psql("checkpoint", cluster.superuser_url)
    reused = 0
    for _ in range(3):
        log = Log(cluster, new_seed(), conversations=1)
        connection = await asyncpg.connect(cluster.owner_url)
        transaction = connection.transaction()
        await transaction.start()
        rolled_back = await connection.fetchval("select pg_current_xact_id()::text")
        await transaction.rollback()
        snapshot, max_id = (await connection.fetchrow("select snapshot::text, max_id from parley.log_position()"))
        cluster.command("kill9")
        cluster.command("restart")
        connection.terminate()
        cluster.psql(f"select parley.append_event('{log.conversations[0]}', 'test:event', null, null, null, null, null)")
        xid = cluster.psql("select xid from parley.event order by id desc limit 1")
        seen = int(cluster.psql(f"select count(*) from parley.read_log('{snapshot}', {max_id}, 10)"))
        assert seen == 1
        visible = cluster.psql(f"select pg_visible_in_snapshot('{xid}', '{snapshot}')")
        print(f"rolled back {rolled_back}, committed {xid}, in the old snapshot: {visible}")
        reused += visible == "t"
    assert reused > 0, "the fault did not happen, so nothing was shown"


@pytest.mark.asyncio
async def test_durable_consumers_apply_every_event_once(cluster):
    """Four processes share a consumer; their transactions fail at random, are held, and write events themselves."""
    reset(cluster)
    seed = new_seed()
    log = Log(cluster, seed)
    cluster.psql("create table if not exists public.effect (event_id bigint not null); truncate public.effect")
    cluster.psql("grant insert on public.effect to parley_worker")
    cluster.psql("select parley.create_consumer('test', true)")
    echo = str(uuid.uuid4())
    cluster.psql(f"insert into parley.conversation (id) values ('{echo}')")
    stop = asyncio.Event()

    async def consume(chance: random.Random) -> None:
        connection = await asyncpg.connect(cluster.owner_url)
        while not stop.is_set():
            try:
                async with connection.transaction():
                    if chance.random() < 0.2:
                        # An event of the consumer's own transaction, before it reads: for the next read, not this one.
                        await connection.execute(
                            "select parley.append_event($1, 'test:event', null, null, null, null, null)", echo
                        )
                    taken = await connection.execute(
                        "insert into public.effect select id from parley.consume('test', $1)", chance.randrange(1, 50)
                    )
                    if chance.random() < 0.05:
                        await asyncio.sleep(chance.random() * 0.1)
                    if chance.random() < 0.2:
                        raise Undo
                if taken == "INSERT 0 0":
                    await asyncio.sleep(0.005)
            except Undo:
                pass
        await connection.close()

    writers = [asyncio.create_task(log.write(0.2)) for _ in range(8)]
    consumers = [asyncio.create_task(consume(random.Random(seed + n))) for n in range(4)]
    await asyncio.sleep(3)
    log.writing = False
    await asyncio.gather(*writers)
    stop.set()
    await asyncio.gather(*consumers)
    for _ in range(10000):
        if cluster.psql("insert into public.effect select id from parley.consume('test', 1000) returning 1") == "":
            break
    lost, doubled, total = cluster.psql(
        "select (select count(*) from parley.event e where not exists (select from public.effect f where f.event_id = e.id)),"
        " count(*) - count(distinct event_id), count(*) from public.effect"
    ).split("|")
    print(f"{total} effects")
    assert (lost, doubled) == ("0", "0")
    assert int(total) > 100


@pytest.mark.asyncio
async def test_sync_brings_every_event_once_while_transactions_commit_out_of_order(cluster):
    """A client that only calls sync: its first answer and the events after it are the whole log of its conversations."""
    reset(cluster)
    log = Log(cluster, new_seed())
    user = cluster.account("reader")
    values = ",".join(f"('{c}', 'group')" for c in log.conversations)
    cluster.psql(f"insert into parley.conversation_profile (conversation_id, type) values {values}")
    values = ",".join(f"('{c}', '{user}')" for c in log.conversations)
    cluster.psql(f"insert into parley.participant (conversation_id, user_id) values {values}")

    async def notify(chance: random.Random) -> None:
        """Events for the user alone: no row lock orders them."""
        connection = await asyncpg.connect(cluster.owner_url)
        while log.writing:
            try:
                async with connection.transaction():
                    # by its mark: of many writers two may write in the same microsecond
                    await connection.execute(
                        "select parley.append_event(null, 'test:own', null, null, null, $1,"
                        " jsonb_build_object('mark', gen_random_uuid()))", user)
                    if chance.random() < 0.1:
                        await asyncio.sleep(chance.random() * 0.3)
                    if chance.random() < 0.2:
                        raise Undo
            except Undo:
                pass
            await asyncio.sleep(0.005)
        await connection.close()

    connection = await asyncpg.connect(cluster.superuser_url)
    await connection.execute(
        "select set_config('request.jwt.claims', json_build_object('sub', $1::text, 'role', 'authenticated')::text, false)", user
    )
    await connection.execute("set role authenticated")
    writers = [asyncio.create_task(log.write(0.5)) for _ in range(8)]
    writers += [asyncio.create_task(notify(random.Random(n))) for n in range(4)]
    await asyncio.sleep(0.5)
    answer = json.loads(await connection.fetchval("select parley_api.sync()"))
    begins = {c["id"]: c["last_event_seq"] for c in answer["conversations"]}
    assert sorted(begins) == sorted(log.conversations) and not answer["has_more"]
    first_cursor = answer["cursor"]
    seen: list[dict] = []
    pages = 0

    async def page() -> None:
        nonlocal answer, pages
        answer = json.loads(await connection.fetchval("select parley_api.sync($1)", answer["cursor"]))
        assert not answer["resync_required"]
        seen.extend(answer["events"])
        pages += 1

    until = asyncio.get_running_loop().time() + 4
    while asyncio.get_running_loop().time() < until:
        await page()
        await asyncio.sleep(log.chance.random() * 0.1)
    log.writing = False
    await asyncio.gather(*writers)
    await page()
    while answer["has_more"]:
        await page()
    for conversation, begin in begins.items():
        last = int(cluster.psql(f"select last_event_seq from parley.conversation where id = '{conversation}'"))
        got = [e["payload"]["event_seq"] for e in seen if e["payload"]["conversation_id"] == conversation]
        assert got == list(range(begin + 1, last + 1))
    # Once more from the first cursor, when all is committed: what it brings of the user's own must be what came.
    again: list[dict] = []
    answer = {"cursor": first_cursor, "has_more": True}
    while answer["has_more"]:
        answer = json.loads(await connection.fetchval("select parley_api.sync($1)", answer["cursor"]))
        again.extend(answer["events"])
    own = sorted(e["payload"]["mark"] for e in seen if e["event"] == "test:own")
    assert own == sorted(e["payload"]["mark"] for e in again if e["event"] == "test:own")
    assert len(own) == len(set(own)) and len(own) > 20
    await connection.close()
    print(f"{len(seen)} events, {len(own)} of the user's own, in {pages} pages")


@pytest.mark.asyncio
async def test_the_doorbell_wakes_every_sleeper_and_is_silent_while_all_are_awake(cluster):
    """Two workers that never poll while asleep. Whatever the timing, an event never waits for a sleeper."""
    reset(cluster)
    cluster.psql("alter system reset wal_writer_delay", cluster.superuser_url)
    log = Log(cluster, new_seed())
    rings, naps, missed = 0, 0, []
    until = asyncio.get_running_loop().time() + 5

    async def worker(name: str) -> None:
        nonlocal rings, naps
        connection = await asyncpg.connect(cluster.worker_url)
        bell = asyncio.Event()

        def ring(*_: object) -> None:
            nonlocal rings
            rings += 1
            bell.set()

        row = await connection.fetchrow("select worker_id, lock_key from parley.worker_start($1, 'test')", name)
        await connection.add_listener("parley", ring)
        cursor = log.cursor

        async def drain() -> bool:
            nonlocal cursor
            rows = await connection.fetch(READ, *cursor, 1000)
            ids = [row["id"] for row in rows if row["id"] is not None]
            cursor = (rows[0]["snapshot"], max([cursor[1], *ids]))
            return bool(ids)

        while log.writing:
            while await drain():
                pass
            bell.clear()
            if not await connection.fetchval("select pg_try_advisory_lock($1)", row["lock_key"]):
                continue  # a writer is in flight
            if not await drain():
                naps += 1
                try:
                    await asyncio.wait_for(bell.wait(), 0.5)
                except asyncio.TimeoutError:
                    if await drain():
                        await asyncio.sleep(0.2)  # its ring may be on the way
                        if not bell.is_set():
                            missed.append(name)
            await connection.execute("select pg_advisory_unlock($1)", row["lock_key"])
        await connection.execute("select parley.worker_stop($1)", row["worker_id"])
        await connection.close()

    async def write(chance: random.Random) -> None:
        connection = await asyncpg.connect(cluster.owner_url)
        while asyncio.get_running_loop().time() < until:
            async with connection.transaction():
                await connection.execute(
                    "select parley.append_event($1, 'test:event', null, null, null, null, null)", chance.choice(log.conversations)
                )
                if chance.random() < 0.2:
                    await asyncio.sleep(chance.random() * 0.02)
            log.acknowledged += 1
            await asyncio.sleep(chance.random() * 0.05)
        await connection.close()

    workers = [asyncio.create_task(worker(f"worker {n}")) for n in range(2)]
    await asyncio.gather(*[write(random.Random(n)) for n in range(3)])
    log.writing = False
    await asyncio.gather(*workers)
    print(f"{log.acknowledged} commits, {naps} naps, {rings} rings heard")
    assert missed == []
    assert naps > 20 and rings > 20
    # Nobody is asleep, so nobody is rung for: no commit of a busy system queues for the lock of NOTIFY.
    listener = await asyncpg.connect(cluster.worker_url)
    heard = []
    await listener.add_listener("parley", lambda *_: heard.append(1))
    await listener.execute("select parley.worker_start('awake', 'test')")
    cluster.psql(f"select parley.append_event('{log.conversations[0]}', 'test:event', null, null, null, null, null)")
    await asyncio.sleep(0.2)
    await listener.execute("select 1")
    assert heard == []
    await listener.close()
