"""What the server takes meanwhile: memory of the worker and of each backend, the server's log."""

from __future__ import annotations

import re
import threading
from pathlib import Path

from parley import Cluster, Worker

WORKER_MB, BACKEND_MB = 256, 100
LOG_BYTES_PER_REQUEST = 16 << 10
# Words of a server's log that no input may cause.
BROKEN = re.compile(r"PANIC|was terminated by signal|out of memory|invalid memory alloc|XX000|stack depth|TRAP:|crash")


def megabytes(pid: int, field: str) -> int:
    """Of a process; 0 once it is gone."""
    try:
        found = re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(found[1]) // 1024 if found else 0


class Watch:
    """Looks four times a second; `highest` are megabytes of the worker and of the largest backend."""

    def __init__(self, cluster: Cluster, worker: Worker):
        self.worker = worker
        self.postmaster = int(Path(cluster.data, "postmaster.pid").read_text().split()[0])
        self.log = Path(cluster.data).parent / "log"
        self.logged = self.log.stat().st_size
        self.highest = {"worker": 0, "backend": 0}
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        children = Path(f"/proc/{self.postmaster}/task/{self.postmaster}/children")
        while not self.done.wait(0.25):
            backends = [megabytes(int(pid), "RssAnon") for pid in children.read_text().split()]
            self.highest["backend"] = max(self.highest["backend"], *backends)
            self.highest["worker"] = max(self.highest["worker"], megabytes(self.worker.pid, "VmRSS"))

    def check(self, requests: int) -> None:
        assert self.worker.process.poll() is None, f"the worker ended: {self.worker.output()[-2000:]}"
        assert self.thread.is_alive()
        assert self.highest["worker"] <= WORKER_MB, f"the worker took {self.highest['worker']} MB"
        assert self.highest["backend"] <= BACKEND_MB, f"a backend took {self.highest['backend']} MB"
        with self.log.open(errors="replace") as log:
            log.seek(self.logged)
            text = log.read()
        self.logged += len(text.encode(errors="replace"))
        assert not (broken := BROKEN.search(text)), text[max(0, broken.start() - 300) : broken.end() + 2000]
        assert len(text) <= max(requests, 50) * LOG_BYTES_PER_REQUEST, f"{len(text)} bytes of log for {requests} requests"

    def __enter__(self) -> Watch:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()
