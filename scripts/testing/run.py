"""Runs one suite to its end, or to its time limit."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable

from testing.reports import Report
from testing.suites import OUTPUT, ROOT, Suite

# Seconds for one suite, building included; the slowest takes a third of it on two shared cores.
TIME_LIMIT = 1800
# Seconds in which a suite that is told to end removes its clusters.
GRACE = 20

CLUSTER = str(ROOT / "Tests/support/cluster.sh")
printing = threading.Lock()
running: set[subprocess.Popen] = set()
ending = threading.Event()


def end(process: subprocess.Popen) -> None:
    """Ends the whole session: the suite and what it started."""
    for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def end_all() -> None:
    ending.set()
    # Whoever presses Ctrl-C twice would leave clusters behind.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for process in list(running):
        end(process)


def execute(suite: Suite, environment: dict[str, str], time_limit: float) -> tuple[str, list[str]]:
    """The output, and what went wrong with the process itself."""
    log = OUTPUT / f"{suite.name}.log"
    with log.open("w") as file, subprocess.Popen(
        suite.command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        running.add(process)
        problems = []
        try:
            if process.wait(time_limit) != 0:
                problems.append(f"exit code {process.returncode}")
        except subprocess.TimeoutExpired:
            problems.append(f"not finished after {time_limit} s")
            end(process)
        finally:
            running.discard(process)
    return log.read_text(errors="replace"), problems


def run(suite: Suite, check: Callable[[Suite, Report], None], time_limit: float = TIME_LIMIT) -> Report:
    """`check` compares the names of what ran with those recorded, or records them."""
    if ending.is_set():
        return Report(problems=["not run"])
    with printing:
        print(f"-- {suite.name} starts: {' '.join(suite.command)}", flush=True)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    suite.junit.unlink(missing_ok=True)
    began = time.monotonic()
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        if suite.cluster:
            started = subprocess.run([CLUSTER, "start"], check=True, stdout=subprocess.PIPE, text=True).stdout
            environment |= dict(re.findall(r"^export (\w+)='?([^'\n]*)'?$", started, re.M))
        try:
            output, problems = execute(suite, environment, time_limit)
        finally:
            if suite.cluster:
                subprocess.run([CLUSTER, "stop"], env=environment, check=True)
    except subprocess.CalledProcessError as error:
        output, problems = "", [str(error)]
    report = suite.read(output, suite.junit)
    report.problems += problems
    check(suite, report)
    report.seconds = time.monotonic() - began
    with printing:
        print(f"\n== {suite.name}: {len(report.passed)} passed, {len(report.problems)} failed, {report.seconds:.0f} s")
        if report.problems:
            print(output.rstrip("\n"))
        for problem in report.problems:
            print(f"!! {suite.name}: {problem}")
        print(end="", flush=True)
    return report
