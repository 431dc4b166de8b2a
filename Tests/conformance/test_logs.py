"""The worker's own records: what they tell, of whom, where they go, and that nobody's words are in them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from parley import Cluster, RpcError, Worker, run_binary
from sockets import Refused, Socket

CANARY = "canaryinacoalmine"


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as cluster:
        yield cluster


def lines(folder: Path, record: str) -> list[dict]:
    return [json.loads(line) for file in sorted(folder.glob(f"{record}-*.log")) for line in file.read_text().splitlines()]


async def ask(worker: Worker, user: str, group: str) -> None:
    """One of each kind of request, with a canary wherever a client can put text."""
    token = worker.token(user)
    worker.rpc("send_message", token, conversation_id=group, content=CANARY)
    for function, arguments in [("send_message", {"conversation_id": CANARY, "content": "x"}), (CANARY, {"a": CANARY})]:
        with pytest.raises(RpcError):
            worker.rpc(function, token, **arguments)
    async with await Socket.open(worker) as socket:
        topic = f"conversation:{group}"
        await socket.join(topic, token)
        await socket.broadcast(topic, "message:send", {"content": CANARY})
        with pytest.raises(Refused):
            await socket.broadcast(topic, "message:send", {"content": CANARY, "mentions": [CANARY]})


@pytest.mark.asyncio
async def test_each_record_has_its_file_and_ids_as_the_setting_says(cluster, tmp_path):
    user, friend = cluster.account("Ann"), cluster.account("Bob")
    (tmp_path / "access-2001-01-01.log").write_text("old")
    (tmp_path / "error-2001-01-01.log").write_text("old")
    flags = ("--log-folder", str(tmp_path), "--access-log-percent", "100", "--log-level", "debug")
    cluster.psql("update parley.setting set value = 'hashed' where name = 'log_ids'")
    hashed = cluster.psql(f"select parley.log_id('{user}')")
    with Worker(cluster, *flags) as worker:
        group = worker.rpc("start_conversation", worker.token(user), participant_ids=[friend], type="group")["id"]
        limit = time.monotonic() + 15
        # until the worker has learned the salt, ids are hashed with one of its own
        while not any(line["user"] == hashed for line in lines(tmp_path, "access")):
            assert time.monotonic() < limit, lines(tmp_path, "access")
            worker.rpc("get_unread_counts", worker.token(user))
        before = len(lines(tmp_path, "access"))
        await ask(worker, user, group)
        told = [(line["door"], line["target"], line["status"], line["user"]) for line in lines(tmp_path, "access")[before:]]
        assert told == [
            ("http", "send_message", "200", hashed), ("http", "-", "400", hashed), ("http", "-", "404", hashed),
            ("socket", "send_message", "200", hashed), ("socket", "-", "400", hashed),
        ]
        assert all(set(line) == {"ts", "record", "level", "label", "msg", "door", "target", "status", "user", "us"}
                   and line["record"] == "access" and int(line["us"]) > 0 for line in lines(tmp_path, "access"))
        assert worker.output() == ""
    assert {line["record"] for line in lines(tmp_path, "application")} == {"application"}
    assert not list(tmp_path.glob("*-2001-*"))
    logs = "".join(file.read_text() for file in tmp_path.iterdir())
    assert CANARY not in logs and user not in logs and group not in logs

    cluster.psql("update parley.setting set value = 'plain' where name = 'log_ids'")
    with Worker(cluster, *flags) as worker:
        limit = time.monotonic() + 15
        while not any(line["user"] == user for line in lines(tmp_path, "access")):
            assert time.monotonic() < limit
            worker.rpc("get_unread_counts", worker.token(user))


def test_of_what_goes_well_a_sample_is_written_and_of_what_fails_everything(cluster, tmp_path):
    user = cluster.account("Cid")
    with Worker(cluster, "--log-folder", str(tmp_path), "--access-log-percent", "0") as worker:
        for _ in range(5):
            worker.rpc("get_unread_counts", worker.token(user))
        assert lines(tmp_path, "access") == []
        worker.rpc("set_feature_flag", worker.service_key, name="messaging", state="off")
        with pytest.raises(RpcError):
            worker.rpc("start_conversation", worker.token(user), participant_ids=[cluster.account("Dan")])
        worker.rpc("set_feature_flag", worker.service_key, name="messaging", state="on")
        assert [(line["target"], line["status"]) for line in lines(tmp_path, "access")] == [("start_conversation", "503")]


def test_a_folder_that_cannot_be_written_is_named_at_the_start(cluster):
    done = run_binary(
        "serve", "--database-url", cluster.worker_url, "--jwt-secret", "s" * 32, "--port", "0", "--log-folder", "/nowhere/at/all")
    assert done.returncode != 0 and "--log-folder" in done.stderr and "No such file or directory" in done.stderr
