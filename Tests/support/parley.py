"""What tests and benchmarks share: a throw-away Postgres cluster, workers in front of it, and tokens.

    with Cluster() as cluster, Worker(cluster) as worker:
        token = worker.token(user_id)

Everything started here is stopped here, by its own process id; nothing outside is touched.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import jwt
from clock import Clock

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ROOT / "Tests" / "support" / "cluster.sh"


def binary() -> str:
    """The worker under test: PARLEY_BIN, else the release build, else the debug build."""
    for candidate in (os.environ.get("PARLEY_BIN"), ROOT / ".build/release/parley", ROOT / ".build/debug/parley"):
        if candidate and Path(candidate).exists():
            return str(candidate)
    raise SystemExit("no parley binary: run `make build` first")


def run_binary(*arguments: str, stdin: str = "", cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess:
    """Runs a command of the binary to its end, with none of our own PARLEY_ variables but the ones given."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PARLEY_")}
    return subprocess.run(
        [binary(), *arguments], input=stdin, capture_output=True, text=True, cwd=cwd, env={**clean, **environment}, timeout=120
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """A Postgres cluster of its own, with Parley installed; its URLs and data directory as attributes.

    `flags` are those of `cluster.sh start`; benchmarks that commit want `--fsync`. `watch`: the log refuses unknown events.
    `clock`: what the server reads as the time, see clock.py.
    """

    def __init__(self, *flags: str, watch: bool = True, clock: Clock | None = None):
        self.flags, self.watch, self.clock = flags, watch, clock

    def __enter__(self) -> Cluster:
        environment = os.environ if self.watch else {**os.environ, "PARLEY_WATCH": "off"}
        environment = {**environment, **(self.clock.environment if self.clock else {})}
        output = subprocess.run(
            [str(CLUSTER), "start", *self.flags], check=True, stdout=subprocess.PIPE, text=True, env=environment
        ).stdout
        self.environment = dict(re.findall(r"^export (\w+)='?([^'\n]*)'?$", output, re.M))
        self.owner_url = self.environment["PARLEY_TEST_DATABASE_URL"]
        self.worker_url = self.environment["PARLEY_WORKER_DATABASE_URL"]
        self.superuser_url = self.environment["PARLEY_SUPERUSER_URL"]
        self.data = self.environment["PARLEY_TEST_PGDATA"]
        return self

    def command(self, verb: str, *arguments: str) -> None:
        """`kill9`, `restart`, `stop`, `database`, `install`: see Tests/support/cluster.sh."""
        subprocess.run([str(CLUSTER), verb, *arguments], env={**os.environ, **self.environment}, check=True, stdout=subprocess.DEVNULL)

    def __exit__(self, *_: object) -> None:
        self.command("stop")

    def psql(self, sql: str, url: str | None = None) -> str:
        """The unaligned output of `sql`, run as the owner unless told otherwise."""
        return subprocess.run(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", url or self.owner_url, "-c", sql],
            check=True, stdout=subprocess.PIPE, text=True,
        ).stdout.strip()

    def account(self, name: str, tier: str = "privileged_plus") -> str:
        """A new user's id."""
        user = str(uuid.uuid4())
        self.psql(f"insert into parley.account (id, display_name, tier_name) values ('{user}', '{name}', '{tier}')")
        return user


class Worker:
    """`parley serve` on a port of its own."""

    def __init__(self, cluster: Cluster, *flags: str, prefix: tuple[str, ...] = (), database_url: str | None = None):
        self.cluster, self.flags, self.prefix = cluster, flags, prefix
        self.database_url = database_url or cluster.worker_url
        self.port = free_port()
        self.secret = secrets.token_hex(32)
        self.process: subprocess.Popen | None = None
        self.log = tempfile.NamedTemporaryFile("w+", prefix="parley-worker-", suffix=".log", delete=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self, wait: bool = True) -> None:
        environment = {
            **os.environ,
            "PARLEY_DATABASE_URL": self.database_url,
            "PARLEY_JWT_SECRET": self.secret,
            "PARLEY_PORT": str(self.port),
            "PARLEY_HOST": "127.0.0.1",
        }
        self.process = subprocess.Popen(
            [*self.prefix, binary(), "serve", *self.flags], env=environment, stdout=self.log, stderr=self.log
        )
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds: float = 30) -> None:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            assert self.process is not None
            if self.process.poll() is not None:
                raise RuntimeError(f"the worker exited with {self.process.returncode}:\n{self.output()}")
            try:
                with urllib.request.urlopen(f"{self.url}/health/ready", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            time.sleep(0.05)
        raise RuntimeError(f"the worker did not become ready:\n{self.output()}")

    def output(self) -> str:
        return Path(self.log.name).read_text()

    def kill9(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds: float = 30) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill9()
                raise
        return self.process.returncode

    def __enter__(self) -> Worker:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.log.close()
        os.unlink(self.log.name)

    def token(self, user: str | None = None, role: str = "authenticated", ttl: int = 3600, **claims: object) -> str:
        """A token that the worker accepts; claims given as None are left out."""
        now = int(time.time())
        payload = {"role": role, "exp": now + ttl, "iat": now, **({"sub": user} if user else {}), **claims}
        return jwt.encode({k: v for k, v in payload.items() if v is not None}, self.secret, algorithm="HS256")

    @property
    def anon_key(self) -> str:
        return self.token(role="anon")

    @property
    def service_key(self) -> str:
        return self.token(role="service_role")

    def rpc(self, function: str, token: str, /, **arguments: object) -> object:
        """The answer of one RPC; an HTTP error is raised as `RpcError`."""
        request = urllib.request.Request(
            f"{self.url}/rest/v1/rpc/{function}",
            json.dumps(arguments).encode(),
            {"Authorization": f"Bearer {token}", "apikey": token, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                body = answer.read()
                return json.loads(body) if body else None
        except urllib.error.HTTPError as error:
            raise RpcError(error.code, error.read()) from None


class RpcError(Exception):
    """An RPC refused: its HTTP status and PostgREST error body."""

    def __init__(self, status: int, body: bytes):
        self.status = status
        try:
            self.body = json.loads(body)
        except ValueError:
            self.body = {"message": body.decode(errors="replace")}
        super().__init__(f"{status} {self.body}")
