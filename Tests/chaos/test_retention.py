"""A purge, an erasure and an export, cut off in the middle: nothing is lost, nothing is done twice, nothing is left."""

from __future__ import annotations

import json
import os
import subprocess
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from parley import ROOT, Cluster, Worker
from waiting import until
from year import ORPHANS, make_year

# one word for each place where something of a user's own is kept
NAMES = {
    "name": "Zyzzyva", "text": "quomodocunquize", "old text": "ultracrepidarian", "metadata": "gardyloo", "e-mail": "zy@example.org",
    "file": "absquatulate.png", "sent file": "bumfuzzle.png", "draft": "widdershins", "scheduled": "borborygmus", "poll": "taradiddle",
    "signal": "snollygoster", "device": "lollygag-phone", "passed on": "cattywampus", "in a thread": "flibbertigibbet",
    "reached at": "hornswoggle-phone", "token": "sesquipedalian" * 8, "former name": "Xertzing",
}


def whole_pass(cluster: Cluster, as_of: str, crash_after: int = 0, batch: int = 200) -> dict:
    """A pass to its end; after so many steps Postgres dies in the middle of the next."""
    for number in range(10_000):
        if crash_after and number == crash_after:
            step = subprocess.Popen(
                ["psql", "-XAtq", cluster.superuser_url, "-c", f"select parley.retention_run({as_of}, {batch}), pg_sleep(5)"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.5)
            cluster.command("kill9")
            step.wait()
            cluster.command("restart")
        step = json.loads(cluster.psql(f"select parley.retention_run({as_of}, {batch})", cluster.superuser_url))
        if not step["more"]:
            return step
    raise AssertionError("a pass without end")


def test_a_crash_in_the_middle_of_a_purge_loses_and_doubles_nothing():
    with Cluster("--fsync") as cluster:
        make_year(cluster.superuser_url, 3000)
        whole_pass(cluster, "now() - interval '31 days'")
        as_of = "'" + cluster.psql("select now()", cluster.superuser_url) + "'"
        foretold = cluster.psql(
            f"select count(*), coalesce(bit_xor(hashtextextended(message_id::text, 0)), 0) from parley.retention_due({as_of}) where action = 'purge'",
            cluster.superuser_url)
        held = cluster.psql(f"select count(*) from parley.retention_due({as_of}) where action = 'held'", cluster.superuser_url)
        before = int(cluster.psql("select count(*) from parley.message"))
        run = whole_pass(cluster, as_of, crash_after=2)
        assert f"{run['purged']}|{run['checksum']}" == foretold
        assert int(cluster.psql("select count(*) from parley.message")) == before - run["purged"]
        assert int(held) > 0 and run["purged"] > 500
        assert all(line.endswith("|0") for line in cluster.psql(ORPHANS).splitlines())
        again = whole_pass(cluster, as_of)
        assert (again["retired"], again["returned"], again["purged"]) == (0, 0, 0)


def test_a_worker_that_dies_in_the_middle_of_a_purge_loses_and_doubles_nothing():
    with Cluster() as cluster:
        make_year(cluster.superuser_url, 20_000, 200)
        whole_pass(cluster, "now() - interval '31 days'", batch=5000)
        as_of = "'" + cluster.psql("select now()", cluster.superuser_url) + "'"
        foretold = cluster.psql(
            f"select count(*), coalesce(bit_xor(hashtextextended(message_id::text, 0)), 0) from parley.retention_due({as_of}) where action = 'purge'",
            cluster.superuser_url)
        before = int(cluster.psql("select count(*) from parley.message"))
        # a step takes long enough to be met in its middle
        cluster.psql("""
            create function public.take_your_time() returns trigger language plpgsql as 'begin perform pg_sleep(0.1); return null; end';
            create trigger slow after delete on parley.message_revision for each statement execute function public.take_your_time()""",
            cluster.superuser_url)
        # the pass begins as of that moment, and the job of the workers goes on with it
        cluster.psql(f"select parley.retention_run({as_of}, 1)")
        cluster.psql("update parley.job set next_run_at = now() where name = 'retain_messages'")

        def step() -> tuple[int, int]:
            return tuple(map(int, cluster.psql(f"select steps, purged from parley.retention_run where as_of = {as_of}").split("|")))

        worker, seen = Worker(cluster), set()
        try:
            for _ in range(4):
                last = step()
                worker.start()
                until(lambda last=last: step() > last, step=0.005)
                until(lambda: cluster.psql(
                    "select count(*) from pg_stat_activity where wait_event = 'PgSleep'", cluster.superuser_url) != "0", step=0)
                worker.kill9()
                seen.add(step())
            assert len(seen) == 4 and cluster.psql(f"select ended_at is null from parley.retention_run where as_of = {as_of}") == "t"
            worker.start()
            until(lambda: cluster.psql(f"select ended_at is not null from parley.retention_run where as_of = {as_of}") == "t", 120)
        finally:
            worker.stop()
        cluster.psql("drop function public.take_your_time() cascade", cluster.superuser_url)
        run = cluster.psql(f"select purged, checksum from parley.retention_run where as_of = {as_of}")
        assert run == foretold and int(run.split("|")[0]) > 5_000
        assert int(cluster.psql("select count(*) from parley.message")) == before - int(run.split("|")[0])
        assert all(line.endswith("|0") for line in cluster.psql(ORPHANS).splitlines())
        again = whole_pass(cluster, as_of)
        assert (again["retired"], again["returned"], again["purged"]) == (0, 0, 0)


def told_with_canaries(cluster: Cluster, worker: Worker) -> tuple[str, str, str]:
    """Zyzzyva, who has said and done something everywhere, a friend, and their conversation."""
    user, friend = cluster.account(NAMES["name"]), cluster.account("Friend")
    token = worker.token(user)
    call = worker.rpc
    service = worker.service_key
    group = call("start_conversation", token, participant_ids=[friend], type="group", title="Us")["id"]
    thread = call("start_conversation", token, participant_ids=[friend], message=NAMES["in a thread"])["id"]
    first = call("send_message", token, conversation_id=group, content=NAMES["old text"],
                 metadata={"x": NAMES["metadata"], "from": NAMES["e-mail"]})
    call("edit_message", token, message_id=first["id"], content=NAMES["text"] + "!")
    call("send_message", worker.token(friend), conversation_id=group, content="said by another")
    call("send_message", token, conversation_id=group, content=NAMES["text"], reply_to_id=first["id"])
    passed_on = call("send_message", token, conversation_id=thread, content=NAMES["passed on"])
    call("forward_message", token, message_id=passed_on["id"], conversation_ids=[group])
    file = {"kind": "image", "content_type": "image/png", "byte_size": 1000}
    call("declare_attachment", token, conversation_id=group, file_name=NAMES["file"], **file)
    sent = call("declare_attachment", token, conversation_id=group, file_name=NAMES["sent file"],
                metadata={"x": NAMES["metadata"]}, **file)["id"]
    call("record_upload", service, attachment_id=sent, byte_size=1000)
    call("record_scan", service, attachment_id=sent, scan_state="clean")
    call("send_message", token, conversation_id=group, type="image", attachment_ids=[sent])
    call("save_draft", token, conversation_id=group, content=NAMES["draft"])
    call("schedule_message", token, conversation_id=group, content=NAMES["scheduled"],
         send_at=(datetime.now(timezone.utc) + timedelta(days=1)).isoformat())
    poll = call("create_poll", token, conversation_id=group, question="which?", options=[NAMES["poll"], "other"])
    call("vote", worker.token(friend), message_id=poll["id"], option_ids=[1])
    call("add_reaction", token, message_id=first["id"], emoji="👍")
    call("star_message", token, message_id=first["id"])
    ringing = call("start_call", token, conversation_id=thread, kind="voice", device_id=NAMES["device"])["id"]
    call("signal_call", token, call_id=ringing, to_user_id=friend, kind="offer", payload={"sdp": NAMES["signal"]})
    call("send_system_message", service, conversation_id=group, content=f"Welcome, {NAMES['name']}!")
    call("add_participants", token, conversation_id=group, participant_ids=[cluster.account("Third")])
    # as if that had been before 0.3.0, under another name
    cluster.psql(f"""update parley.message set content = '{NAMES["former name"]} added Third.', metadata = metadata - 'notice'
        where metadata ->> 'event' = 'participants_added'""", cluster.superuser_url)
    call("add_participants", token, conversation_id=group, participant_ids=[cluster.account("Fifth")])
    # and something waits to be told to their phone
    cluster.psql("""select parley.configure_push('[{"provider": "fcm", "app_id": "app"}]', 'w')""", cluster.superuser_url)
    call("register_device", token, provider="fcm", app_id="app", token=NAMES["token"], name=NAMES["reached at"])
    call("send_message", worker.token(friend), conversation_id=group, content="said to a phone")
    while cluster.psql("select parley.enqueue_push(100)", cluster.superuser_url) != "0":
        pass
    call("block_user", token, user_id=cluster.account("Fourth"))
    call("export_my_data", token)
    return user, friend, group


def dump(url: str, path: Path, data_only: bool = False) -> str:
    command = ["pg_dump", "--no-owner", "-f", str(path), url]
    subprocess.run(command + (["--data-only"] if data_only else []), check=True)
    return path.read_text()


def unlike_the_schema(lines: list[dict]) -> list[str]:
    """Where lines of an export are other than docs/export.schema.json says."""
    validator = Draft202012Validator(json.loads((ROOT / "docs" / "export.schema.json").read_text()))
    return [f"{line['kind']}: {error.message}" for line in lines for error in validator.iter_errors(line)]


def shown(cluster: Cluster, url: str) -> str:
    """What there is, without what differs from run to run: times of the erasure, and numbers of events."""
    return cluster.psql(
        "select m.seq, m.sender_id, m.content, m.metadata, m.deleted_at is null from parley.message m order by m.conversation_id, m.seq; "
        "select p.user_id, p.role, p.last_read_seq, p.left_at is null from parley.participant p order by p.user_id; "
        "select a.id, a.display_name, a.deleted_at is null from parley.account a order by a.id; "
        "select e.user_id, e.content, e.reason, e.requested_at, e.finished_at is not null from parley.erasure e", url)


def test_an_erased_user_is_in_no_dump_no_log_and_no_backup(tmp_path: Path):
    exports, records = tmp_path / "exports", tmp_path / "logs"
    exports.mkdir(), records.mkdir()
    flags = ("--log-level", "debug", "--access-log-percent", "100", "--log-folder", str(records), "--export-folder", str(exports))
    with Cluster() as cluster, Worker(cluster, *flags) as worker:
        user, friend, group = told_with_canaries(cluster, worker)
        until(lambda: NAMES["text"] in cluster.psql("select terms::text from parley.search_block"))
        until(lambda: cluster.psql("select state from parley.export") == "ready")
        of_push = f"""select (select count(*) from parley.push_device where user_id = '{user}'),
            (select count(*) from parley.push_job where user_id = '{user}' and settled_at is null)"""
        assert cluster.psql(of_push, cluster.superuser_url) == "1|1"
        backup = dump(cluster.superuser_url, tmp_path / "yesterday.sql")
        assert [canary for canary in NAMES.values() if canary not in backup] == []
        exported = [json.loads(line) for file in exports.iterdir() for line in file.read_text().splitlines()]
        assert NAMES["text"] in [line.get("content") for line in exported]
        kinds = {line["kind"] for line in exported}
        assert {"account", "attachment", "call", "draft", "message", "push_device", "scheduled_message", "block"} <= kinds
        assert unlike_the_schema(exported) == []
        assert len(unlike_the_schema([{**line, "unheard_of": 1} for line in exported])) == len(exported)

        cluster.psql(f"select parley.erase_user('{user}', 'asked to', 'remove')")
        until(lambda: cluster.psql("select count(*) from parley.erasure where finished_at is not null") == "1")
        after = dump(cluster.superuser_url, tmp_path / "today.sql")
        assert [canary for canary in NAMES.values() if canary in after] == []
        assert cluster.psql(of_push.replace(" and settled_at is null", ""), cluster.superuser_url) == "0|0"
        until(lambda: not list(exports.iterdir()))
        logs = worker.output() + (Path(cluster.data).parent / "log").read_text(errors="replace")
        logs += "".join(file.read_text() for file in records.iterdir())
        assert '"record":"access"' in logs
        assert [canary for canary in NAMES.values() if canary in logs] == []
        page = worker.rpc("get_conversation_messages", worker.token(friend), conversation_id=group)["messages"]
        seqs = sorted(m["seq"] for m in page)
        assert seqs == list(range(1, len(seqs) + 1)), "the numbers of others are dense"
        assert "said by another" in [m["content"] for m in page]
        assert "Welcome, [Deleted User]!" in [m["content"] for m in page]
        assert {"[Deleted User] added Third.", "[Deleted User] added Fifth."} <= {m["content"] for m in page}

        # yesterday's backup, and the ledger that lay outside of the database
        ledger = cluster.psql("select parley.erasure_ledger()")
        assert [canary for canary in NAMES.values() if canary in ledger] == []
        cluster.command("database", "restored")
        restored = cluster.superuser_url.rsplit("/", 1)[0] + "/restored"
        subprocess.run(["psql", "-Xq", "-o", os.devnull, restored, "-f", str(tmp_path / "yesterday.sql")],
                       check=True, stderr=subprocess.DEVNULL)
        assert cluster.psql(f"select parley.reapply_erasures($x${ledger}$x$)", restored) == "1"
        for _ in range(50):
            cluster.psql("select parley.settle_closings(), parley.erase_users()", restored)
        again = dump(restored, tmp_path / "again.sql", data_only=True)
        assert [canary for canary in NAMES.values() if canary in again] == []
        assert shown(cluster, restored) == shown(cluster, cluster.superuser_url)


@pytest.mark.parametrize("messages", [int(os.environ.get("PARLEY_EXPORT_MESSAGES", "20000"))])
def test_an_export_goes_on_after_a_cut_and_imports(tmp_path: Path, messages: int):
    folder, patience = tmp_path / "exports", 60 + messages // 500
    folder.mkdir()
    with Cluster() as cluster, Worker(cluster, "--export-folder", str(folder)) as worker:
        user, friend = cluster.account("Ann"), cluster.account("Bob")
        token = worker.token(user)
        group = worker.rpc("start_conversation", token, participant_ids=[friend], type="group")["id"]
        cluster.psql(f"""
            insert into parley.message (id, conversation_id, seq, sender_id, created_at, type, content)
            select parley.uuid_v7(), '{group}', i, '{user}', now(), 'text', 'line "' || i || E'" \\\\ and\\nanother' from generate_series(1, {messages}) i;
            update parley.conversation set last_seq = {messages} where id = '{group}'""", cluster.superuser_url)
        export = worker.rpc("export_my_data", token)["id"]
        until(lambda: int(cluster.psql(f"select rows_written from parley.export where id = '{export}'")) > messages // 10, patience)
        worker.kill9()
        file = folder / f"{export}.jsonl"
        with file.open("a") as torn:
            torn.write('{"kind": "torn')
        worker.start()
        until(lambda: cluster.psql(f"select state from parley.export where id = '{export}'") == "ready", patience)
        state = worker.rpc("get_export", token, export_id=export)
        peak = next(line for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
        print(f"{messages} messages, {state['bytes']} bytes, worker {peak}")
        assert int(peak.split()[1]) < 200_000, "the export is streamed"
        assert state["file"] == file.name and state["bytes"] == file.stat().st_size
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert [line["seq"] for line in lines if line["kind"] == "message"] == list(range(1, messages + 1))
        assert len(lines) == state["rows"]
        # of the messages, which are alike, some
        assert unlike_the_schema(lines[:200] + lines[-200:]) == []
        # the line of docs/operations.md
        cluster.command("database", "fresh")
        fresh = cluster.superuser_url.rsplit("/", 1)[0] + "/fresh"
        document = (ROOT / "docs" / "operations.md").read_text()
        copy = next(line for line in document.splitlines() if line.startswith("\\copy imported"))
        subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", fresh], check=True, text=True,
                       input=f"create table imported (line jsonb);\n{copy.replace('export.jsonl', str(file))}\n")
        assert cluster.psql("select count(*), count(*) filter (where line ->> 'kind' = 'message') from imported", fresh) == f"{len(lines)}|{messages}"
        # and its end
        cluster.psql(f"update parley.export set expires_at = now() where id = '{export}'")
        until(lambda: not file.exists())
        until(lambda: worker.rpc("get_export", token, export_id=export)["state"] == "expired")
