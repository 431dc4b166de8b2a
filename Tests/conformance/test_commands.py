"""The commands `migrate` and `doctor`, and what all commands share."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

import pytest

from parley import ROOT, Cluster, run_binary
from pooler import transaction_pooler


@pytest.fixture(scope="module")
def cluster():
    """One of its own: these tests judge a whole installation and spoil it, others put what they need beside it."""
    with Cluster(watch=False) as cluster:
        yield cluster


def test_help_and_unknown_commands():
    assert "serve" in run_binary("--help").stdout and re.match(r"parley \d", run_binary("--version").stdout)
    for command in ("serve", "dev", "migrate", "doctor", "token"):
        done = run_binary(command, "--help")
        assert done.returncode == 0 and f"usage: parley {command}" in done.stdout
    assert re.search(r"--pg-bindir <folder> +\(PARLEY_PG_BINDIR\)", run_binary("dev", "--help").stdout)
    assert run_binary().returncode == 2
    assert run_binary("sevre").returncode == 2


# --- migrate


def schema(url: str) -> str:
    dump = subprocess.run(["pg_dump", "--schema-only", url], check=True, stdout=subprocess.PIPE, text=True).stdout
    return re.sub(r"^\\(un)?restrict .*$", "", dump, flags=re.M)


@pytest.fixture
def empty_database(cluster):
    name = "d" + uuid.uuid4().hex[:12]
    cluster.psql(f"create database {name} owner parley_owner", cluster.superuser_url)
    yield re.sub(r"/[^/?]+(\?|$)", rf"/{name}\1", cluster.owner_url)
    cluster.psql(f"drop database {name} with (force)", cluster.superuser_url)


def test_migrate_gives_the_schema_of_psql(cluster, empty_database):
    done = run_binary("migrate", "--database-url", empty_database)
    assert done.returncode == 0, done.stderr
    assert schema(empty_database) == schema(cluster.owner_url)
    ledger = "select string_agg(version || name || sha256 || breaking, ',' order by version) from parley.migration"
    assert cluster.psql(ledger, empty_database) == cluster.psql(ledger)
    again = run_binary("migrate", PARLEY_DATABASE_URL=empty_database)
    assert again.returncode == 0 and "no migration was applied" in again.stdout
    assert schema(empty_database) == schema(cluster.owner_url)


def manifest(tree: Path) -> None:
    shutil.copytree(ROOT / "scripts", tree / "scripts", dirs_exist_ok=True)
    subprocess.run(["bash", str(tree / "scripts/manifest.sh")], check=True)


@pytest.fixture
def release(tmp_path):
    """A copy of the SQL files, to be spoilt."""
    for folder in ("sql", "policies"):
        if (ROOT / folder).exists():
            shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def test_migrate_is_all_or_nothing(cluster, empty_database, release):
    (release / "sql/migrations/9999_broken.sql").write_text("create table parley.x ();\nselect no_such_function();\n")
    manifest(release)
    done = run_binary("migrate", "--database-url", empty_database, "--sql-dir", str(release / "sql"))
    assert done.returncode == 1 and "9999_broken.sql" in done.stderr and "no_such_function" in done.stderr
    assert cluster.psql("select count(*) from pg_namespace where nspname like 'parley%'", empty_database) == "0"


def test_migrate_refuses_changed_and_newer_files(empty_database, release):
    newer = release / "sql/migrations/9999_newer.sql"
    newer.write_text("create table parley.x ();\n")
    manifest(release)
    flags = ["--database-url", empty_database, "--sql-dir", str(release / "sql")]
    assert run_binary("migrate", *flags).returncode == 0
    # As another release: without the file, then with another text, then with one that the manifest does not know.
    behind = run_binary("migrate", "--database-url", empty_database)
    assert behind.returncode == 1 and "newer Parley" in behind.stderr
    newer.write_text("create table parley.y ();\n")
    unknown = run_binary("migrate", *flags)
    assert unknown.returncode == 1 and "not the file of manifest.sql" in unknown.stderr
    manifest(release)
    changed = run_binary("migrate", *flags)
    assert changed.returncode == 1 and "was changed after it had been applied" in changed.stderr


OF_BEFORE = "update parley.migration set name = '0001_accounts' where version = 1"


def test_migrate_refuses_a_database_from_before_the_first_release(cluster, empty_database):
    assert run_binary("migrate", "--database-url", empty_database).returncode == 0
    cluster.psql(OF_BEFORE, empty_database)
    refused = run_binary("migrate", "--database-url", empty_database)
    assert refused.returncode == 1
    assert "installed by a Parley from before 0.2.0 (migration 0001_accounts)" in refused.stderr
    assert "drop schema parley, parley_api cascade" in refused.stderr
    code, output = examine(empty_database)
    assert code == 1 and "by a Parley from before 0.2.0" in output
    cluster.psql("drop schema parley, parley_api cascade", empty_database)
    assert run_binary("migrate", "--database-url", empty_database).returncode == 0


def test_one_version_everywhere(cluster, empty_database):
    version = (ROOT / "sql/VERSION").read_text().strip()
    assert run_binary("--version").stdout.strip() == f"parley {version}"
    assert f"Parley {version} installed" in run_binary("migrate", "--database-url", empty_database).stdout
    assert f"Parley {version} already current" in run_binary("migrate", "--database-url", empty_database).stdout
    assert cluster.psql("select parley.version()", empty_database) == version
    assert f"Parley {version}, " in examine(empty_database)[1]
    cluster.psql("create or replace function parley.version() returns text language sql as 'select ''9.0.0'''", empty_database)
    assert findings(empty_database)[1]["installation"] == "warn"


def test_migrate_says_what_is_wrong_with_the_address(cluster, tmp_path):
    nobody = run_binary("migrate", "--database-url", "postgresql://u:hunter2@127.0.0.1:1/x")
    assert nobody.returncode == 1 and nobody.stderr and "hunter2" not in nobody.stderr
    wrong = run_binary("migrate", "--database-url", "mysql://u:hunter2@h/x")
    assert wrong.returncode == 2 and "--database-url" in wrong.stderr and "hunter2" not in wrong.stderr
    nowhere = run_binary("migrate", "--database-url", cluster.owner_url, "--sql-dir", str(tmp_path))
    assert nowhere.returncode == 1 and "install.sql" in nowhere.stderr


# --- doctor


def findings(url: str, *flags: str) -> tuple[int, dict[str, str]]:
    done = run_binary("doctor", "--database-url", url, *flags)
    assert not done.stderr, done.stderr
    lines = re.findall(r"^(ok|warn|FAIL)\s+(.+?)  +(.+)$", done.stdout, re.M)
    return done.returncode, {subject: level for level, subject, _ in lines}


def test_doctor_finds_a_good_installation_good(cluster):
    code, found = findings(cluster.owner_url)
    # The clusters of tests do without fsync, and doctor says so.
    assert [subject for subject, level in found.items() if level == "FAIL"] == ["fsync"] and code == 1
    assert found["installation"] == "ok" and found["LISTEN through this URL"] == "ok"
    code, found = findings(cluster.worker_url)
    assert [subject for subject, level in found.items() if level == "FAIL"] == ["fsync"]


@pytest.mark.parametrize(
    ("subject", "spoil", "repair"),
    [
        # from PostgreSQL 16 on, a membership goes only with who granted it
        ("memberships", "set role parley_owner; revoke anon from parley_worker",
         "set role parley_owner; grant anon to parley_worker"),
        ("role rights", "alter role anon bypassrls", "alter role anon nobypassrls"),
        ("synchronous_commit", "alter database parley set synchronous_commit = off",
         "alter database parley reset synchronous_commit"),
        ("installation", "update parley.migration set sha256 = reverse(sha256) where version = 1",
         "update parley.migration set sha256 = reverse(sha256) where version = 1"),
        ("installation", "insert into parley.migration (version, name, sha256, breaking)"
         " values (9999, '9999_later', repeat('0', 64), true)", "delete from parley.migration where version = 9999"),
    ],
)
def test_doctor_sees(cluster, subject, spoil, repair):
    cluster.psql(spoil, cluster.superuser_url)
    try:
        code, found = findings(cluster.owner_url)
        assert found[subject] == "FAIL" and code == 1
    finally:
        cluster.psql(repair, cluster.superuser_url)
    assert findings(cluster.owner_url)[1].get(subject, "ok") == "ok"


@pytest.mark.parametrize(
    ("subject", "level", "spoil"),
    [
        ("jobs", "warn", "update parley.job set next_run_at = now() - interval '6 minutes' where name = 'maintain'"),
        ("job maintain", "warn", "update parley.job set enabled = false where name = 'maintain'"),
        ("job maintain", "FAIL", "update parley.job set failures = 3, last_error_code = '53100' where name = 'maintain'"),
        ("job forgotten", "FAIL", "insert into parley.job (name, period_seconds, description) values ('forgotten', 1, 'x')"),
    ],
)
def test_doctor_sees_jobs_that_do_not_run(cluster, subject, level, spoil):
    cluster.psql("update parley.job set next_run_at = now()")
    try:
        assert findings(cluster.worker_url)[1]["jobs"] == "ok"
        cluster.psql(spoil)
        assert findings(cluster.owner_url)[1][subject] == level
        assert findings(cluster.worker_url)[1][subject] == level
    finally:
        cluster.psql("delete from parley.job where name = 'forgotten'")
        cluster.psql("update parley.job set next_run_at = now(), enabled = true, failures = 0, last_error_code = null")


def test_doctor_sees_an_erasure_that_is_in_no_ledger(cluster):
    user = cluster.account("Ann")
    cluster.psql(f"select parley.erase_user('{user}', 'asked to')")
    assert "erasures" not in findings(cluster.owner_url)[1]
    cluster.psql("update parley.erasure set requested_at = now() - interval '25 hours'")
    assert findings(cluster.owner_url)[1]["erasures"] == "warn"
    assert user in cluster.psql("select parley.erasure_ledger()")
    assert "erasures" not in findings(cluster.owner_url)[1]


def test_doctor_sees_open_doors_through_the_url_of_the_worker(cluster):
    cluster.psql("revoke execute on function parley.worker_start(text, text) from parley_worker;"
                 "grant execute on function parley.log_position() to public; grant usage on schema parley to anon;"
                 "alter table parley.account disable row level security")
    code, found = findings(cluster.worker_url)
    for subject in ("worker functions", "public functions", "private schema", "row-level security"):
        assert found[subject] == "FAIL" and code == 1
    assert run_binary("migrate", "--database-url", cluster.owner_url).returncode == 0
    assert [subject for subject, level in findings(cluster.worker_url)[1].items() if level == "FAIL"] == ["fsync"]


def examine(url: str) -> tuple[int, str]:
    done = run_binary("doctor", "--database-url", url)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def failures(output: str) -> list[str]:
    """Lines of what must be repaired, without the clusters' own."""
    return [line for line in output.splitlines() if line.startswith("FAIL") and not re.match(r"FAIL fsync\b", line)]


# What is broken, what doctor says of it, and whether another installation repairs it: tables are made once.
BROKEN = [
    ("revoke execute on function parley_api.sync(text) from authenticated",
     "grant", "execute on routine parley_api.sync(text) to authenticated: missing"),
    ("revoke execute on function parley.sync(text) from authenticated",
     "grant", "execute on routine parley.sync(text) to authenticated: missing"),
    ("revoke execute on function parley_api.set_account_tier(uuid, text) from service_role",
     "grant", "execute on routine parley_api.set_account_tier(uuid,text) to service_role: missing"),
    ("revoke execute on function parley.worker_start(text, text) from parley_worker",
     "grant", "execute on routine parley.worker_start(text,text) to parley_worker: missing"),
    ("grant execute on function parley_api.sync(text) to anon",
     "grant", "execute on routine parley_api.sync(text) to anon: must not be"),
    ("grant execute on function parley.log_position() to public",
     "grant", "execute on routine parley.log_position() to public: must not be"),
    ("grant execute on function parley.read_log(pg_snapshot, bigint, integer, bigint[], bigint) to authenticated with grant option",
     "grant", "execute on routine parley.read_log(pg_snapshot,bigint,integer,bigint[],bigint) to authenticated with grant option: must"),
    ("revoke usage on schema parley_api from authenticated",
     "grant", "usage on schema parley_api to authenticated: missing"),
    ("grant usage on schema parley to anon", "grant", "usage on schema parley to anon: must not be"),
    ("grant create on schema parley_api to service_role", "grant", "create on schema parley_api to service_role: must"),
    ("grant select on parley.message to anon", "grant", "select on table parley.message to anon: must not be"),
    ("grant select on parley.secret to authenticated", "grant", "select on table parley.secret to authenticated: must"),
    ("grant select (settings) on parley.conversation_profile to anon",
     "grant", "select (settings) on table parley.conversation_profile to anon: must not be"),
    ("revoke select (content) on parley.message from authenticated",
     "grant", "select (content) on table parley.message to authenticated: missing"),
    ("revoke select on parley_api.messages from authenticated",
     "grant", "select on table parley_api.messages to authenticated: missing"),
    ("alter table parley.account disable row level security", "row-level security", "parley.account: off"),
    ("alter table parley.account force row level security", "row-level security", "parley.account: forced"),
    ("do $$ begin execute format('alter table %s disable row level security', (select max(inhrelid)::regclass from"
     " pg_inherits where inhparent = 'parley.message'::regclass)); end $$", "row-level security", "parley.message_2"),
    ("do $$ begin execute format('grant select on %s to authenticated', (select max(inhrelid)::regclass from"
     " pg_inherits where inhparent = 'parley.message'::regclass)); end $$", "grant", "select on table parley.message_2"),
    ("drop policy message_select_mine on parley.message", "policy", "message_select_mine on parley.message: missing"),
    ("alter policy message_select_mine on parley.message using (true)",
     "policy", "message_select_mine on parley.message: changed"),
    ("alter policy message_select_service on parley.message to authenticated",
     "policy", "message_select_service on parley.message: changed"),
    ("create policy open on parley.message for select to authenticated using (true)",
     "policy", "open on parley.message: must not be"),
    ("alter view parley_api.messages reset (security_invoker)", "view", "parley_api.messages: changed"),
    ("drop view parley_api.messages", "view", "parley_api.messages: missing"),
    ("alter function parley.send_system_message(uuid, text, jsonb, boolean) security invoker",
     "function", "parley.send_system_message(uuid,text,jsonb,boolean): changed"),
    ("alter function parley.send_system_message(uuid, text, jsonb, boolean) reset search_path",
     "function", "parley.send_system_message(uuid,text,jsonb,boolean): changed"),
]
LOST = [
    ("alter table parley.read_marker drop constraint read_marker_pkey",
     "constraint", "read_marker_pkey on parley.read_marker: missing"),
    ("alter table parley.participant drop constraint participant_conversation_fkey",
     "constraint", "participant_conversation_fkey on parley.participant: missing"),
    ("do $$ begin execute (select 'drop index ' || split_part(name, ' on ', 1) from parley.expected_object"
     " where kind = 'index' and name like '% on parley.event' order by name limit 1); end $$",
     "index", " on parley.event: missing"),
]


@pytest.mark.parametrize(("spoil", "subject", "state"), BROKEN)
def test_doctor_names_what_another_installation_repairs(cluster, spoil, subject, state):
    cluster.psql(spoil, cluster.superuser_url)
    code, output = examine(cluster.owner_url)
    assert code == 1 and any(re.match(rf"FAIL {subject} +{re.escape(state)}", line) for line in failures(output)), output
    assert "parley migrate" in output
    assert run_binary("migrate", "--database-url", cluster.owner_url).returncode == 0
    assert not failures(examine(cluster.owner_url)[1])


@pytest.mark.parametrize(("spoil", "subject", "state"), LOST)
def test_doctor_has_the_statement_for_what_is_made_once(cluster, spoil, subject, state):
    cluster.psql(spoil, cluster.superuser_url)
    assert run_binary("migrate", "--database-url", cluster.owner_url).returncode == 0
    code, output = examine(cluster.owner_url)
    assert code == 1 and len(failures(output)) == 1, "another installation must not take the loss for what is expected"
    assert failures(output)[0].startswith(f"FAIL {subject}") and state in failures(output)[0]
    lines = output.splitlines()
    advice = lines[lines.index(failures(output)[0]) + 1]
    cluster.psql(advice.split("-> ", 1)[1])
    assert not failures(examine(cluster.owner_url)[1])


def test_doctor_gives_statements_that_repair(cluster):
    """Every grant, policy and table is repaired by the statements printed, without an installation."""
    own = [spoil for spoil, subject, _ in BROKEN if subject in ("grant", "row-level security")]
    for spoil in own:
        cluster.psql(spoil, cluster.superuser_url)
        for statement in re.findall(r"^ +-> (.*?;) Or run: parley migrate", examine(cluster.owner_url)[1], re.M):
            cluster.psql(statement)
        assert not failures(examine(cluster.owner_url)[1]), spoil


def test_doctor_has_one_line_for_many_differences(cluster):
    for spoil, _, _ in BROKEN:
        if "select_mine" not in spoil and "drop view" not in spoil:
            cluster.psql(spoil, cluster.superuser_url)
    lines = failures(examine(cluster.owner_url)[1])
    assert sum(line.startswith("FAIL grant") for line in lines) == 1, lines
    assert run_binary("migrate", "--database-url", cluster.owner_url).returncode == 0
    assert not failures(examine(cluster.owner_url)[1])


# --- what a restore, an upgrade or a DBA leaves: one line, and the remedy works


def restore(cluster, url: str, dumping: list[str], restoring: list[str]) -> None:
    dump = subprocess.run(["pg_dump", "-Fc", *dumping, cluster.owner_url], check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["pg_restore", "-1", *restoring, "-d", url], input=dump, check=True)


def worker_of(cluster, url: str) -> str:
    return cluster.worker_url.rsplit("/", 1)[0] + "/" + url.rsplit("/", 1)[1]


def migrated(url: str) -> None:
    done = run_binary("migrate", "--database-url", url)
    assert done.returncode == 0, done.stderr


def test_doctor_after_a_restore_without_grants(cluster, empty_database):
    restore(cluster, empty_database, ["-x"], ["--no-owner"])
    code, output = examine(empty_database)
    subjects = [line.split()[1] for line in failures(output)]
    assert code == 1 and subjects.count("grant") == 1 and len(subjects) == len(set(subjects)), output
    code, output = examine(worker_of(cluster, empty_database))
    assert code == 1 and len(failures(output)) == 1 and "parley migrate" in output, output
    migrated(empty_database)
    assert not failures(examine(empty_database)[1])
    assert not failures(examine(worker_of(cluster, empty_database))[1])


def test_doctor_after_a_restore_without_data(cluster, empty_database):
    restore(cluster, empty_database, ["-s"], ["--no-owner"])
    code, output = examine(empty_database)
    assert code == 1 and len(failures(output)) == 1 and "a dump without data was restored" in output, output
    refused = run_binary("migrate", "--database-url", empty_database)
    assert refused.returncode == 1 and "ledger parley.migration is empty" in refused.stderr
    cluster.psql(re.search(r"if there is none: (drop schema .*?;)", output).group(1), empty_database)
    migrated(empty_database)
    assert not failures(examine(empty_database)[1])


def test_doctor_after_a_restore_by_a_superuser(cluster, empty_database):
    as_superuser = cluster.superuser_url.rsplit("/", 1)[0] + "/" + empty_database.rsplit("/", 1)[1]
    restore(cluster, as_superuser, [], ["--no-owner"])
    output = examine(as_superuser)[1]
    assert not failures(output) and re.search("^warn owner +a superuser", output, re.M), output
    for schema_name in ("parley", "parley_api"):
        cluster.psql(f"alter schema {schema_name} owner to parley_owner", as_superuser)
    for url in (empty_database, worker_of(cluster, empty_database), as_superuser):
        lines = failures(examine(url)[1])
        assert sum(line.startswith("FAIL owner") for line in lines) == 1, examine(url)[1]
    migrated(as_superuser)
    for url in (empty_database, worker_of(cluster, empty_database)):
        assert not re.search("^(FAIL|warn) owner", examine(url)[1], re.M) and not failures(examine(url)[1])


@pytest.mark.parametrize("owned", ["table parley.message", "view parley_api.messages", "function parley_api.sync(text)"])
def test_doctor_sees_a_wrong_owner(cluster, owned):
    cluster.psql(f"alter {owned} owner to postgres", cluster.superuser_url)
    lines = failures(examine(cluster.owner_url)[1])
    assert len(lines) == 1 and lines[0].startswith("FAIL owner") and lines[0].endswith(": postgres"), lines
    migrated(cluster.superuser_url)
    assert not failures(examine(cluster.owner_url)[1])


def test_doctor_after_an_upgrade_of_the_server(cluster, empty_database):
    migrated(empty_database)
    # as another major version would have worded them
    cluster.psql("update parley.expected_object set name = '14' where kind = 'server';"
                 "update parley.expected_object set definition = definition || ' ' where kind in ('view', 'policy', 'index',"
                 " 'constraint', 'trigger', 'function', 'column')", empty_database)
    output = examine(empty_database)[1]
    assert not failures(output) and output.count("installed on 14") == 1, output
    migrated(empty_database)
    output = examine(empty_database)[1]
    assert not failures(output) and "recorded by" not in output, output


def test_doctor_of_a_login_without_rights(cluster):
    cluster.psql("drop role if exists nobody_yet; create role nobody_yet login", cluster.superuser_url)
    url = re.sub("//[^@]+@", "//nobody_yet@", cluster.owner_url)
    code, output = examine(url)
    assert code == 1 and [line.split()[1] for line in failures(output)] == ["this"] and "cannot be checked" not in output
    cluster.psql(re.search(r"-> .*(grant parley_worker to \w+;)", output).group(1), cluster.superuser_url)
    assert not failures(examine(url)[1])
    cluster.psql("drop role nobody_yet", cluster.superuser_url)


def test_doctor_of_an_older_database(cluster, empty_database, release):
    migrated(empty_database)
    (release / "sql/migrations/9999_newer.sql").write_text(
        "create table parley.x (id bigint constraint x_pkey primary key);\nalter table parley.x enable row level security;\n")
    manifest(release)
    done = run_binary("doctor", "--database-url", empty_database, "--sql-dir", str(release / "sql"))
    assert [line.split()[1] for line in failures(done.stdout)] == ["installation"] and "older than this" in done.stdout
    assert run_binary("migrate", "--database-url", empty_database, "--sql-dir", str(release / "sql")).returncode == 0
    assert not failures(run_binary("doctor", "--database-url", empty_database, "--sql-dir", str(release / "sql")).stdout)


def test_doctor_of_a_read_only_database(cluster, empty_database):
    migrated(empty_database)
    name = empty_database.rsplit("/", 1)[1]
    cluster.psql(f"alter database {name} set default_transaction_read_only = on", empty_database)
    code, output = examine(empty_database)
    assert code == 1 and [line.split()[1] for line in failures(output)] == ["writing"], output
    refused = run_binary("migrate", "--database-url", empty_database)
    assert refused.returncode == 1 and "read-only" in refused.stderr
    cluster.psql(re.search(r"-> (begin read write; .*? commit;)", output).group(1), empty_database)
    assert not failures(examine(empty_database)[1])


def test_doctor_of_a_standby():
    with Cluster() as standby:
        signal_file = Path(standby.data) / "standby.signal"
        signal_file.touch()
        shutil.chown(signal_file, Path(standby.data).owner())
        standby.command("restart")
        code, output = examine(standby.owner_url)
        assert code == 1 and [line.split()[1] for line in failures(output)] == ["writing"], output
        refused = run_binary("migrate", "--database-url", standby.owner_url)
        assert refused.returncode == 1 and "standby" in refused.stderr
        standby.psql(re.search(r"(select pg_promote\(\);)", output).group(1), standby.superuser_url)
        assert not failures(examine(standby.owner_url)[1])


@pytest.fixture
def extension_files():
    """The extension on the server's share directory, which all servers of this machine have in common."""
    folder = subprocess.run(["make", "-s", "extension-dir"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n", "--preserve-env=PG_CONFIG"]
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with tempfile.TemporaryDirectory() as found:
        here = [path for path in Path(folder).iterdir() if path.name == "parley.control" or path.match("parley--*.sql")]
        for path in here:
            shutil.copy2(path, found)
        subprocess.run([*as_root, "make", "-s", "uninstall"], cwd=ROOT, check=True)
        subprocess.run([*as_root, "make", "-s", "install"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            subprocess.run([*as_root, "make", "-s", "uninstall"], cwd=ROOT, check=True)
            for path in here:
                subprocess.run([*as_root, "cp", "-p", str(Path(found) / path.name), folder], check=True)
            os.close(handle)


def test_doctor_of_the_extension(cluster, empty_database, extension_files):
    cluster.psql("create extension parley", empty_database)

    def advised() -> str:
        code, output = examine(empty_database)
        assert code == 1 and len(failures(output)) == 1 and "parley migrate" not in output, output
        return re.search(r"psql -c '(select parley_ext.migrate\(\))'", output).group(1)

    cluster.psql(advised(), empty_database)
    assert not failures(examine(empty_database)[1])
    cluster.psql("alter policy message_select_mine on parley.message using (true)", empty_database)
    cluster.psql(advised(), empty_database)
    assert not failures(examine(empty_database)[1])


def test_doctor_finds_a_loss_after_an_upgrade(cluster, release, empty_database):
    assert run_binary("migrate", "--database-url", empty_database).returncode == 0
    cluster.psql("alter table parley.read_marker drop constraint read_marker_pkey", empty_database)
    (release / "sql/migrations/9999_newer.sql").write_text(
        "create table parley.x (id bigint constraint x_pkey primary key);\n"
        "alter table parley.x enable row level security;\n")
    manifest(release)
    flags = ["--sql-dir", str(release / "sql")]
    assert run_binary("migrate", "--database-url", empty_database, *flags).returncode == 0
    cluster.psql("alter table parley.x drop constraint x_pkey", empty_database)
    _, output = examine(empty_database)
    assert "read_marker_pkey on parley.read_marker: missing" in output and "x_pkey on parley.x: missing" in output


def test_doctor_leaves_alone_what_is_not_of_parley(cluster, empty_database):
    assert run_binary("migrate", "--database-url", empty_database).returncode == 0
    cluster.psql(
        "create index of_the_host on parley.account (created_at);"
        "create function parley_api.of_the_host() returns integer language sql return 1;"
        "revoke all on function parley_api.of_the_host() from public;"
        "grant execute on function parley_api.of_the_host() to authenticated;"
        "do $$ begin perform parley.ensure_partitions(9); end $$", empty_database)
    assert not failures(examine(empty_database)[1])
    assert run_binary("migrate", "--database-url", empty_database).returncode == 0
    assert cluster.psql("select has_function_privilege('authenticated', 'parley_api.of_the_host()', 'execute')",
                        empty_database) == "t"


@pytest.mark.parametrize("table", ["setting", "tier", "message_type", "log_state", "secret"])
def test_doctor_misses_rows(cluster, empty_database, table):
    assert run_binary("migrate", "--database-url", empty_database).returncode == 0
    cluster.psql(f"truncate parley.{table} cascade", empty_database)
    code, found = findings(empty_database)
    assert found[f"rows of {table}"] == "FAIL" and code == 1


def test_doctor_on_an_empty_database(empty_database):
    code, output = examine(empty_database)
    assert code == 1 and [line.split()[1] for line in failures(output)] == ["installation"]
    assert output.count("->") == 1 and "parley migrate" in output and "sql/install.sql" in output


@pytest.fixture
def pooler(cluster):
    """The owner's URL through PgBouncer in transaction mode."""
    with transaction_pooler(cluster.owner_url) as url:
        yield url


def test_doctor_notices_a_pooler(cluster, pooler):
    assert findings(pooler)[1]["LISTEN through this URL"] == "warn"
    output = run_binary("doctor", "--database-url", pooler).stdout
    assert "All is well" not in output and "--listen-database-url" in output
    assert findings(cluster.owner_url)[1]["LISTEN through this URL"] == "ok"


def test_doctor_needs_a_database():
    done = run_binary("doctor", "--database-url", "postgresql://u:hunter2@127.0.0.1:1/x")
    assert done.returncode == 1 and "hunter2" not in done.stderr + done.stdout
