"""What a load balancer asks a worker: it lives, and it is ready while it reaches its database."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request

from parley import Cluster, Worker


def health(worker: Worker, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{worker.url}/health/{path}", timeout=10) as answer:
            return answer.status, json.load(answer)["status"]
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["status"]


def eventually(worker: Worker, status: int) -> str:
    deadline = time.monotonic() + 30
    while (answer := health(worker, "ready"))[0] != status:
        assert time.monotonic() < deadline, answer
        time.sleep(0.1)
    return answer[1]


def test_a_worker_without_its_database_lives_and_is_not_ready():
    with Cluster() as cluster, Worker(cluster) as worker:
        assert health(worker, "live") == (200, "live")
        assert health(worker, "ready") == (200, "ready")
        cluster.command("kill9")
        assert eventually(worker, 503) != "ready"
        assert health(worker, "live") == (200, "live")
        cluster.command("restart")
        assert eventually(worker, 200) == "ready"
