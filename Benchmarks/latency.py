"""From the intended send to the receipt, and what the database spends on it; Parley next to a plain Node application.

    make bench-latency            (PARLEY_BENCH_ROUNDS=1 PARLEY_BENCH_SECONDS=3 for a quick look)

500 users in pairs send through their sockets at 200, 500 and 1,000 messages/s on a fixed schedule; latency counts from
the intended time. The peer is peers/chat_app.js: `ws` + `pg`, one function that inserts a row and says NOTIFY, on the
same cluster, alternating in one run. CPU is what the client backends of each side (the tail's and the listener's
included) took at 300/s, from /proc, without the joins of the sockets, which the peer does not have; what nobody's backend
does (writing the WAL in the background) is left out on both.
The maximum is found in a closed loop, 2 messages of each user under way.
Promise: medians at most 1.5 times the peer's, p99 no worse, at most 2 times its CPU, at least 1.5 times its maximum.
"""

from __future__ import annotations

import os
from pathlib import Path

from lib.bench import Verdict, loadgen, median, spec_file
from lib.node import node_environment
from lib.pairs import USERS, ChatApp, our_sockets, our_worker, their_sockets
from parley import Cluster

RATES, CPU_RATE, OUTSTANDING = (200, 500, 1000), 300, 2
ROUNDS = int(os.environ.get("PARLEY_BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("PARLEY_BENCH_SECONDS", "6"))
PEER = ["node", str(Path(__file__).parent / "peers" / "chat_app.js")]
OURS, THEIRS = "parley", "ws + pg"
BACKENDS = {OURS: "parley%", THEIRS: "chat_app"}


def cpu(cluster: Cluster, side: str) -> dict[str, int]:
    """Clock ticks of every client backend of a side, by process."""
    pids = cluster.psql(
        f"select pid from pg_stat_activity where backend_type = 'client backend' and application_name like '{BACKENDS[side]}'",
        cluster.superuser_url,
    ).split()
    if not pids:
        raise SystemExit(f"no backend of {side}")
    # after the name, which may hold anything: state is the first, utime and stime the 12th and 13th
    fields = {pid: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids}
    return {pid: int(field[11]) + int(field[12]) for pid, field in fields.items()}


def run_and_count(cluster: Cluster, side: str, spec: str, seconds: int) -> tuple[int, int]:
    """Clock ticks of the database for a run, and the messages received in it."""
    before = cpu(cluster, side)
    answer = loadgen("pairs", spec, 0, CPU_RATE, seconds)
    after = cpu(cluster, side)
    if before.keys() != after.keys():
        raise SystemExit(f"a backend of {side} was replaced while it was measured")
    return sum(after.values()) - sum(before.values()), answer["received"]


def spent(cluster: Cluster, side: str, spec: str) -> float:
    """Milliseconds of CPU of the database for each message: by a long run less a short one, in which as many sockets join."""
    few_ticks, few = run_and_count(cluster, side, spec, 1)
    ticks, messages = run_and_count(cluster, side, spec, 1 + SECONDS)
    return (ticks - few_ticks) * 1000 / os.sysconf("SC_CLK_TCK") / (messages - few)


def main() -> None:
    environment = node_environment()
    paced: dict[tuple[str, int], list[dict]] = {}
    costs: dict[str, list[float]] = {}
    most: dict[str, list[float]] = {}
    load = [os.getloadavg()[0]]
    with Cluster("--fsync") as cluster, our_worker(cluster) as worker, ChatApp(PEER, cluster.owner_url, environment) as app:
        sides = {OURS: spec_file(worker.port, our_sockets(cluster, worker)), THEIRS: spec_file(app.port, their_sockets())}
        for spec in sides.values():
            loadgen("pairs", spec, 0, RATES[0], 2)
        for turn in range(ROUNDS):
            for rate in RATES:
                for side in list(sides)[:: 1 if turn % 2 == 0 else -1]:
                    paced.setdefault((side, rate), []).append(loadgen("pairs", sides[side], 0, rate, SECONDS))
            for side, spec in sides.items():
                costs.setdefault(side, []).append(spent(cluster, side, spec))
            for side, spec in sides.items():
                most.setdefault(side, []).append(loadgen("pairs", spec, OUTSTANDING, 0, SECONDS)["per_second"])
            load.append(os.getloadavg()[0])
    verdict = Verdict(f"intended send to receipt among {USERS} users in pairs, median of {ROUNDS} runs of {SECONDS} s")
    verdict.row("load average of the machine, the runs' own included", "   ".join(f"{value:.1f}" for value in load))
    p50 = {key: median([r["p50_us"] for r in runs]) / 1000 for key, runs in paced.items()}
    p99 = {key: median([r["p99_us"] for r in runs]) / 1000 for key, runs in paced.items()}
    for side in sides:
        for rate in RATES:
            lost = sum(r["sent"] - r["received"] for r in paced[side, rate])
            verdict.row(
                f"{side}, {rate:,}/s",
                f"p50 {p50[side, rate]:.2f} ms   p99 {p99[side, rate]:.2f} ms   not received {lost}",
            )
        verdict.row(f"{side}, CPU of the database at {CPU_RATE}/s", f"{median(costs[side]):.2f} ms per message")
        verdict.row(f"{side}, maximum", f"{median(most[side]):,.0f} messages/s")
    for rate in RATES:
        verdict.promise(f"median at {rate:,}/s, of the peer's", p50[OURS, rate] / p50[THEIRS, rate], 1.5, at_least=False)
        verdict.promise(f"p99 at {rate:,}/s, of the peer's", p99[OURS, rate] / p99[THEIRS, rate], 1, at_least=False)
    verdict.promise("CPU of the database per message, of the peer's", median(costs[OURS]) / median(costs[THEIRS]), 2, at_least=False)
    verdict.promise("maximum, times the peer's", median(most[OURS]) / median(most[THEIRS]), 1.5)
    lost = sum(r["sent"] - r["received"] for rate in RATES for r in paced[OURS, rate])
    verdict.promise("messages not received", lost, 0, at_least=False)
    verdict.close()


if __name__ == "__main__":
    main()
