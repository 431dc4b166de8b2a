"""`parley dev`: what it makes, and that it survives kills of itself and of its Postgres."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import jwt
import pytest

from parley import binary
from waiting import until


class Dev:
    """`parley dev` in a folder, on a free port."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.process: subprocess.Popen | None = None
        self.log = open(folder / "dev.log", "a")

    def start(self) -> Dev:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PARLEY_")}
        self.process = subprocess.Popen(
            [binary(), "dev", "--port", "0"], cwd=self.folder, env=environment, stdout=self.log, stderr=self.log
        )
        return self

    def ready(self, seconds: float = 90) -> dict:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if self.file.exists():
                return json.loads(self.file.read_text())
            assert self.process.poll() is None, (self.folder / "dev.log").read_text()
            time.sleep(0.05)
        raise AssertionError((self.folder / "dev.log").read_text())

    @property
    def file(self) -> Path:
        return self.folder / ".parley/dev.json"

    @property
    def postmaster(self) -> int:
        return int((self.folder / ".parley/pg/data/postmaster.pid").read_text().split()[0])

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture
def dev():
    # Postgres runs as another user when we are root, and must be able to come here: pytest closes its own folder to others
    # whenever a run of it begins.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        dev = Dev(folder)
        yield dev
        if dev.process.poll() is None:
            dev.stop()


def rpc(dev: dict, function: str, token: str, **arguments):
    request = urllib.request.Request(
        f"{dev['url']}/rest/v1/rpc/{function}", json.dumps(arguments).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {token}", "apikey": dev["anon_key"]},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def eventually(attempt, seconds: float = 30):
    limit = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except (OSError, ValueError, IndexError, AssertionError):
            if time.monotonic() > limit:
                raise
            time.sleep(0.1)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def psql(url: str, sql: str) -> str:
    return subprocess.run(["psql", "-XAtq", url, "-c", sql], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def test_dev_makes_a_project_and_keeps_it(dev):
    first = dev.start().ready()
    assert stat.S_IMODE(dev.file.stat().st_mode) == 0o600
    assert {user["tier"] for user in first["users"]} == {"free", "privileged", "privileged_plus"}
    assert len({user["id"] for user in first["users"]}) >= 4
    for user in first["users"]:
        claims = jwt.decode(user["token"], first["jwt_secret"], algorithms=["HS256"])
        assert claims["sub"] == user["id"] and claims["role"] == "authenticated"
        assert claims["exp"] > time.time() + 29 * 86400
    for name, role in (("anon_key", "anon"), ("service_role_key", "service_role")):
        assert jwt.decode(first[name], first["jwt_secret"], algorithms=["HS256"])["role"] == role
    assert psql(first["database_url"], "select rolsuper from pg_roles where rolname = current_user") == "f"
    assert psql(first["database_url"], "select string_agg(current_setting(s), ',') from unnest(array['fsync', 'synchronous_commit']) s") == "on,on"

    alice = first["users"][0]
    inbox = rpc(first, "get_user_conversations", alice["token"])["conversations"]
    assert len(inbox) == 1
    sent = rpc(first, "send_message", alice["token"], conversation_id=inbox[0]["id"], content="still here?")

    export = rpc(first, "export_my_data", alice["token"])["id"]
    until(lambda: rpc(first, "get_export", alice["token"], export_id=export)["state"] == "ready")
    file = dev.folder / ".parley/exports" / f"{export}.jsonl"
    assert "still here?" in file.read_text() and stat.S_IMODE(file.parent.stat().st_mode) == 0o700

    # A second one in the same folder is refused, and disturbs nothing.
    second = subprocess.run([binary(), "dev"], cwd=dev.folder, capture_output=True, text=True, timeout=30)
    assert second.returncode == 1 and "already running" in second.stderr and dev.file.exists()

    postmaster = dev.postmaster
    assert dev.stop() == 0
    assert not is_running(postmaster)

    again = dev.start()
    while json.loads(dev.file.read_text() if dev.file.exists() else "{}").get("url") in (None, first["url"]):
        assert again.process.poll() is None
        time.sleep(0.05)
    later = again.ready()
    assert later["jwt_secret"] == first["jwt_secret"]
    messages = rpc(later, "get_conversation_messages", alice["token"], conversation_id=inbox[0]["id"])["messages"]
    assert sent["id"] in [message["id"] for message in messages]
    assert len(rpc(later, "get_user_conversations", alice["token"])["conversations"]) == 1


def test_dev_survives_kills(dev):
    first = dev.start().ready()
    alice = first["users"][0]["token"]
    postmaster = dev.postmaster
    dev.process.kill()
    dev.process.wait()
    assert is_running(postmaster)
    dev.file.unlink()

    second = dev.start().ready()
    assert dev.postmaster == postmaster
    assert rpc(second, "get_user_conversations", alice)["conversations"]

    # Postgres dies, twice: it comes back on its port, and the worker finds it.
    for _ in range(2):
        gone = dev.postmaster
        os.kill(gone, signal.SIGKILL)

        def back():
            assert is_running(dev.postmaster) and dev.postmaster != gone
            return rpc(second, "get_user_conversations", alice)

        assert eventually(back)["conversations"]
    assert dev.stop() == 0
    assert not is_running(dev.postmaster if (dev.folder / ".parley/pg/data/postmaster.pid").exists() else gone)


def test_dev_works_where_the_server_may_not_enter(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    dev = Dev(closed)
    try:
        started = dev.start().ready()
        # Only root runs Postgres as another user.
        link = closed / ".parley/pg"
        assert link.is_symlink() == (os.geteuid() == 0)
        assert str(link.resolve()).startswith("/var/tmp/parley-" if os.geteuid() == 0 else str(closed))
        assert rpc(started, "get_user_conversations", started["users"][0]["token"])["conversations"]
        assert dev.stop() == 0
    finally:
        if dev.process.poll() is None:
            dev.stop()
        data = (closed / ".parley/pg").resolve()
        if str(data).startswith("/var/tmp/parley-"):
            subprocess.run(["rm", "-rf", str(data)], check=True)


@pytest.mark.parametrize("named", ["by a flag", "in the environment"])
def test_dev_says_what_is_missing(tmp_path, named):
    environment, flags = dict(os.environ), []
    if named == "by a flag":
        flags = ["--pg-bindir", str(tmp_path)]
    else:
        environment["PARLEY_PG_BINDIR"] = str(tmp_path)
    done = subprocess.run(
        [binary(), "dev", *flags], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1 and "apt-get install postgresql" in done.stderr and str(tmp_path) in done.stderr
