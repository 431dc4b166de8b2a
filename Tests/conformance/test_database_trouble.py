"""A database that a worker cannot work with: its log and `/health/ready` say what is wrong and what to do."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request

import pytest
from conftest import People
from parley import Cluster, RpcError, Worker
from sockets import Refused, Socket


def unready(worker: Worker, wanted: str) -> str:
    """The reason that `/health/ready` gives, once it is the one that is waited for."""
    reason = ""
    for _ in range(100):
        try:
            urllib.request.urlopen(f"{worker.url}/health/ready", timeout=5)
        except urllib.error.HTTPError as error:
            assert error.code == 503
            (reason,) = json.loads(error.read())["reasons"]
            if wanted in reason:
                return reason
        except urllib.error.URLError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"'{wanted}' was not said, but '{reason}'")


@pytest.mark.parametrize(
    ("change", "state", "advice"),
    [
        ("drop schema parley, parley_api cascade", "Parley is not installed", "parley migrate"),
        ("drop function parley.check_worker", "older than this program", "Run: parley migrate"),
        ("revoke usage on schema parley from parley_worker", "not a member of parley_worker", "grant parley_worker"),
    ],
)
def test_the_log_and_health_say_what_is_wrong(change, state, advice):
    with Cluster() as cluster:
        name = cluster.psql("select current_database()")
        signatures = cluster.psql("select oid::regprocedure from pg_proc where proname = 'check_worker'")
        change = change.replace("database parley", f"database {name}").replace("parley.check_worker", signatures)
        cluster.psql(change, cluster.superuser_url.rsplit("/", 1)[0] + f"/{name}")
        worker = Worker(cluster)
        worker.start(wait=False)
        try:
            reason = unready(worker, state)
            assert advice in reason
            time.sleep(2)
            told = [line for line in worker.output().splitlines() if "tail disconnected" in line]
            assert len(told) == 1 and state in told[0] and advice in told[0], told
        finally:
            worker.stop()


def test_a_database_that_turns_read_only_says_so_to_who_sends():
    with Cluster() as cluster, Worker(cluster) as worker:
        people = People(cluster, worker)
        conversation = people.conversation("Alice", "Bob")
        name = cluster.psql("select current_database()")
        cluster.psql(f"alter database {name} set default_transaction_read_only = on", cluster.superuser_url)
        # As a failover to a standby does it: the sessions end, the next ones may only read.
        cluster.psql(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'parley pool'",
            cluster.superuser_url,
        )
        time.sleep(0.5)
        assert people.rpc("Alice", "get_user_conversations")["conversations"]
        with pytest.raises(RpcError) as refused:
            people.rpc("Alice", "send_message", conversation_id=conversation, content="now")
        assert refused.value.status == 503 and "read-only" in refused.value.body["message"], refused.value


@pytest.mark.asyncio
async def test_a_read_only_database_is_served_as_far_as_it_goes():
    with Cluster() as cluster, Worker(cluster) as first:
        people = People(cluster, first)
        conversation = people.conversation("Alice", "Bob")
        first.stop()
        name = cluster.psql("select current_database()")
        cluster.psql(f"alter database {name} set default_transaction_read_only = on", cluster.superuser_url)
        with Worker(cluster) as worker:
            people.worker = worker
            token = people.token("Alice")
            assert worker.output().count("the database is read-only, or a standby") == 1
            async with await Socket.open(worker) as socket:
                await socket.join(f"conversation:{conversation}", token)
                with pytest.raises(Refused) as refused:
                    await socket.send_message(conversation, "now")
                assert refused.value.response["retriable"] is True
                # Beyond the next sign of life, which would write.
                await asyncio.sleep(16)
                async with await Socket.open(worker) as late:
                    await late.join(f"conversation:{conversation}", token)
                assert not socket.closed.done() and "tail disconnected" not in worker.output()
                cluster.psql(f"begin read write; alter database {name} reset default_transaction_read_only; commit", cluster.superuser_url)
                cluster.psql(
                    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'parley pool'", cluster.superuser_url
                )
                limit = time.monotonic() + 20
                while cluster.psql("select count(*) from parley.worker where beat_at > now() - interval '1 minute'") != "1":
                    assert time.monotonic() < limit
                    await asyncio.sleep(0.2)
                await socket.send_message(conversation, "again")
                assert (await socket.event("message:new"))["message"]["content"] == "again"
