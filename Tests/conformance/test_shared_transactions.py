"""Sends of many sockets share transactions under load: each gets its own answer, whatever the others' sends are worth."""

from __future__ import annotations

import asyncio
import time
import uuid

import asyncpg
import pytest
from sockets import Refused, Socket

pytestmark = pytest.mark.asyncio
PAIRS, ROUNDS = 30, 20


async def pairs(cluster, worker) -> list[tuple[str, str, Socket]]:
    """Conversations of two, the first of whom has joined with a socket of its own."""
    cluster.psql("update parley.tier_limit set amount = null where name in ('messages_per_minute', 'new_conversations_per_day')")
    users = cluster.psql(
        "insert into parley.account (id, display_name, tier_name) "
        f"select gen_random_uuid(), 'user ' || n, 'privileged' from generate_series(1, {2 * PAIRS}) n returning id"
    ).splitlines()
    made = []
    for n in range(0, len(users), 2):
        token = worker.token(users[n])
        conversation = worker.rpc("start_conversation", token, participant_ids=[users[n + 1]])["id"]
        socket = await Socket.open(worker)
        await socket.join(f"conversation:{conversation}", token)
        made.append((users[n], conversation, socket))
    return made


def stored(cluster, conversation: str) -> list[str]:
    rows = cluster.psql(
        "select seq || ' ' || content from parley.message "
        f"where conversation_id = '{conversation}' and type = 'text' order by seq"
    )
    return rows.splitlines()


async def test_a_refused_send_takes_no_other_with_it(cluster, worker):
    made = await pairs(cluster, worker)
    bad = {n: kind for n, kind in ((3, "too long"), (11, "other content"), (17, "left out"))}
    for n, (_, conversation, socket) in enumerate(made):
        if bad.get(n) == "other content":
            await socket.send_message(conversation, "the first of its id", str(uuid.UUID(int=n + 1)))
    answers: dict[int, list] = {n: [] for n in range(PAIRS)}

    async def talk(n: int) -> None:
        _, conversation, socket = made[n]
        for round_ in range(ROUNDS):
            mark, content = str(uuid.uuid4()), f"message {round_}"
            if bad.get(n) == "too long":
                content = "x" * 5001
            elif bad.get(n) == "other content":
                mark = str(uuid.UUID(int=n + 1))
            elif bad.get(n) == "left out":
                content = ""
            try:
                answers[n].append((await socket.send_message(conversation, content, mark))["content"])
            except Refused as refused:
                answers[n].append(refused.response["code"])

    await asyncio.gather(*[talk(n) for n in range(PAIRS)])
    for n, (_, conversation, socket) in enumerate(made):
        match bad.get(n):
            case None:
                assert answers[n] == [f"message {r}" for r in range(ROUNDS)]
                assert stored(cluster, conversation) == [f"{r + 1} message {r}" for r in range(ROUNDS)]
            case "other content":
                assert answers[n] == ["PT409"] * ROUNDS
                assert stored(cluster, conversation) == ["1 the first of its id"]
            case _:
                assert answers[n] == ["PT400"] * ROUNDS
                assert stored(cluster, conversation) == []
        await socket.close()


async def test_a_held_conversation_delays_no_other(cluster, worker):
    made = await pairs(cluster, worker)
    _, held, held_socket = made[0]
    host = await asyncpg.connect(cluster.superuser_url)
    try:
        transaction = host.transaction()
        await transaction.start()
        await host.execute("select from parley.conversation where id = $1 for update", uuid.UUID(held))
        began = time.monotonic()
        mark = str(uuid.uuid4())
        waiting = asyncio.create_task(held_socket.send_message(held, "held", mark))

        async def talk(conversation: str, socket: Socket) -> None:
            for n in range(ROUNDS):
                await socket.send_message(conversation, f"message {n}", str(uuid.uuid4()))

        await asyncio.gather(*[talk(conversation, socket) for _, conversation, socket in made[1:]])
        # All the others have had twenty answers, one after the other, before the one that waits has its first.
        assert not waiting.done(), f"the others took {time.monotonic() - began:.1f} s"
        await transaction.rollback()
        assert (await waiting)["content"] == "held"
    finally:
        await host.close()
    for _, conversation, socket in made:
        expected = 1 if conversation == held else ROUNDS
        assert len(stored(cluster, conversation)) == expected
        await socket.close()
