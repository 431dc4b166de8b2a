"""The staged load of `make bench-load`, its stages 20 times as short; and that it notices what goes wrong."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from parley import ROOT

BENCHMARKS = ROOT / "Benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from load import Outcome, Sent, Stay  # noqa: E402


def run_load(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "load.py", *arguments], cwd=BENCHMARKS, stdout=subprocess.PIPE, text=True, timeout=180
    )


def test_a_hundred_users_come_stay_and_go():
    run = run_load("--scale", "0.05")
    assert run.returncode == 0, run.stdout
    assert re.search(r"^handshakes +100 x 101; not 101: 0$", run.stdout, re.M), run.stdout
    assert re.search(r"^wrong +lost: 0, doubled: 0, altered: 0, refused: 0, closed: 0$", run.stdout, re.M), run.stdout
    sent, receipts = map(int, re.search(r"(\d+) sent, (\d+) receipts", run.stdout).groups())
    assert sent >= 600 and receipts > 8 * sent, run.stdout


def test_a_handshake_that_is_not_101_fails_the_load():
    run = run_load("--scale", "0.01", "--", "--max-connections", "50")
    assert run.returncode == 1, run.stdout
    assert re.search(r"^handshakes +\d+ x 101, (\d+) x 429; not 101: \1$", run.stdout, re.M), run.stdout


@pytest.mark.parametrize(
    ("received", "wrong"),
    [
        ([("a", "one", 2.1), ("b", "two", 3.1)], {}),
        ([("a", "one", 2.1)], {"lost": 1}),
        ([("a", "one", 2.1), ("b", "two", 3.1), ("b", "two", 3.2)], {"doubled": 1}),
        ([("a", "one", 2.1), ("b", None, 3.1)], {"altered": 1}),
        # sent before the socket joined, or acknowledged after it left: it may have them or not
        ([("a", "one", 2.1), ("b", "two", 3.1), ("early", "three", 1.1), ("late", "four", 5.1)], {}),
    ],
)
def test_what_a_socket_was_due(received, wrong):
    sent = {
        "early": Sent("three", 0.5, 1.1), "a": Sent("one", 2, 2.2), "b": Sent("two", 3, 3.2), "late": Sent("four", 4.5, 5.2),
    }
    outcome = Outcome()
    outcome.account(Stay(joined=1, left=5, received=received), sent)
    assert +outcome.wrong == wrong and outcome.failed == bool(wrong)
