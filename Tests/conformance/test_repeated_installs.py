"""An installation into a database in use: what it repairs, whom it makes wait, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import time
import uuid

import asyncpg
import pytest

from parley import ROOT, Cluster


@pytest.fixture(scope="module")
def cluster():
    """One of its own, because these tests spoil it."""
    with Cluster(watch=False) as cluster:
        yield cluster


def install_command(url: str) -> list[str]:
    return ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", str(ROOT / "sql/install.sql")]


def install(url: str) -> subprocess.CompletedProcess:
    return subprocess.run(install_command(url), capture_output=True, text=True, timeout=120)


def schema(url: str) -> str:
    """Every definition, owner, grant and comment."""
    command = ["pg_dump", "-s", "-n", "parley", "-n", "parley_api", url]
    dump = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = [line for line in dump.splitlines() if not re.match(r"\\(un)?restrict ", line)]
    # grants are listed in the order in which they were given
    return "\n".join([line for line in lines if not line.startswith("GRANT ")] + sorted(x for x in lines if x.startswith("GRANT ")))


PARTITION = "(select max(inhrelid)::regclass from pg_inherits where inhparent = 'parley.message'::regclass)"

TAMPERED = [
    "grant select on parley.message to anon",
    "grant select (settings) on parley.conversation_profile to anon",
    "grant select on parley.secret to authenticated with grant option",
    "grant insert on parley.message to public",
    "grant usage on sequence parley.event_id_seq to authenticated",
    f"do $$ begin execute format('grant select on %s to authenticated', {PARTITION}); end $$",
    "grant execute on function parley.log_position() to public",
    "grant execute on function parley_api.sync(text) to anon",
    "grant usage on schema parley to public",
    "revoke select (content) on parley.message from authenticated",
    "revoke select on parley_api.messages from authenticated",
    "revoke execute on function parley_api.sync(text) from authenticated",
    "alter policy message_select_mine on parley.message using (true)",
    "alter policy message_select_service on parley.message to authenticated",
    "drop policy message_select_mine on parley.message",
    "create policy open on parley.message for select to authenticated using (true)",
    f"do $$ begin execute format('create policy open on %s using (true)', {PARTITION}); end $$",
    "alter table parley.account disable row level security",
    "alter table parley.account force row level security",
    f"do $$ begin execute format('alter table %s disable row level security', {PARTITION}); end $$",
    "alter table parley.audit_log disable trigger audit_log_is_append_only",
    "drop trigger audit_log_is_append_only on parley.audit_log",
    "create or replace trigger participant_keeps_revisions after update on parley.participant"
    " for each row execute function parley.keep_conversation_revision()",
    "create or replace function parley.current_user_id() returns uuid language sql stable as 'select null::uuid'",
    "alter function parley.current_user_id() security definer",
    "comment on function parley.current_user_id is 'Nobody.'",
    "comment on table parley.message is null",
    "comment on column parley.message.content is 'Other words.'",
    "comment on view parley_api.messages is 'Other words.'",
    "comment on column parley_api.messages.content is null",
    "comment on policy message_select_mine on parley.message is null",
    "comment on trigger tier_limit_copy_trigger on parley.tier_limit is 'Other words.'",
    "alter view parley_api.messages set (security_invoker = false)",
    "create or replace view parley_api.participants with (security_invoker = true) as"
    " select conversation_id, user_id, role::text as role, app_role::text as app_role, joined_at from parley.participant",
    "drop view parley_api.messages",
]


@pytest.mark.parametrize("spoil", TAMPERED)
def test_an_installation_repairs(cluster, spoil):
    before = schema(cluster.owner_url)
    cluster.psql(spoil, cluster.superuser_url)
    assert schema(cluster.owner_url) != before, "nothing was spoilt"
    done = install(cluster.owner_url)
    assert done.returncode == 0, done.stderr
    assert schema(cluster.owner_url) == before
    again = install(cluster.owner_url)
    assert again.stdout.strip().endswith("already current") and not again.stderr


OWNED = [
    "function parley.current_user_id()", "function parley_api.sync(text)", "table parley.message",
    "view parley_api.messages", "domain parley.app_role", "schema parley_api",
]


@pytest.mark.parametrize("owned", OWNED)
def test_an_installation_gives_everything_to_one_owner(cluster, owned):
    before = schema(cluster.owner_url)
    cluster.psql(f"alter {owned} owner to postgres", cluster.superuser_url)
    spoilt = schema(cluster.superuser_url)
    assert spoilt != before
    refused = install(cluster.owner_url)
    assert refused.returncode != 0 and "belongs to postgres" in refused.stderr and "superuser" in refused.stderr
    assert schema(cluster.superuser_url) == spoilt
    done = install(cluster.superuser_url)
    assert done.returncode == 0, done.stderr
    assert schema(cluster.owner_url) == before


def test_a_superuser_leaves_nothing_of_their_own(cluster):
    before = schema(cluster.owner_url)
    cluster.psql("drop function parley_api.sync(text); drop view parley_api.messages")
    assert install(cluster.superuser_url).returncode == 0
    assert schema(cluster.owner_url) == before


STRANGERS = [
    ("create view parley_api.messages as select 1 as of_the_host", "the view parley_api.messages"),
    ("create table parley_api.messages (of_the_host integer)", "the relation parley_api.messages"),
    ("create type parley_api.messages as enum ('of_the_host')", "the type parley_api.messages"),
    ("create function parley_api.sync(cursor text) returns jsonb language sql as $$select '\"of the host\"'::jsonb$$",
     "the function parley_api.sync(text)"),
    ("create function parley_api.sync(a integer) returns jsonb language sql as $$select '\"of the host\"'::jsonb$$",
     "the function parley_api.sync(integer)"),
]


@pytest.mark.parametrize(("made", "named"), STRANGERS)
def test_an_installation_leaves_a_stranger_alone(cluster, made, named):
    name = "d" + uuid.uuid4().hex[:12]
    cluster.psql(f"create database {name} owner parley_owner", cluster.superuser_url)
    url = re.sub(r"/[^/?]+(\?|$)", rf"/{name}\1", cluster.owner_url)
    cluster.psql("create schema parley_api;" + made, url)
    before = schema(url)
    done = install(url)
    assert done.returncode != 0 and f"{named} is in the way" in done.stderr, done.stderr
    assert schema(url) == before
    cluster.psql(f"drop database {name} with (force)", cluster.superuser_url)


@pytest.mark.parametrize("made", ["create table parley.x (id integer)", "create function parley.x() returns integer"
                                  " language sql return 1", "create type parley.x as enum ('a')"])
def test_a_schema_of_somebody_else_is_refused(cluster, made):
    name = "d" + uuid.uuid4().hex[:12]
    cluster.psql(f"create database {name} owner parley_owner", cluster.superuser_url)
    url = re.sub(r"/[^/?]+(\?|$)", rf"/{name}\1", cluster.owner_url)
    cluster.psql("create schema parley;" + made, url)
    done = install(url)
    assert done.returncode != 0 and "no ledger parley.migration" in done.stderr, done.stderr
    cluster.psql(f"drop database {name} with (force)", cluster.superuser_url)


def test_one_file_installs_through_a_driver(cluster):
    """The whole file as one query, as an editor in a browser sends it."""
    text = subprocess.run([ROOT / "scripts/extension.sh", "file"], check=True, stdout=subprocess.PIPE, text=True).stdout
    name = "d" + uuid.uuid4().hex[:12]
    cluster.psql(f"create database {name} owner parley_owner", cluster.superuser_url)
    url = re.sub(r"/[^/?]+(\?|$)", rf"/{name}\1", cluster.owner_url)

    async def run():
        connection = await asyncpg.connect(url)
        for _ in range(2):
            await connection.execute(text)
            assert await connection.fetchval("select count(*) from pg_class where relnamespace = pg_my_temp_schema()") == 0
        await connection.close()

    asyncio.run(run())
    assert schema(url) == schema(cluster.owner_url)
    cluster.psql("alter policy message_select_mine on parley.message using (true); alter table parley.account disable row"
                 " level security", url)
    asyncio.run(run())
    assert schema(url) == schema(cluster.owner_url)
    cluster.psql(f"drop database {name} with (force)", cluster.superuser_url)


# --- while it is in use

HOT = "parley.message, parley.event, parley.conversation, parley.conversation_profile, parley.participant, parley.account," \
    " parley.read_marker, parley.attachment, parley.tier_limit, parley.tenant_member, parley.audit_log, parley.tier"


class Sender:
    """Sends one message after the other, and knows how long the slowest took."""

    async def __aenter__(self):
        self.connection = await asyncpg.connect(self.url)
        await self.connection.execute("select set_config('request.jwt.claims', $$%s$$, false); set role authenticated"
                                      % json.dumps({"sub": self.user, "role": "authenticated"}))
        started = await self.connection.fetchval("select parley_api.start_conversation(array[$1::uuid])", self.other)
        self.conversation = (found := json.loads(started)).get("id") or found["conversation"]["id"]
        self.slowest, self.sent, self.stopped = 0.0, 0, False
        await self.send()
        self.slowest = 0.0
        self.task = asyncio.create_task(self.run())
        return self

    def __init__(self, cluster: Cluster):
        self.url = cluster.superuser_url
        self.user, self.other = cluster.account("Ann"), cluster.account("Bob")
        cluster.psql("update parley.tier_limit set amount = 1000000, burst = 1000000 where name = 'messages_per_minute'")

    async def send(self):
        began = time.monotonic()
        await self.connection.fetchval("select parley_api.send_message($1, 'hello')", self.conversation)
        self.slowest, self.sent = max(self.slowest, time.monotonic() - began), self.sent + 1

    async def run(self):
        while not self.stopped:
            await self.send()
            await asyncio.sleep(0.005)

    async def __aexit__(self, *_):
        self.stopped = True
        await self.task
        await self.connection.close()


async def long_report(cluster: Cluster) -> asyncpg.Connection:
    """A transaction that has read the hot tables, written one, and stays open."""
    connection = await asyncpg.connect(cluster.owner_url, server_settings={"application_name": "nightly report"})
    await connection.execute(f"begin; lock table {HOT} in access share mode; lock table parley.participant in row exclusive"
                             " mode; select count(*) from parley_api.messages")
    return connection


async def install_meanwhile(url: str, lock_wait: str = "30 s") -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *install_command(url), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PGOPTIONS": f"-c parley.lock_wait='{lock_wait.replace(' ', '')}'"})
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), err.decode()


def test_an_installation_that_changes_nothing_keeps_nobody_waiting(cluster):
    async def scene():
        report = await long_report(cluster)
        async with Sender(cluster) as sender:
            began = time.monotonic()
            code, out, err = await install_meanwhile(cluster.owner_url)
            took = time.monotonic() - began
        await report.close()
        print(f"sent {sender.sent}, slowest {sender.slowest:.3f} s, installation {took:.1f} s")
        assert code == 0 and "already current" in out, err
        assert sender.sent > 50 and sender.slowest < 2

    asyncio.run(scene())


SPOILT = "alter policy message_select_service on parley.message using (id is not null)"


def test_an_installation_that_must_change_a_table_gives_up_and_names_who_holds_it(cluster):
    before = schema(cluster.owner_url)
    cluster.psql(SPOILT)
    spoilt = schema(cluster.owner_url)

    async def scene():
        report = await long_report(cluster)
        pid = report.get_server_pid()
        async with Sender(cluster) as sender:
            began = time.monotonic()
            code, _, err = await install_meanwhile(cluster.owner_url, "4 s")
            took = time.monotonic() - began
        await report.close()
        print(f"sent {sender.sent}, slowest {sender.slowest:.3f} s, installation {took:.1f} s: {err}")
        assert code != 0 and took < 15
        assert re.search(rf"pid {pid} holds .*parley\.message.*\(nightly report, idle in transaction", err), err
        assert sender.sent > 50 and sender.slowest < 2
        assert schema(cluster.owner_url) == spoilt

    asyncio.run(scene())
    assert install(cluster.owner_url).returncode == 0 and schema(cluster.owner_url) == before


def test_an_installation_goes_on_when_the_table_is_free(cluster):
    before = schema(cluster.owner_url)
    cluster.psql(SPOILT)

    async def scene():
        report = await long_report(cluster)
        async with Sender(cluster) as sender:
            installing = asyncio.create_task(install_meanwhile(cluster.owner_url))
            await asyncio.sleep(5)
            assert not installing.done()
            await report.close()
            code, out, err = await installing
        print(f"sent {sender.sent}, slowest {sender.slowest:.3f} s")
        assert code == 0 and "repaired: " in out and "repaired: drop policy" in err
        assert sender.slowest < 2

    asyncio.run(scene())
    assert schema(cluster.owner_url) == before
