"""A failover to a standby: the worker finds the new primary by itself, and clients lose and repeat nothing."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from parley import Cluster, Worker, free_port
from resuming import ResumingReader, RetryingSender
from test_kill import chance, check, in_thread


class Standby:
    """A synchronous streaming standby of a cluster, made with pg_basebackup by the user that runs the server."""

    def __init__(self, cluster: Cluster):
        self.cluster = cluster
        self.port = free_port()
        self.bin = Path(subprocess.run(["pg_config", "--bindir"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
        self.folder = tempfile.mkdtemp(prefix="parley-standby-")
        self.as_server: list[str] = []
        if os.getuid() == 0:
            subprocess.run(["chown", "postgres", self.folder], check=True)
            self.as_server = ["runuser", "-u", "postgres", "--"]
        self.data = f"{self.folder}/data"

    def run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self.as_server, str(self.bin / program), *arguments], check=True, cwd="/", stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Standby:
        source = self.cluster.superuser_url.rsplit("/", 1)[0] + "/postgres?application_name=standby"
        self.run("pg_basebackup", "-d", source, "-D", self.data, "-R", "-X", "stream", "-c", "fast")
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self.run("pg_ctl", "-D", self.data, "-o", options, "-l", f"{self.folder}/log", "-w", "start")
        self.cluster.psql("alter system set synchronous_standby_names = 'standby'", self.cluster.superuser_url)
        self.cluster.psql("select pg_reload_conf()", self.cluster.superuser_url)
        return self

    def promote(self) -> None:
        # The promoted server has no standby to wait for.
        url = self.url(self.cluster.superuser_url)
        self.run("pg_ctl", "-D", self.data, "-w", "promote")
        self.cluster.psql("alter system set synchronous_standby_names = ''", url)
        self.cluster.psql("select pg_reload_conf()", url)

    def url(self, of: str) -> str:
        return re.sub(r":\d+/", f":{self.port}/", of)

    def both(self, of: str) -> str:
        """An address of both servers, as libpq takes it: whoever is the primary."""
        found = re.match(r"(postgresql://[^@]+@)(127\.0\.0\.1:\d+)/(.+)", of)
        assert found is not None, of
        return f"{found[1]}{found[2]},127.0.0.1:{self.port}/{found[3]}?target_session_attrs=read-write"

    def __exit__(self, *_: object) -> None:
        self.run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")
        subprocess.run(["rm", "-rf", self.folder], check=True)


@pytest.mark.asyncio
async def test_failover_to_a_synchronous_standby():
    with Cluster("--set", "wal_level=replica", "--set", "max_wal_senders=4") as cluster:
        cluster.psql("update parley.tier_limit set amount = null where period_seconds is not null")
        with Standby(cluster) as standby:
            with Worker(cluster, "--log-level", "error", database_url=standby.both(cluster.worker_url)) as worker:
                senders, readers, luck = [], [], chance()
                for n in range(4):
                    one, two = cluster.account(f"sender {n}"), cluster.account(f"reader {n}")
                    conversation = worker.rpc("start_conversation", worker.token(one), participant_ids=[two])["id"]
                    readers.append(ResumingReader(worker, conversation, worker.token(two)))
                    senders.append(RetryingSender(worker, conversation, worker.token(one), f"sender {n}", luck))
                await asyncio.sleep(2)
                before = sum(len(sender.acknowledged) for sender in senders)
                assert before > 0
                await in_thread(cluster.command, "kill9")
                await in_thread(standby.promote)
                await in_thread(worker.wait_ready)
                await asyncio.sleep(2)
                for sender in senders:
                    await sender.stop()
                assert sum(len(sender.acknowledged) for sender in senders) > before, "nothing was sent after the failover"
                # What is asked of the database from here on is asked of the new primary.
                cluster.owner_url = standby.url(cluster.owner_url)
                await check(cluster, senders, readers)
                assert all(reader.connections >= 2 for reader in readers), "positions of the old log were kept"
                for reader in readers:
                    await reader.stop()
