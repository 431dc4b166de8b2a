"""A database that has stopped without a word: every answer comes within 8 s, before stock clients give up."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import time
import uuid

import pytest
from conftest import People
from frames import Room
from parley import Cluster, Worker
from sockets import Refused

pytestmark = pytest.mark.asyncio


def backends(cluster: Cluster) -> list[int]:
    pids = cluster.psql("select pid from pg_stat_activity where application_name = 'parley pool'", cluster.superuser_url)
    return [int(pid) for pid in pids.split()]


class Frozen:
    """The server and the sessions of the worker stand still, as behind a dead disk: connections open and nothing answers."""

    def __init__(self, cluster: Cluster):
        with open(f"{cluster.data}/postmaster.pid", encoding="utf-8") as file:
            self.pids = [int(file.readline()), *backends(cluster)]

    def __enter__(self) -> Frozen:
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)
        return self

    def __exit__(self, *_: object) -> None:
        for pid in reversed(self.pids):
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass


async def http_answer(worker, method: str, path: str, token: str, body: object = None) -> tuple[int, dict]:
    def ask():
        connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=20)
        try:
            headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body).encode(), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    return await asyncio.to_thread(ask)


async def test_every_answer_comes_within_eight_seconds():
    with Cluster() as cluster, Worker(cluster, "--log-level", "warning") as worker:
        people = People(cluster, worker)
        async with Room(people) as room:
            member, late = await room.member(), await room.socket()
            token = people.token("Bob")
            await member.send_message(room.id, "before")

            async def seconds(answer) -> tuple[float, object]:
                began = time.monotonic()
                try:
                    result = await answer
                except Refused as refused:
                    result = refused.response
                return time.monotonic() - began, result

            with Frozen(cluster):
                message = {"conversation_id": room.id, "content": "by call", "client_message_id": str(uuid.uuid4())}
                broadcast = {"messages": [{"topic": room.topic, "event": "message:send", "payload": {"content": "by post"}}]}
                answers = await asyncio.gather(
                    seconds(late.join(room.topic, token)),
                    seconds(member.send_message(room.id, "during")),
                    seconds(http_answer(worker, "POST", "/realtime/v1/api/broadcast", token, broadcast)),
                    seconds(http_answer(worker, "POST", "/rest/v1/rpc/send_message", token, message)),
                    seconds(http_answer(worker, "POST", "/rest/v1/rpc/sync", token, {})),
                    seconds(http_answer(worker, "GET", "/rest/v1/messages?limit=1", token)),
                    seconds(http_answer(worker, "GET", "/rest/v1/unheard_of", token)),
                    seconds(member.heartbeat()),
                )
            for taken, _ in answers:
                assert taken < 8, answers
            joined, sent, *posted, _ = (result for _, result in answers)
            assert joined["reason"].startswith(("QueryCanceled: ", "UnableToConnectToProject: ")), joined
            assert sent["retriable"] is True and sent["message"] and sent["code"], sent
            # What the schema did not have before the database stood still, it does not have now.
            assert [status for status, _ in posted].pop() == 404, posted
            for status, body in posted:
                assert status in (404, 503, 504) and set(body) == {"code", "message", "details", "hint"}, posted
