"""Durable 1:1 messages: 500 users in 250 conversations send through their sockets; Parley next to the usual application.

    make bench-messages

A message counts when the peer's socket has it; it is a committed row before anybody is told. The peer is
Benchmarks/peers/chat_app.py: `websockets` + `asyncpg`, one insert and one NOTIFY per message, against the same
cluster. The sustained maximum is found in a closed loop (every user has 2 messages under way all the time); latency
is measured in an open loop at 1,000 messages/s, from the intended send time to receipt.
Promise: at least 1.5 times the peer's maximum, and a p99 at 1,000/s no worse than the peer's.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lib.bench import Verdict, loadgen, median, spec_file
from lib.pairs import USERS, ChatApp, our_sockets, our_worker, their_sockets
from parley import Cluster

OUTSTANDING, RATE, ROUNDS, SECONDS = 2, 1000, 3, 6
PEER = [sys.executable, str(Path(__file__).parent / "peers" / "chat_app.py")]


def main() -> None:
    with Cluster("--fsync") as cluster, our_worker(cluster) as worker:
        with ChatApp(PEER, cluster.owner_url) as app:
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
