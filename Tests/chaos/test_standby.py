"""A worker in front of a hot standby: reads, joins and what the primary writes go on; changes are refused until it is promoted."""

from __future__ import annotations

import asyncio
import concurrent.futures
import time

import pytest
from parley import Cluster, RpcError, Worker
from sockets import Refused, Socket
from standby import Standby

WRITERS, MESSAGES = 6, 40


def write(cluster: Cluster, conversation: str, user: str, writer: int) -> None:
    """Transactions that overlap, so that events become visible in another order than their numbers."""
    cluster.psql(
        "".join(
            f"begin; select parley.write_message('{user}', '{conversation}', 'message {writer} {n}');"
            f"select pg_sleep({0.001 * ((writer + n) % 7)}); commit;"
            for n in range(MESSAGES)
        )
    )


@pytest.mark.asyncio
async def test_a_standby_serves_until_it_is_promoted():
    with Cluster() as cluster, Worker(cluster, "--log-level", "warning") as primary:
        cluster.psql("update parley.tier_limit set amount = null, burst = null where period_seconds is not null")
        users = [cluster.account(f"user {n}") for n in range(WRITERS)]
        group = primary.rpc("start_conversation", primary.token(users[0]), participant_ids=users[1:], type="group", title="g")["id"]
        others = [primary.rpc("start_conversation", primary.token(users[0]), participant_ids=[user])["id"] for user in users[1:]]
        with Standby(cluster) as standby:
            worker = Worker(cluster, "--log-level", "info", database_url=standby.url(cluster.worker_url))
            worker.secret = primary.secret
            with worker:
                token = worker.token(users[0])
                assert len(worker.rpc("get_user_conversations", token)["conversations"]) == WRITERS
                async with await Socket.open(worker) as socket:
                    await socket.join(f"user:{users[0]}", token)
                    with pytest.raises(RpcError) as refused:
                        worker.rpc("send_message", token, conversation_id=group, content="now")
                    assert refused.value.status == 503 and "read-only" in refused.value.body["message"], refused.value
                    await socket.join(f"conversation:{group}", token)
                    with pytest.raises(Refused) as told:
                        await socket.send_message(group, "now")
                    assert told.value.response["retriable"] is True, told.value.response

                    # Each conversation has a lock of its own: they overlap.
                    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
                        running = [pool.submit(write, cluster, place, users[n], n) for n, place in enumerate([group, *others])]
                        await asyncio.to_thread(lambda: [one.result() for one in running])
                    wanted = sorted(f"message {writer} {n}" for writer in range(WRITERS) for n in range(MESSAGES))
                    inbox = f"user:{users[0]}"
                    await socket.wait(lambda: len(socket.events("message:new", inbox)) >= len(wanted), 30)
                    await asyncio.sleep(0.5)
                    got = [event["message"]["content"] for event in socket.events("message:new", inbox)]
                    assert sorted(got) == wanted, f"{len(got)} events, {len(set(got))} of {len(wanted)} messages"
                    for place in (group, *others):
                        numbers = [event["event_seq"] for event in socket.events("message:new", inbox) if event["conversation_id"] == place]
                        assert numbers == sorted(numbers), "a conversation came in another order than its own"

                    # Longer than a sign of life, which would write.
                    await asyncio.sleep(16)
                    await socket.heartbeat()
                    assert not socket.closed.done()
                    async with await Socket.open(worker) as late:
                        await late.join(f"conversation:{group}", token)
                    assert worker.output().count("reads and joins go on") == 1, worker.output()
                    assert "a job" not in worker.output() and "tail disconnected" not in worker.output(), worker.output()

                    standby.promote()
                    # Another timeline: clients load afresh.
                    assert await asyncio.wait_for(socket.closed, 30) == 1012
                limit = time.monotonic() + 20
                while True:
                    try:
                        worker.rpc("send_message", token, conversation_id=group, content="after the promotion")
                        break
                    except RpcError as error:
                        assert error.status == 503 and time.monotonic() < limit, error
                        await asyncio.sleep(0.2)
                assert standby.psql("select count(*) from parley.worker where name like '%" + str(worker.port) + "'") == "1"
                async with await Socket.open(worker) as back:
                    await back.join(f"conversation:{group}", token)
                    await back.send_message(group, "and through the socket")
                    assert (await back.event("message:new"))["message"]["content"] == "and through the socket"
