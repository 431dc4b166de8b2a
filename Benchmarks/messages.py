"""Durable 1:1 messages: 500 users in 250 conversations send through their sockets; Parley next to the usual application.

    make bench-messages

A message counts when the peer's socket has it; it is a committed row before anybody is told. The peer is
Benchmarks/peers/chat_app.py: `websockets` + `asyncpg`, one insert and one NOTIFY per message, against the same
cluster. The sustained maximum is found in a closed loop (every user has 2 messages under way all the time); latency
is measured in an open loop at 1,000 messages/s, from the intended send time to receipt.
Promise: at least 1.5 times the peer's maximum, and a p99 at 1,000/s no worse than the peer's.
"""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

from lib.bench import SERVER_CORE, Verdict, loadgen, median, pinned, spec_file
from parley import Cluster, Worker, free_port

USERS, OUTSTANDING, RATE, ROUNDS, SECONDS = 500, 2, 1000, 3, 6
MARK = "@T" + "@" * 19 + "S" + "@" * 6
TEXT = MARK + " see you at the usual place, and bring the book about the lighthouse that you told me of last week"


class ChatApp:
    def __init__(self, database_url: str):
        self.port = free_port()
        script = Path(__file__).parent / "peers" / "chat_app.py"
        self.process = subprocess.Popen(
            [*pinned(SERVER_CORE), sys.executable, str(script), str(self.port), database_url],
            stdout=subprocess.PIPE, text=True,
        )

    def __enter__(self) -> ChatApp:
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit("the peer application did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


def our_sockets(cluster: Cluster, worker: Worker) -> list:
    """Every user on the conversation with its peer, which it both sends on and listens to."""
    cluster.psql("update parley.tier_limit set amount = null where name = 'messages_per_minute'")
    users = cluster.psql(
        "insert into parley.account (id, display_name, tier_name) "
        f"select gen_random_uuid(), 'user ' || n, 'privileged_plus' from generate_series(1, {USERS}) n returning id"
    ).splitlines()
    path = f"/realtime/v1/websocket?apikey={worker.anon_key}&vsn=2.0.0"
    sockets = []
    for n in range(0, USERS, 2):
        conversation = worker.rpc("start_conversation", worker.token(users[n]), participant_ids=[users[n + 1]])["id"]
        topic = f"realtime:conversation:{conversation}"
        for index, peer in ((n, n + 1), (n + 1, n)):
            join = (
                f'["1","1","{topic}","phx_join",{{"config":{{"broadcast":{{"ack":true}},"private":true}},'
                f'"access_token":"{worker.token(users[index])}"}}]'
            )
            message = (
                f'["1","2","{topic}","broadcast",{{"type":"broadcast","event":"message:send","payload":'
                f'{{"content":"{TEXT}","client_message_id":"%U{"%" * 34}"}}}}]'
            )
            sockets.append((path, join, '"status":"ok"', message, peer))
    return sockets


def their_sockets() -> list:
    sockets = []
    for n in range(USERS):
        peer = n + 1 if n % 2 == 0 else n - 1
        sockets.append((f"/user/{n}", None, None, f'{{"to":"{peer}","ref":"{uuid.uuid4()}","text":"{TEXT}"}}', peer))
    return sockets


def main() -> None:
    with Cluster("--fsync") as cluster, Worker(cluster, "--log-level", "warning", "--max-connections-per-address", "0", prefix=pinned(SERVER_CORE)) as worker:
        with ChatApp(cluster.owner_url) as app:
            sides = {
                "parley": spec_file(worker.port, our_sockets(cluster, worker)),
                "websockets + asyncpg": spec_file(app.port, their_sockets()),
            }
            closed: dict[str, list[dict]] = {name: [] for name in sides}
            paced: dict[str, list[dict]] = {name: [] for name in sides}
            for _ in range(ROUNDS):
                for name, spec in sides.items():
                    closed[name].append(loadgen("pairs", spec, OUTSTANDING, 0, SECONDS))
                    paced[name].append(loadgen("pairs", spec, 0, RATE, SECONDS))
    verdict = Verdict(f"durable 1:1 messages among {USERS} users, median of {ROUNDS} runs")
    for name in sides:
        verdict.row(f"{name}, maximum", f"{median([r['per_second'] for r in closed[name]]):,.0f} messages/s")
        lost = sum(r["sent"] - r["received"] for r in paced[name])
        verdict.row(
            f"{name}, {RATE:,}/s",
            f"p50 {median([r['p50_us'] for r in paced[name]]) / 1000:.1f} ms   "
            f"p99 {median([r['p99_us'] for r in paced[name]]) / 1000:.1f} ms   not received {lost}",
        )
    ours, theirs = sides
    verdict.promise(
        "maximum, times the peer's",
        median([r["per_second"] for r in closed[ours]]) / median([r["per_second"] for r in closed[theirs]]), 1.5,
    )
    verdict.promise(
        f"p99 at {RATE:,}/s, of the peer's",
        median([r["p99_us"] for r in paced[ours]]) / median([r["p99_us"] for r in paced[theirs]]), 1, at_least=False,
    )
    verdict.promise("messages not received at 1,000/s", sum(r["sent"] - r["received"] for r in paced[ours]), 0, at_least=False)
    verdict.close()


if __name__ == "__main__":
    main()
