"""50 writers with random rollbacks, transactions held up to 2 s and one left open: every reader sees every committed
event of its conversations once, in order, without a gap."""

from __future__ import annotations

import asyncio
import json
import random
import time

import asyncpg
import pytest
from parley import Cluster, Worker
from sockets import Socket

WRITERS, CONVERSATIONS, SECONDS = 50, 25, 15


async def act_as(connection, user: str) -> None:
    claims = json.dumps({"sub": user, "role": "authenticated"})
    await connection.execute("select set_config('request.jwt.claims', $1, true)", claims)
    await connection.execute("set local role authenticated")


class Undo(Exception):
    pass


async def write(cluster: Cluster, pairs: list, chance: random.Random, until: float) -> None:
    connection = await asyncpg.connect(cluster.superuser_url)
    try:
        while time.monotonic() < until:
            conversation, user = chance.choice(pairs)
            try:
                async with connection.transaction():
                    await act_as(connection, user)
                    for n in range(chance.randrange(1, 4)):
                        await connection.execute(
                            "select parley_api.send_message(conversation_id => $1, content => $2)", conversation, f"m{n}"
                        )
                    if chance.random() < 0.02:
                        await asyncio.sleep(chance.random() * 2)
                    elif chance.random() < 0.3:
                        await asyncio.sleep(chance.random() * 0.05)
                    if chance.random() < 0.2:
                        raise Undo
            except Undo:
                pass
    finally:
        await connection.close()


@pytest.mark.asyncio
async def test_two_workers_and_six_clients_see_every_event_once_in_order():
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with Cluster() as cluster, Worker(cluster, "--log-level", "warning") as one, Worker(cluster, "--log-level", "warning") as two:
        cluster.psql("update parley.tier_limit set amount = null where period_seconds is not null")
        readers = [cluster.account(f"reader {n}") for n in range(3)]
        writers = [cluster.account(f"writer {n}") for n in range(CONVERSATIONS)]
        pairs = []
        for n, writer in enumerate(writers):
            # Every reader is in two thirds of the conversations.
            others = [reader for m, reader in enumerate(readers) if (n + m) % 3]
            answer = one.rpc("start_conversation", one.token(writer), participant_ids=others, type="group")
            pairs.append((answer["id"], writer))
        sockets = []
        for worker in (one, two):
            for n, reader in enumerate(readers):
                socket = await Socket.open(worker, version="1.0.0" if n == 0 else "2.0.0")
                await socket.join(f"user:{reader}", worker.token(reader))
                sockets.append((reader, socket))
        before = {c: int(cluster.psql(f"select last_event_seq from parley.conversation where id = '{c}'")) for c, _ in pairs}
        # One writer leaves its transaction open for the whole time, with events in it, and then undoes it.
        idler = await asyncpg.connect(cluster.superuser_url)
        alone = one.rpc("start_conversation", one.token(writers[0]), participant_ids=readers, type="group")["id"]
        left_open = idler.transaction()
        await left_open.start()
        await act_as(idler, writers[0])
        await idler.execute("select parley_api.send_message(conversation_id => $1, content => 'held')", alone)
        until = time.monotonic() + SECONDS
        await asyncio.gather(*[write(cluster, pairs, random.Random(seed + n), until) for n in range(WRITERS)])
        await left_open.commit()
        await idler.close()
        total = 0
        for reader, socket in sockets:
            for conversation, _ in pairs:
                mine = cluster.psql(
                    f"select 1 from parley.participant where conversation_id = '{conversation}' and user_id = '{reader}'"
                )
                want = [int(line) for line in cluster.psql(
                    f"select event_seq from parley.event where conversation_id = '{conversation}'"
                    f" and event_seq > {before[conversation]} order by event_seq"
                ).splitlines()]
                assert want == list(range(before[conversation] + 1, before[conversation] + 1 + len(want)))

                def seen() -> list[int]:
                    return [e["event_seq"] for e in socket.events() if e.get("conversation_id") == conversation]

                if mine:
                    await socket.wait(lambda: len(seen()) >= len(want), 30)
                    assert seen() == want
                    total += len(want)
                else:
                    assert seen() == []
            # The one committed last of all arrived too.
            await socket.wait(lambda: any(e.get("conversation_id") == alone for e in socket.events("message:new")))
            await socket.close()
        print(f"{total} deliveries checked")
        assert total > 1000
