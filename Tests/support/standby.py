"""A hot standby of a throw-away cluster, made by pg_basebackup; it follows the primary until it is promoted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from parley import Cluster, free_port


def server_program(name: str) -> str:
    found = os.environ.get("PARLEY_PG_BINDIR") or str(max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)))
    return f"{found}/{name}"


class Standby:
    """Its URLs are those of the cluster with another port."""

    def __init__(self, cluster: Cluster):
        self.cluster, self.port = cluster, free_port()
        self.data = str(Path(cluster.data).parent / "standby")

    def as_server(self, *command: str) -> None:
        # PostgreSQL refuses to run as root.
        prefix = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        subprocess.run([*prefix, *command], check=True, cwd="/", stdout=subprocess.DEVNULL)

    def url(self, url: str) -> str:
        return re.sub(r":\d+/", f":{self.port}/", url)

    def psql(self, sql: str) -> str:
        return self.cluster.psql(sql, self.url(self.cluster.superuser_url))

    def wait_for(self, sql: str, seconds: float = 20) -> None:
        limit = time.monotonic() + seconds
        while self.psql(sql) != "t":
            assert time.monotonic() < limit, sql
            time.sleep(0.05)

    def catch_up(self) -> None:
        """Returns when it has replayed what the primary has written so far."""
        position = self.cluster.psql("select pg_current_wal_lsn()", self.cluster.superuser_url)
        self.wait_for(f"select pg_last_wal_replay_lsn() >= '{position}'")

    def promote(self) -> None:
        self.as_server(server_program("pg_ctl"), "-D", self.data, "-w", "promote")

    def __enter__(self) -> Standby:
        self.as_server(server_program("pg_basebackup"), "-R", "-X", "stream", "-c", "fast", "-D", self.data, "-d", self.cluster.superuser_url)
        Path(self.data, "port.conf").write_text(f"port = {self.port}\n")
        self.as_server(server_program("pg_ctl"), "-D", self.data, "-l", f"{self.data}.log", "-w", "start")
        return self

    def __exit__(self, *_: object) -> None:
        self.as_server(server_program("pg_ctl"), "-D", self.data, "-m", "immediate", "stop")
        shutil.rmtree(self.data)
