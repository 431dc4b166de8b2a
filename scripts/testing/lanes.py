"""Runs suites beside each other, two at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from testing.reports import Report
from testing.run import end_all
from testing.suites import Suite

LANES = 2


def may_run_beside(suite: Suite, other: Suite) -> bool:
    """Nothing that watches the clock runs beside a build, and no two builds run at once: each fills the machine.

    Two that watch the clock do: they wait most of their time, for a heartbeat, a browser or a worker to come back.
    """
    return "build" not in (suite.kind, other.kind) or not (suite.kind and other.kind)


def run_all(suites: list[Suite], run: Callable[[Suite], Report]) -> dict[str, Report]:
    waiting, running, reports = list(suites), {}, {}
    with ThreadPoolExecutor(LANES) as pool:
        try:
            while waiting or running:
                for suite in list(waiting):
                    if len(running) < LANES and all(may_run_beside(suite, other) for other in running.values()):
                        waiting.remove(suite)
                        running[pool.submit(run, suite)] = suite
                ended: set[Future] = wait(running, return_when=FIRST_COMPLETED).done
                for future in ended:
                    reports[running.pop(future).name] = future.result()
        finally:
            # Something went wrong in the runner, or somebody pressed Ctrl-C.
            if running:
                end_all()
    return reports
