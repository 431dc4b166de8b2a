"""Idle memory: resident memory of the worker per connection, at 5,000 authenticated sockets.

    make bench-idle

Each socket is another user with one joined channel (its inbox). Promise: at most 8 KB per connection above an idle
worker. nginx + nchan, which knows neither users nor rights, is measured next to it.
"""

from __future__ import annotations

import subprocess
import time

from fanout import Nchan
from lib.bench import LOAD_CORE, Verdict, loadgen_binary, pinned, spec_file
from parley import Cluster, Worker

CONNECTIONS = 5000


def resident_kb(pid: int) -> int:
    """Resident memory of a process and its children, in KB."""
    total = 0
    children = subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, text=True).stdout.split()
    for process in [str(pid), *children]:
        with open(f"/proc/{process}/smaps_rollup") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("Rss:"))
    return total


def held(pid: int, spec: str) -> tuple[int, int]:
    """Memory before and with every socket of `spec` connected."""
    before = resident_kb(pid)
    holder = subprocess.Popen(
        [*pinned(LOAD_CORE), loadgen_binary(), "hold", spec], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdin is not None
    if holder.stdout.readline() != "ready\n":
        raise SystemExit("the sockets did not connect")
    time.sleep(3)
    during = resident_kb(pid)
    holder.stdin.close()
    holder.wait()
    return before, during


def main() -> None:
    with Cluster() as cluster, Worker(cluster, "--max-connections-per-address", "0") as worker, Nchan() as nchan:
        users = cluster.psql(
            "insert into parley.account (id, display_name, tier_name) "
            f"select gen_random_uuid(), 'user ' || n, 'privileged' from generate_series(1, {CONNECTIONS}) n returning id"
        ).splitlines()
        path = f"/realtime/v1/websocket?apikey={worker.anon_key}&vsn=2.0.0"
        sockets = []
        for user in users:
            join = (
                f'["1","1","realtime:user:{user}","phx_join",{{"config":{{"private":true}},'
                f'"access_token":"{worker.token(user)}"}}]'
            )
            sockets.append((path, join, '"status":"ok"', None, 0))
        # A first wave warms allocator and caches, so that what is counted is the connections.
        warm = spec_file(worker.port, sockets[:50])
        held(worker.pid, warm)
        ours = held(worker.pid, spec_file(worker.port, sockets))
        theirs = held(nchan.process.pid, spec_file(nchan.port, [("/sub", None, None, None, 0)] * CONNECTIONS))
    verdict = Verdict(f"idle memory at {CONNECTIONS:,} connections")
    for name, (before, during) in (("parley", ours), ("nchan", theirs)):
        verdict.row(
            name, f"{before / 1024:.1f} MB idle, {during / 1024:.1f} MB connected: {(during - before) / CONNECTIONS:.2f} KB each"
        )
    verdict.promise("parley, KB per connection", (ours[1] - ours[0]) / CONNECTIONS, 8, at_least=False)
    verdict.close()


if __name__ == "__main__":
    main()
