"""Does an ordinary user notice clients that try to take the server down, all seven kinds at once?

    make bench-hostile            (PARLEY_BENCH_SECONDS=10 for a quick look)

Alice writes to Bob 40 times a second through her socket; latency counts from the intended send to Bob's receipt. First
nobody else is there, then for as long the clients of peers/hostile.py are, each kind a process of its own, from another
address. The worker has its defaults. Promise: p99 under 5 times its idle value in the same run, every message arrives,
the worker stays under 512 MB.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

from bounds import Watch
from lib.bench import LOAD_CORE, SERVER_CORE, Verdict, pinned
from parley import Cluster, Worker
from sockets import Socket

RATE = 40
SECONDS = float(os.environ.get("PARLEY_BENCH_SECONDS", "30"))
WORKER_MB, TIMES = 512, 5
KINDS = ["numbers", "shapes", "slow_reads", "unread_answers", "sockets", "pending_joins", "broadcasts"]


def prepare(cluster: Cluster, worker: Worker) -> dict:
    """Two friends without a rate, and a group of hostile users with much to read."""
    cluster.psql("update parley.tier_limit set amount = null, burst = null where period_seconds is not null and tier_name = 'privileged_plus'")
    users = [cluster.account(f"hostile {n}", "privileged" if n else "privileged_plus") for n in range(8)]
    alice, bob = cluster.account("Alice"), cluster.account("Bob")
    friends = worker.rpc("start_conversation", worker.token(alice), participant_ids=[bob])["id"]
    group = worker.rpc("start_conversation", worker.token(users[0]), participant_ids=users[1:], type="group", title="g")["id"]
    # 1,000 messages of 20 kB, each read by everybody: what a page and a view of receipts can cost.
    for _ in range(20):
        cluster.psql(
            f"select parley.write_message('{users[0]}', '{group}', repeat(U&'\\+01F40C', 5000)) from generate_series(1, 50)"
        )
        last = int(cluster.psql(f"select last_seq from parley.conversation where id = '{group}'"))
        for user in users[1:]:
            worker.rpc("mark_as_read", worker.token(user), conversation_id=group, seq=last)
    return {
        "alice": alice, "bob": bob, "friends": friends, "group": group, "port": worker.port, "anon": worker.anon_key,
        "tokens": [worker.token(user) for user in users], "users": users,
    }


async def talk(worker: Worker, people: dict, seconds: float) -> list[float]:
    """Milliseconds from the intended send to the receipt, of every message."""
    topic = f"conversation:{people['friends']}"
    sent: dict[str, float] = {}
    took: list[float] = []
    async with await Socket.open(worker) as alice, await Socket.open(worker) as bob:
        await alice.join(topic, worker.token(people["alice"]))
        await bob.join(topic, worker.token(people["bob"]))
        start, count = time.monotonic() + 0.5, int(seconds * RATE)
        answers = []

        async def listen() -> None:
            seen = 0
            while len(took) < count:
                await bob.wait(lambda: len(bob.messages) > seen, 30)
                for message in bob.messages[seen:]:
                    if message["event"] == "broadcast" and message["payload"]["event"] == "message:new":
                        intended = sent[message["payload"]["payload"]["message"]["content"]]
                        took.append((message["at"] - intended) * 1000)
                seen = len(bob.messages)

        listening = asyncio.create_task(listen())
        for n in range(count):
            intended = start + n / RATE
            await asyncio.sleep(max(0, intended - time.monotonic()))
            name = str(uuid.uuid4())
            sent[name] = intended
            answers.append(asyncio.create_task(alice.broadcast(topic, "message:send", {"content": name}, 30)))
        await asyncio.gather(*answers)
        await asyncio.wait_for(listening, 30)
    return took


def p(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main() -> None:
    kinds = sys.argv[1:] or KINDS
    verdict = Verdict(f"a user who writes {RATE} times a second, {SECONDS:g} s alone and {SECONDS:g} s beside {len(kinds)} kinds of hostile clients")
    with Cluster("--fsync") as cluster, Worker(cluster, "--log-level", "warning", prefix=pinned(SERVER_CORE)) as worker:
        people = prepare(cluster, worker)
        asyncio.run(talk(worker, people, 3))
        with Watch(cluster, worker) as watch:
            idle = asyncio.run(talk(worker, people, SECONDS))
            before = watch.highest["worker"]
            hostile = {
                kind: subprocess.Popen(
                    ["nice", "-n", "19", *pinned(LOAD_CORE), sys.executable, str(Path(__file__).parent / "peers" / "hostile.py"), kind],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )
                for kind in kinds
            }
            for process in hostile.values():
                process.stdin.write(json.dumps({**people, "seconds": SECONDS + 2}))
                process.stdin.close()
            time.sleep(1)
            beside = asyncio.run(talk(worker, people, SECONDS))
            for kind, process in hostile.items():
                verdict.row(f"  {kind}", process.stdout.read().strip())
                if process.wait() != 0:
                    raise SystemExit(f"the clients of {kind} ended with {process.returncode}")
            highest = dict(watch.highest)
    for name, values in ((f"alone, worker {before} MB", idle), (f"beside, worker {highest['worker']} MB, backend {highest['backend']} MB", beside)):
        verdict.row(name, f"p50 {p(values, 0.5):.1f} ms   p99 {p(values, 0.99):.1f} ms   highest {max(values):.1f} ms")
    verdict.promise("p99 beside, times alone", p(beside, 0.99) / p(idle, 0.99), TIMES, at_least=False)
    verdict.promise("megabytes of the worker", highest["worker"], WORKER_MB, at_least=False)
    verdict.close()


if __name__ == "__main__":
    main()
