"""The tests of the client that run in Node alone, each under its own name."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from node import node_environment

FOLDER = Path(__file__).resolve().parents[2] / "Clients" / "javascript"
FILES = sorted((FOLDER / "test").glob("*.test.mjs"))
NAMED = re.compile(r'^(?:test|    test)\((?:"([^"]+)"|`([^`]+)`)', re.M)


def names(file: Path) -> list[str]:
    """Those in the file; one with a placeholder stands for all that it makes."""
    return [plain or pattern for plain, pattern in NAMED.findall(file.read_text())]


def lines_of(name: str, report: str) -> list[tuple[str, str, str]]:
    """(ok or not ok, the whole name, a skip) of each test that has this name."""
    pattern = ".*".join(re.escape(part) for part in re.split(r"\$\{\w+\}", name))
    return re.findall(rf"^\s*(not ok|ok) \d+ - ({pattern})( # SKIP.*)?$", report, re.M)


@pytest.fixture(scope="session")
def reports() -> dict[str, str]:
    """What each file's tests said, as TAP."""
    found = {}
    for file in FILES:
        command = ["node", "--test", "--test-reporter=tap", str(file)]
        try:
            done = subprocess.run(command, cwd=FOLDER, env=node_environment(), capture_output=True, text=True, timeout=120)
            found[file.name] = done.stdout + done.stderr
        except subprocess.TimeoutExpired as late:
            found[file.name] = f"Bail out! {file.name} did not end:\n{(late.stdout or b'').decode()}"
    return found


@pytest.mark.parametrize(("file", "name"), [(file.name, name) for file in FILES for name in names(file)])
def test_unit(reports, file, name):
    report = reports[file]
    lines = lines_of(name, report)
    assert lines, f"{name!r} did not run:\n{report[-3000:]}"
    for outcome, full, skipped in lines:
        assert outcome == "ok" and not skipped, report[max(0, report.find(f"not ok {full}")) :][-4000:]


def test_every_test_is_counted(reports):
    for file in FILES:
        ran = len(re.findall(r"^\s*(?:not ok|ok) \d+ - ", reports[file.name], re.M))
        known = sum(len(lines_of(name, reports[file.name])) for name in names(file))
        assert ran - known in (0, 1), f"{file.name}: {ran} tests ran, {known} have names here"
