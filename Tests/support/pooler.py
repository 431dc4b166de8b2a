"""A PgBouncer in transaction mode, as the only way to a database."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from parley import free_port


@contextlib.contextmanager
def transaction_pooler(url: str) -> Iterator[str]:
    """Yields the URL that leads to the same database through the pooler."""
    parts = urlsplit(url)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="parley-pooler-") as name:
        folder = Path(name)
        (folder / "users.txt").write_text(f'"{parts.username}" ""\n')
        (folder / "pooler.ini").write_text(
            f"[databases]\n* = host={parts.hostname} port={parts.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nauth_type = trust\nauth_file = {folder}/users.txt\npool_mode = transaction\n"
            "default_pool_size = 4\nignore_startup_parameters = extra_float_digits\n"
        )
        folder.chmod(0o755)
        command = ["pgbouncer", "-q", str(folder / "pooler.ini")]
        if os.geteuid() == 0:
            command[1:1] = ["-u", "postgres"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for_port(port)
            yield urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}"))
        finally:
            process.terminate()
            process.wait()


def wait_for_port(port: int) -> None:
    limit = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            assert time.monotonic() < limit, "the pooler does not listen"
            time.sleep(0.05)
