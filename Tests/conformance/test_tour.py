"""The lines of the documents that are there to be copied run as they stand, against the demo."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from parley import ROOT
from test_demo import Demo


@pytest.fixture(scope="module")
def served():
    """A demo that serves; its folder."""
    demo = Demo(Path(tempfile.mkdtemp(prefix="parley-tour-", dir="/tmp")))
    process = demo.start()
    try:
        demo.serving(process)
        yield demo
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        demo.remove()


def blocks(file: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / file).read_text(), re.S | re.M)


def test_the_five_minutes(served):
    (script,) = blocks("README.md", "sh")
    done = subprocess.run(["bash", "-eu", "-c", script], cwd=served.folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    conversation, inbox, sent, again, _, unread = [json.loads(line) for line in done.stdout.splitlines()]
    assert conversation["type"] == "direct"
    assert conversation["id"] in [entry["id"] for entry in inbox["conversations"]]
    assert sent == again and sent["content"] == "Friday?"
    assert unread["total"] == 0


@pytest.mark.parametrize("file", ["docs/operations.md", "docs/concepts.md"])
def test_the_lines_for_the_owner(served, file):
    # some wheels of other versions come without contrib; Debian's server has all of it
    asked = "select name from pg_available_extensions"
    available = set(subprocess.run(
        ["psql", "-XAt", "-d", served.dev()["database_url"], "-c", asked], capture_output=True, text=True, timeout=30, check=True
    ).stdout.split())
    assert "PARLEY_PG_BINDIR" in os.environ or "unaccent" in available
    ran = 0
    for text in blocks(file, "sql"):
        # calls with placeholders are for a user, and what drops the schema is tested by Tests/sql/doors.sh
        if "drop " in text or "parley_api." in text or "'<" in text:
            continue
        if not set(re.findall(r"create extension (\w+)", text)) <= available:
            continue
        done = subprocess.run(
            ["psql", "-X", "-v", "ON_ERROR_STOP=1", "-d", served.dev()["database_url"]],
            input=text, capture_output=True, text=True, timeout=30,
        )
        assert done.returncode == 0, (text, done.stderr)
        ran += 1
    assert ran >= 1
