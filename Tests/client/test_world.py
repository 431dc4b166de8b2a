"""Three clients with random operations over bad networks: at rest each shows what the server answers.

PARLEY_CLIENT_SECONDS is how long it goes on (default 60), PARLEY_CLIENT_SEED repeats the choices of a run, or with `new`
makes others. Without it they are always the same: what is new is tried by itself.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
from pathlib import Path

from node import node_environment
from parley import Cluster, Worker
from waiting import until

HERE = Path(__file__).resolve().parent
FLAGS = (
    "--log-level", "error", "--client-events-per-second", "1000", "--client-joins-per-second", "1000",
    "--user-broadcast-bytes-per-second", "0", "--topic-broadcast-bytes-per-second", "0",
)  # fmt: skip
WRITING = "select count(*) from pg_stat_activity where backend_xid is not null and pid <> pg_backend_pid()"


class World:
    """What the clients' process asks for, line by line."""

    def __init__(self, cluster: Cluster, workers: list[Worker]):
        self.cluster, self.workers = cluster, workers
        self.timers: list[threading.Timer] = []

    def answer(self, command: dict) -> dict:
        match command["do"]:
            case "kill-worker":
                worker = self.workers[command["which"]]
                if worker.process.poll() is None:
                    worker.kill9()
                # the other one serves meanwhile
                timer = threading.Timer(1, self.revive, [worker])
                self.timers.append(timer)
                timer.start()
            case "restart-postgres":
                self.cluster.command("kill9" if command["crash"] else "restart")
                if command["crash"]:
                    self.cluster.command("restart")
            case "start-workers":
                for worker in self.workers:
                    self.revive(worker)
                    worker.wait_ready()
            case "stored":
                rows = self.cluster.psql(
                    "select coalesce(json_agg(json_build_object('id', client_message_id, 'conversation', conversation_id,"
                    " 'seq', seq)), '[]') from parley.message where client_message_id is not null"
                )
                counts: dict[str, list] = {}
                for row in json.loads(rows):
                    counts.setdefault(row["id"], []).append(row)
                return {"counts": counts}
            case "log":
                # what a tab that is dead had asked for may still be under way
                until(lambda: self.cluster.psql(WRITING, self.cluster.superuser_url) == "0")
                return {"last": self.cluster.psql("select coalesce(max(id), 0) from parley.event")}
        return {}

    def revive(self, worker: Worker) -> None:
        with LOCK:
            if worker.process.poll() is not None:
                worker.start(wait=False)


LOCK = threading.Lock()


def test_clients_agree_with_the_server_at_rest(cluster, capsys):
    wanted = os.environ.get("PARLEY_CLIENT_SEED") or "271167001"
    seed = random.SystemRandom().randrange(2**31) if wanted == "new" else int(wanted)
    seconds = int(os.environ.get("PARLEY_CLIENT_SECONDS") or 60)
    with capsys.disabled():
        print(f"\nclients: seed {seed}, {seconds} s", flush=True)
    with Worker(cluster, *FLAGS) as first, Worker(cluster, *FLAGS) as second:
        second.secret = first.secret
        second.stop()
        second.start()
        users = [cluster.account(name) for name in ("Ann", "Bob", "Cleo")]
        settings = {
            "seed": seed, "seconds": seconds, "workers": [first.port, second.port], "secret": first.secret, "users": users,
        }  # fmt: skip
        world = World(cluster, [first, second])
        process = subprocess.Popen(
            ["node", str(HERE / "world.mjs"), json.dumps(settings)],
            env=node_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
        reader.start()
        watchdog = threading.Timer(seconds * 2 + 180, process.kill)
        watchdog.start()
        done = None
        try:
            for line in process.stdout:
                command = json.loads(line)
                if command.get("done"):
                    done = command
                    break
                process.stdin.write(json.dumps(world.answer(command)) + "\n")
                process.stdin.flush()
            process.wait(30)
        finally:
            watchdog.cancel()
            for timer in world.timers:
                timer.cancel()
                timer.join()
            process.kill()
            process.wait()
            reader.join()
        assert done, f"seed {seed}\n{errors[0][-30000:]}"
        with capsys.disabled():
            print(f"clients: {done['steps']} steps, {done['sends']} messages left, {done['rests']} times at rest", flush=True)
        # a machine that is busy does less, but never nothing
        assert done["rests"] >= 1
