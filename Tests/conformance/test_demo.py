"""`make demo`, once the binary is built: what it says, what it leaves, and that lines to copy work as they stand."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from parley import ROOT, binary, free_port

SITE = ROOT / ".venv/lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


class Demo:
    """scripts/demo.sh in a folder of its own, with only what it needs; run by us or by somebody else."""

    def __init__(self, folder: Path, user: str | None = None):
        self.folder, self.prefix = folder, ["runuser", "-u", user, "--"] if user else []
        for file in ("scripts/demo.sh", "scripts/demo_hints.py", "Examples/two_users.py"):
            (folder / file).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / file, folder / file)
        for path in (".build/release", ".venv/bin"):
            (folder / path).mkdir(parents=True)
        (folder / ".build/release/parley").symlink_to(binary())
        python = folder / ".venv/bin/python"
        python.write_text(f"#!/bin/sh\nPYTHONPATH={SITE} exec {self.python()} \"$@\"\n")
        python.chmod(0o755)
        # Postgres runs as another user when we are root, and must be able to come here.
        folder.chmod(0o755)
        if user:
            subprocess.run(["chown", "-R", user, folder], check=True)

    def python(self) -> str:
        """One of our version that whoever runs the demo may execute: that of .venv may lie in somebody's home."""
        for candidate in (ROOT / ".venv/bin/python", "/usr/bin/python3"):
            attempt = subprocess.run(
                [*self.prefix, "env", f"PYTHONPATH={SITE}", candidate, "-c", "import supabase"],
                capture_output=True, cwd="/",
            )
            if attempt.returncode == 0:
                return str(candidate)
        raise AssertionError(f"no Python has the stock client: {attempt.stderr.decode()}")

    def start(self, **environment: str) -> subprocess.Popen:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PARLEY_") and key != "ONCE"}
        self.port = free_port()
        self.output = tempfile.TemporaryFile("w+")
        return subprocess.Popen(
            [*self.prefix, "scripts/demo.sh"], cwd=self.folder, stdout=self.output, stderr=subprocess.STDOUT,
            env={**clean, "PARLEY_PORT": str(self.port), **environment}, start_new_session=True,
            # Whoever runs the tests in the background has it ignored, which is inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def said(self) -> str:
        # By offset: the position of the file is the writer's, too.
        return os.pread(self.output.fileno(), 1 << 20, 0).decode()

    def serving(self, process: subprocess.Popen) -> str:
        limit = time.monotonic() + 90
        while "serving until Ctrl-C" not in self.said():
            assert process.poll() is None and time.monotonic() < limit, self.said()
            time.sleep(0.1)
        return self.said()

    def dev(self) -> dict:
        return json.loads((self.folder / ".parley/dev.json").read_text())

    def processes(self) -> list[str]:
        """Command lines of what runs in the folder, or was started with a path in it."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                place = os.readlink(entry / "cwd")
                if str(self.folder) in command + " " + place:
                    found.append(command)
            except OSError:
                pass
        return found

    def remove(self) -> None:
        lock = self.folder / ".parley/pg/data/postmaster.pid"
        if lock.exists():
            # Left by a test that has failed.
            os.kill(int(lock.read_text().split()[0]), signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def demo():
    demo = Demo(Path(tempfile.mkdtemp(prefix="parley-demo-", dir="/tmp")))
    yield demo
    demo.remove()


def check_messages(output: str) -> None:
    lines = re.findall(r"#(\d+) '.+': acknowledged after [\d.]+ ms, at the reader's socket after ([\d.]+) ms", output)
    assert len(lines) == 3, output
    assert all(0 < float(latency) < 10_000 for _, latency in lines)
    numbers = [int(seq) for seq, _ in lines]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    assert "unread now: 0" in output


def check_dev_file(demo: Demo) -> None:
    dev = demo.dev()
    assert dev["url"] == f"http://127.0.0.1:{demo.port}"
    assert {"anon_key", "service_role_key", "database_url"} <= dev.keys()
    assert all(dev[key].count(".") == 2 for key in ("anon_key", "service_role_key"))
    assert dev["database_url"].startswith("postgresql://")
    assert len(dev["users"]) >= 4
    assert {user["tier"] for user in dev["users"]} == {"free", "privileged", "privileged_plus"}
    assert all({"id", "name", "token"} <= user.keys() for user in dev["users"])


def run_shown(output: str, start: str, end: str) -> str:
    """Runs what is printed from one line to another, as somebody would who copies it, and returns what it says."""
    lines = output.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("  " + start))
    last = next(n for n, line in enumerate(lines) if n >= first and re.search(end, line))
    script = "\n".join(line[2:] for line in lines[first : last + 1])
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "ERROR" not in done.stderr, (script, done.stderr)
    return done.stdout


def test_demo_once(demo):
    process = demo.start(ONCE="1")
    assert process.wait(120) == 0, demo.said()
    output = demo.said()
    check_messages(output)
    check_dev_file(demo)
    assert "serving" not in output
    assert demo.processes() == []


@pytest.mark.parametrize("how", ["from the terminal", "to the script alone"])
def test_demo_serves_until_sigint(demo, how):
    process = demo.start()
    try:
        output = demo.serving(process)
        check_messages(output)
        check_dev_file(demo)
        before = demo.dev()
        assert len(demo.processes()) >= 3

        conversation = json.loads(run_shown(output, "curl -s", r"-d '.*'$"))
        assert conversation["type"] == "direct"
        # The same lines again find the same conversation.
        assert json.loads(run_shown(output, "curl -s", r"-d '.*'$"))["id"] == conversation["id"]
        inbox = run_shown(output, 'psql "', "^  SQL$")
        assert conversation["id"] in inbox and "Hello from curl" in inbox

        # A second one disturbs nothing.
        output = demo.output
        second = demo.start()
        assert second.wait(30) == 1 and "already runs" in demo.said()
        demo.output = output
        assert demo.dev() == before and process.poll() is None

        if how == "from the terminal":
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130, demo.said()
        assert demo.processes() == []
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def test_an_ordinary_user_runs_the_demo():
    demo = Demo(
        Path(tempfile.mkdtemp(prefix="parley-demo-", dir="/tmp")), "nobody" if os.geteuid() == 0 else None
    )
    try:
        process = demo.start(ONCE="1")
        assert process.wait(120) == 0, demo.said()
        check_messages(demo.said())
        check_dev_file(demo)
        assert (demo.folder / ".parley/pg/data").stat().st_uid == (demo.folder / ".parley").stat().st_uid != 0
        assert demo.processes() == []
    finally:
        demo.remove()
