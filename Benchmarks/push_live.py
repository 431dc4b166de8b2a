"""How soon a notification comes, next to the socket, and what push costs those who talk.

    make bench-push            (PARLEY_BENCH_ROUNDS=1 PARLEY_BENCH_SECONDS=3 for a quick look)

500 users in pairs, each with a device, send through their sockets: 500 messages/s on a fixed schedule, and as many as go
(2 of each user under way). Workers with and without push alternate in one run, on the same database. Times count from the
intended send, at the socket and at the gateway alike, which is nginx and logs when it has answered: a gateway elsewhere
takes nothing of this machine, and one in Python took more of it than all of push. A message that a newer one stands for
came when that came. Nobody says what is on the screen, so nothing is put off.
Promise: half of the notifications at most 20 ms after the socket, 99 of 100 within a second, and of as many messages as go
without push at least nine tenths.
"""

from __future__ import annotations

import bisect
import os
import statistics
import tempfile
import time
from pathlib import Path

from lib.bench import SERVER_CORE, Verdict, loadgen, median, pinned, spec_file
from lib.gateway import Gateway, settings
from lib.pairs import USERS, our_sockets
from parley import Cluster, Worker

RATE, OUTSTANDING = 500, 2
ROUNDS = int(os.environ.get("PARLEY_BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("PARLEY_BENCH_SECONDS", "6"))
WITH, WITHOUT = "with push", "without"
DEVICES = """
insert into parley.push_device (id, user_id, provider, kind, environment, app_id, route, token_hash, token)
select parley.uuid_v7(), a.id, 'apns', 'alert', 'production', 'com.example.chat', 'com.example.chat', sha256(a.id::text::bytea),
    encode(sha256(a.id::text::bytea), 'hex')
from parley.account a
"""


def delays(gateway: Gateway, cluster: Cluster, since: int) -> list[float]:
    """Milliseconds from the intended send of each message to the first notification of it, or of a newer one."""
    jobs = {}
    for row in cluster.psql("select id, user_id, conversation_id, last_seq from parley.push_job where kind = 'message' and device_id is not null").splitlines():
        job, user, conversation, seq = row.split("|")
        jobs[job] = (user, conversation, int(seq))
    ahead = time.time_ns() - time.monotonic_ns()
    came: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for at, job in gateway.arrivals():
        if job in jobs:
            user, conversation, seq = jobs[job]
            came.setdefault((user, conversation), []).append((seq, at * 1e9 - ahead))
    for notes in came.values():
        notes.sort()
        # When that, or anything newer, was there.
        for n in range(len(notes) - 2, -1, -1):
            notes[n] = (notes[n][0], min(notes[n][1], notes[n + 1][1]))
    rows = cluster.psql(f"""
        select p.user_id, m.conversation_id, m.seq, substring(m.content from '@T([0-9]+)S')
        from parley.message m inner join parley.participant p
            on p.conversation_id = m.conversation_id and p.user_id <> m.sender_id
        where substring(m.content from '@T([0-9]+)S')::bigint >= {since}
    """).splitlines()
    found = []
    for row in rows:
        user, conversation, seq, mark = row.split("|")
        notes = came.get((user, conversation), [])
        place = bisect.bisect_left(notes, (int(seq), 0))
        found.append((notes[place][1] - int(mark)) / 1e6 if place < len(notes) else float("inf"))
    return found


def settle(cluster: Cluster) -> None:
    end = time.monotonic() + 60
    waiting = """
        select (select count(*) from parley.push_job where settled_at is null)
            + (select count(*) from parley.event e where e.id > (select c.max_id from parley.consumer c where c.name = 'push'))
    """
    while int(cluster.psql(waiting)) > 0:
        if time.monotonic() > end:
            raise SystemExit(f"{cluster.psql(waiting)} notifications and events are left")
        time.sleep(0.2)


def main() -> None:
    paced: dict[str, list[dict]] = {WITH: [], WITHOUT: []}
    most: dict[str, list[float]] = {WITH: [], WITHOUT: []}
    p50s, p99s, lost = [], [], 0
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory(prefix="parley-push-") as name, Cluster("--fsync") as cluster:
        folder = Path(name)
        folder.chmod(0o755)
        gateway = Gateway(folder, notes_arrivals=True)
        with gateway:
            flags = ("--log-level", "warning", "--max-connections-per-address", "0")
            workers = {
                WITHOUT: Worker(cluster, *flags, prefix=pinned(SERVER_CORE)),
                WITH: Worker(cluster, *flags, "--push", str(settings(folder, gateway.url)), prefix=pinned(SERVER_CORE)),
            }
            workers[WITH].port, workers[WITH].secret = workers[WITHOUT].port, workers[WITHOUT].secret
            workers[WITHOUT].start()
            spec = spec_file(workers[WITHOUT].port, our_sockets(cluster, workers[WITHOUT]))
            workers[WITHOUT].stop()
            cluster.psql(DEVICES)
            for turn in range(ROUNDS):
                for side in (WITH, WITHOUT)[:: 1 if turn % 2 == 0 else -1]:
                    cluster.psql("select parley.configure_push('[]')")
                    worker = workers[side]
                    worker.start()
                    loadgen("pairs", spec, 0, RATE, 2)
                    if side == WITH:
                        settle(cluster)
                    gateway.forget()
                    since = time.monotonic_ns()
                    paced[side].append(loadgen("pairs", spec, 0, RATE, SECONDS))
                    if side == WITH:
                        settle(cluster)
                        times = delays(gateway, cluster, since)
                        lost += sum(1 for value in times if value == float("inf"))
                        p50s.append(statistics.median(times))
                        p99s.append(sorted(times)[int(len(times) * 0.99)])
                    most[side].append(loadgen("pairs", spec, OUTSTANDING, 0, SECONDS)["per_second"])
                    if side == WITH:
                        settle(cluster)
                    worker.stop()
                load.append(os.getloadavg()[0])
    verdict = Verdict(f"notifications of {USERS} users in pairs, median of {ROUNDS} runs of {SECONDS} s")
    verdict.row("load average of the machine, the runs' own included", "   ".join(f"{value:.1f}" for value in load))
    for side in (WITHOUT, WITH):
        p50, p99 = (median([run[key] for run in paced[side]]) / 1000 for key in ("p50_us", "p99_us"))
        verdict.row(f"{RATE}/s, socket, {side}", f"p50 {p50:.1f} ms   p99 {p99:.1f} ms")
        verdict.row(f"as many as go, {side}", f"{median(most[side]):,.0f} messages/s")
    verdict.row(f"{RATE}/s, gateway", f"p50 {median(p50s):.1f} ms   p99 {median(p99s):.1f} ms")
    socket = median([run["p50_us"] for run in paced[WITH]]) / 1000
    verdict.promise("half of the notifications after the socket, ms", median(p50s) - socket, 20, at_least=False)
    verdict.promise("99 of 100 notifications within, ms", median(p99s), 1000, at_least=False)
    verdict.promise("messages that go, of those without push", median(most[WITH]) / median(most[WITHOUT]), 0.9)
    verdict.promise("messages nobody was notified of", lost, 0, at_least=False)
    verdict.close()


if __name__ == "__main__":
    main()
