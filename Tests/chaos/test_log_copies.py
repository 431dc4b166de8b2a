"""A cold copy of the data directory that is put back: same cluster, same timeline, the same numbers given away again."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from parley import Cluster, Worker
from sockets import Socket


@pytest.fixture
def cluster():
    with Cluster() as cluster:
        yield cluster


def stop(cluster: Cluster) -> str:
    """Ends the server in good order; returns who owns its files."""
    bindir = cluster.psql("select setting from pg_config where name = 'BINDIR'", cluster.superuser_url)
    owner = Path(cluster.data).owner()
    command = [f"{bindir}/pg_ctl", "-D", str(cluster.data), "-m", "fast", "-w", "stop"]
    subprocess.run(["runuser", "-u", owner, "--", *command] if owner == "postgres" else command, check=True, cwd="/")
    return owner


def cold_copy(cluster: Cluster) -> Path:
    copy = Path(f"{cluster.data}.copy")
    stop(cluster)
    shutil.copytree(cluster.data, copy, symlinks=True)
    cluster.command("restart")
    return copy


def put_back(cluster: Cluster, copy: Path) -> None:
    owner = stop(cluster)
    shutil.rmtree(cluster.data)
    copy.rename(cluster.data)
    subprocess.run(["chown", "-R", f"{owner}:", str(cluster.data)], check=True)
    cluster.command("restart")


def as_user(cluster: Cluster, user: str, call: str) -> dict:
    claims = json.dumps({"sub": user, "role": "authenticated"})
    sql = f"begin; set local role authenticated; set local request.jwt.claims = '{claims}'; select {call}; commit"
    return json.loads(cluster.psql(sql, cluster.superuser_url))


def test_positions_of_what_a_copy_does_not_have_are_noticed(cluster):
    ann, bob = cluster.account("Ann"), cluster.account("Bob")
    talk = as_user(cluster, ann, f"parley_api.start_conversation(array['{bob}'::uuid], 'group')")["id"]

    def send(text: str) -> None:
        as_user(cluster, ann, f"parley_api.send_message('{talk}', '{text}')")

    def sync(cursor: str | None = None) -> dict:
        return as_user(cluster, bob, "parley_api.sync()" if cursor is None else f"parley_api.sync('{cursor}')")

    send("in the copy")
    early = sync()["cursor"]
    copy = cold_copy(cluster)
    for n in range(3):
        send(f"lost {n}")
    late = sync(early)
    assert [event["payload"]["message"]["content"] for event in late["events"]] == ["lost 0", "lost 1", "lost 2"]
    seen = late["events"][-1]["payload"]["event_seq"]
    position = cluster.psql("select epoch || '|' || max_id || '|' || xid || '|' || created_at from parley.log_position()")
    epoch, max_id, xid, at = position.split("|")
    holds = f"select parley.position_holds('{epoch}', {max_id}, '{xid}', '{at}')"
    assert cluster.psql(holds) == "t"
    put_back(cluster, copy)
    assert cluster.psql("select parley.log_epoch()") == epoch, "nothing but the positions tells the copy"

    # ahead of the log
    assert cluster.psql(holds) == "f"
    assert sync(late["cursor"])["resync_required"]
    gap = as_user(cluster, bob, f"parley_api.get_events('{talk}', {seen})")
    assert (gap["gap"]["reason"], gap["events"], gap["to"]) == ("reset", [], gap["last_event_seq"])
    # a position from before the copy goes on, and misses nothing
    assert not sync(early)["resync_required"]
    # the same numbers again, for other messages
    for n in range(4):
        send(f"new {n}")
    assert cluster.psql(f"select count(*) from parley.event where id = {max_id}") == "1"
    assert cluster.psql(holds) == "f"
    again = sync(late["cursor"])
    assert again["resync_required"]
    assert again["conversations"][0]["last_message"]["content"] == "new 3"
    texts = [event["payload"]["message"]["content"] for event in sync(early)["events"]]
    assert texts == ["new 0", "new 1", "new 2", "new 3"]
    # a new epoch voids also what no position can tell
    cluster.psql("select parley.begin_epoch('set back to a copy')")
    assert sync(early)["resync_required"]


@pytest.mark.asyncio
async def test_a_worker_notices_the_copy_and_closes_its_sockets(cluster):
    ann, bob = cluster.account("Ann"), cluster.account("Bob")
    with Worker(cluster, "--log-level", "error") as worker:
        talk = worker.rpc("start_conversation", worker.token(ann), participant_ids=[bob], type="group")["id"]

        def send(text: str) -> None:
            as_user(cluster, ann, f"parley_api.send_message('{talk}', '{text}')")

        async def joined() -> Socket:
            for _ in range(100):
                try:
                    socket = await Socket.open(worker)
                    await socket.join(f"conversation:{talk}", worker.token(bob))
                    return socket
                except Exception:
                    await asyncio.sleep(0.2)
            raise AssertionError("the worker does not come back")

        async def contents(socket: Socket, count: int) -> list[str]:
            await socket.wait(lambda: len(socket.events("message:new")) >= count)
            return [event["message"]["content"] for event in socket.events("message:new")]

        send("in the copy")
        copy = await asyncio.to_thread(cold_copy, cluster)
        socket = await joined()
        for n in range(3):
            send(f"lost {n}")
        assert await contents(socket, 3) == ["lost 0", "lost 1", "lost 2"]
        await asyncio.to_thread(put_back, cluster, copy)
        assert await asyncio.wait_for(asyncio.shield(socket.closed), 30) == 1012
        # under the very numbers of those that are lost
        socket = await joined()
        for n in range(5):
            send(f"new {n}")
        assert await contents(socket, 5) == [f"new {n}" for n in range(5)]
        await socket.connection.close()
