"""Runs every suite of `make test`, and fails on a failure, a skip, a missing suite or fewer tests than expected.

    python scripts/test.py [suite ...]      all suites, or the named ones

A suite is a command and the shape of its report. What ran is collected by name, so that Tests/coverage.tsv, which names
a test for each requirement that works, can be checked against it. `minimum` is the number of tests that must have
run: raise it when tests are added.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv" / "bin" / "python"
# Seconds for one suite, building included; the slowest takes a quarter of it on two shared cores.
TIME_LIMIT = 1200


@dataclass
class Report:
    """What one suite ran: names of the tests that passed, and what went wrong."""

    passed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_swift(output: str) -> Report:
    report = Report()
    for line in output.splitlines():
        if found := re.match(r"^\S+ Test (.+?)(?: with \d+ test cases?)? passed after", line):
            report.passed.append(found.group(1).strip('"').removesuffix("()"))
        elif re.search(r"\bskipped\b", line):
            report.problems.append(f"skipped: {line}")
    if not re.search(r"Test run with \d+ tests? .*passed", output):
        report.problems.append("no closing line of a passed run")
    return report


def read_pytest(output: str) -> Report:
    report = Report()
    for line in output.splitlines():
        if found := re.match(r"^PASSED (\S+)", line):
            report.passed.append(found.group(1))
        elif re.match(r"^(SKIPPED|XFAIL|XPASS|FAILED|ERROR) (\[\d+\] )?Tests/", line):
            report.problems.append(line)
    return report


def read_tap(output: str) -> Report:
    report, file = Report(), ""
    for line in output.splitlines():
        if found := re.match(r"^(\S+\.sql) \.\.", line):
            file = found.group(1)
        elif found := re.match(r"^\s*ok \d+(?: - (.*))?$", line):
            if "# skip" in line.lower() or "# todo" in line.lower():
                report.problems.append(f"skipped: {line}")
            else:
                report.passed.append(f"{file}::{found.group(1) or ''}")
        elif re.match(r"^\s*not ok ", line):
            report.problems.append(f"{file}: {line}")
    if not re.search(r"^Result: PASS", output, re.M):
        report.problems.append("no closing line of a passed run")
    return report


def read_plain(output: str) -> Report:
    """Lines `ok - name` and `not ok - name`, closed by `N passed, M failed`."""
    report = Report(passed=re.findall(r"^ok - (.+)$", output, re.M), problems=re.findall(r"^not ok - .+$", output, re.M))
    closing = re.findall(r"^(\d+) passed, (\d+) failed$", output, re.M)
    if not closing:
        report.problems.append("no closing line `N passed, M failed`")
    elif sum(int(failed) for _, failed in closing):
        report.problems.append(f"{closing} failed")
    elif sum(int(passed) for passed, _ in closing) != len(report.passed):
        report.problems.append("the closing line and the tests listed disagree")
    return report


@dataclass
class Suite:
    name: str
    command: list[str]
    read: object
    minimum: int
    # Suites against Postgres get a cluster of their own, with Parley installed.
    cluster: bool = False


def shell(*words: str) -> list[str]:
    return list(words)


SUITES = [
    Suite("lint", shell("bash", "scripts/lint.sh"), read_plain, 6),
    Suite("sql-doors", shell("bash", "Tests/sql/doors.sh"), read_plain, 64),
    Suite("sql-lint", shell("bash", "Tests/sql/lint.sh"), read_plain, 5),
    Suite("sql", shell("bash", "Tests/sql/tap.sh"), read_tap, 3551, cluster=True),
    Suite("sql-scans", shell("bash", "Tests/sql/scans.sh"), read_tap, 15),
    Suite("isolation", shell("bash", "Tests/sql/isolation.sh"), read_plain, 242),
    Suite("swift", shell("swift", "test", "--disable-xctest", "--no-parallel"), read_swift, 476, cluster=True),
    Suite("swift-thread-sanitizer", shell("bash", "scripts/sanitize.sh", "thread"), read_swift, 476, cluster=True),
    Suite("swift-address-sanitizer", shell("bash", "scripts/sanitize.sh", "address"), read_swift, 476, cluster=True),
    Suite("conformance", shell(str(PYTHON), "-m", "pytest", "-rA", "-q", "Tests/conformance"), read_pytest, 523),
    Suite("scenarios", shell(str(PYTHON), "-m", "pytest", "-rA", "-q", "Tests/scenarios"), read_pytest, 42),
    Suite("property", shell(str(PYTHON), "-m", "pytest", "-rA", "-q", "Tests/property"), read_pytest, 11),
    Suite("chaos", shell(str(PYTHON), "-m", "pytest", "-rA", "-q", "Tests/chaos"), read_pytest, 54),
]


def exports(output: str) -> dict[str, str]:
    return dict(re.findall(r"^export (\w+)='?([^'\n]*)'?$", output, re.M))


def run(suite: Suite) -> tuple[Report, float]:
    print(f"\n== {suite.name}: {' '.join(suite.command)}", flush=True)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    cluster = str(ROOT / "Tests/support/cluster.sh")
    if suite.cluster:
        started = subprocess.run([cluster, "start"], check=True, stdout=subprocess.PIPE, text=True).stdout
        environment |= exports(started)
    began = time.monotonic()
    (ROOT / ".build").mkdir(exist_ok=True)
    log = ROOT / ".build" / f"test-{suite.name}.log"
    timed_out = False
    try:
        with log.open("w") as file, subprocess.Popen(
            suite.command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        ) as process:
            try:
                process.wait(TIME_LIMIT)
            except subprocess.TimeoutExpired:
                timed_out = True
                # Its whole session: the suite and what it started.
                os.killpg(process.pid, signal.SIGKILL)
        took = time.monotonic() - began
    finally:
        if suite.cluster:
            subprocess.run([cluster, "stop"], env=environment, check=True)
    text = log.read_text(errors="replace")
    report = suite.read(text)
    if suite.read is read_plain:
        report.passed = [f"{suite.command[-1]}::{name}" for name in report.passed]
    if timed_out:
        report.problems.append(f"not finished after {TIME_LIMIT} s")
    elif process.returncode != 0:
        report.problems.append(f"exit code {process.returncode}")
    if len(report.passed) < suite.minimum:
        report.problems.append(f"{len(report.passed)} tests ran, {suite.minimum} expected")
    if report.problems:
        print(text[-20000:])
        for problem in report.problems[:40]:
            print(f"!! {suite.name}: {problem}")
    print(f"== {suite.name}: {len(report.passed)} passed, {len(report.problems)} problems, {took:.0f} s", flush=True)
    return report, took


def check_coverage(ran: dict[str, list[str]]) -> list[str]:
    """Every test that Tests/coverage.tsv names must exist and have run in this very run."""
    problems = []
    names = {name for tests in ran.values() for name in tests}
    rows = (ROOT / "Tests/coverage.tsv").read_text().splitlines()[1:]
    seen = set()
    for number, row in enumerate(rows, 2):
        columns = row.split("\t")
        if len(columns) != 4 or not re.fullmatch(r"R\d{3}", columns[0]):
            problems.append(f"coverage.tsv:{number}: wants four columns: id, what, by, test")
            continue
        if columns[0] in seen:
            problems.append(f"coverage.tsv:{number}: {columns[0]} stands twice")
        seen.add(columns[0])
        for test in columns[3].split(" ; "):
            path, _, name = test.partition("::")
            if not (ROOT / path).exists():
                problems.append(f"coverage.tsv:{number}: {path} does not exist")
            elif path.endswith(".spec"):  # the permutations of an isolation spec, all of them
                if not any(n.startswith(f"Tests/sql/isolation.sh::{Path(path).stem}/") for n in names):
                    problems.append(f"coverage.tsv:{number}: {test} did not run")
            elif path.endswith(".swift"):
                if name not in names or f"func {name}(" not in (ROOT / path).read_text():
                    problems.append(f"coverage.tsv:{number}: {test} did not run")
            elif test not in names and not (not name and any(n.startswith(path + "::") for n in names)):
                problems.append(f"coverage.tsv:{number}: {test} did not run")
    print(f"\n== coverage: {len(seen)} requirements have a row", flush=True)
    return problems


def main() -> int:
    wanted = sys.argv[1:]
    unknown = set(wanted) - {suite.name for suite in SUITES}
    if unknown:
        print(f"no such suite: {', '.join(sorted(unknown))}; there are {', '.join(s.name for s in SUITES)}")
        return 2
    ran: dict[str, list[str]] = {}
    failed = 0
    for suite in SUITES:
        if wanted and suite.name not in wanted:
            continue
        report, _ = run(suite)
        ran[suite.name] = report.passed
        failed += len(report.problems)
    if not wanted:
        problems = check_coverage(ran)
        for problem in problems:
            print(f"!! {problem}")
        failed += len(problems)
    # The closing line that every kind of CI can read.
    print(f"\n{sum(len(tests) for tests in ran.values())} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
