"""As many users as a store has at its ceiling, all connected at once; everyone gets every message of their groups."""

from __future__ import annotations

import asyncio
import json
import urllib.request

import pytest
from sockets import Socket

pytestmark = pytest.mark.asyncio
GROUPS, MEMBERS = 4, 250


async def test_a_thousand_users_at_once(cluster, worker, people):
    conversations: dict[str, list[str]] = {}
    for _ in range(GROUPS):
        users = cluster.psql(
            "insert into parley.account (id, display_name, tier_name) "
            f"select gen_random_uuid(), 'user ' || n, 'privileged' from generate_series(1, {MEMBERS}) n returning id"
        ).splitlines()
        answer = worker.rpc("start_conversation", worker.token(users[0]), participant_ids=users[1:], type="group")
        conversations[answer["id"]] = users
    sockets: dict[str, Socket] = {}

    async def connect(user: str) -> None:
        sockets[user] = await Socket.open(worker)
        await sockets[user].join(f"user:{user}", worker.token(user))

    everyone = [user for users in conversations.values() for user in users]
    for start in range(0, len(everyone), 50):
        await asyncio.gather(*[connect(user) for user in everyone[start : start + 50]])
    loop = asyncio.get_running_loop()
    for n in range(3):
        await asyncio.gather(*[
            loop.run_in_executor(
                None, lambda c=c, u=users[n]: worker.rpc("send_message", worker.token(u), conversation_id=c, content=f"message {n}")
            )
            for c, users in conversations.items()
        ])
    for conversation, users in conversations.items():
        for user in users:
            await sockets[user].wait(lambda: len(sockets[user].events("message:new")) >= 3, 30)
            events = sockets[user].events("message:new")
            assert [event["message"]["content"] for event in events] == ["message 0", "message 1", "message 2"]
            assert {event["conversation_id"] for event in events} == {conversation}
    await asyncio.gather(*[socket.close() for socket in sockets.values()])


async def test_health_tells_a_load_balancer(worker):
    for path, status in (("/health/live", "live"), ("/health/ready", "ready")):
        with urllib.request.urlopen(worker.url + path) as answer:
            assert answer.status == 200 and json.load(answer)["status"] == status
