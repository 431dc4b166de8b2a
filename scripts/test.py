"""Runs every suite of `make test` and fails on a failure, a skip, a test that vanished or one that nobody recorded.

    python scripts/test.py [suite ...]                    all suites, or the named ones
    python scripts/test.py --record [--last] [suite ...]  writes Tests/names/<suite>.txt from what ran, or from what ran last

Tests/names/ says by name which tests there are, Tests/coverage.tsv which test proves which requirement. Suites that do
not disturb each other run beside each other; each prints its lines when it has ended.
"""

from __future__ import annotations

import sys

from testing import coverage, lanes, names
from testing.run import run
from testing.suites import SUITES


def main(arguments: list[str]) -> int:
    options = {word for word in arguments if word.startswith("--")}
    wanted = [word for word in arguments if not word.startswith("--")]
    unknown = sorted(set(wanted) - {suite.name for suite in SUITES} | options - {"--record", "--last"})
    if unknown or options == {"--last"}:
        print(f"not known: {' '.join(unknown) or '--last without --record'}")
        print(f"the suites are {' '.join(suite.name for suite in SUITES)}; the options are --record and --last")
        return 2
    suites = [suite for suite in SUITES if not wanted or suite.name in wanted]
    if "--last" in options:
        return 0 if all([names.record_last(suite) for suite in suites]) else 1

    check = names.record if "--record" in options else names.compare
    reports = lanes.run_all(suites, lambda suite: run(suite, check))
    failed = sum(len(report.problems) for report in reports.values())
    if not wanted and not options:
        problems = coverage.check({suite: reports[suite.name].passed for suite in suites})
        for problem in problems:
            print(f"!! {problem}")
        failed += len(problems)
    print()
    for name, report in sorted(reports.items(), key=lambda item: -item[1].seconds):
        print(f"{report.seconds:6.0f} s  {len(report.passed):5d} passed  {len(report.problems):3d} failed  {name}")
    # The closing line that every kind of CI can read.
    print(f"\n{sum(len(report.passed) for report in reports.values())} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
