"""The committed names of the tests, Tests/names/<suite>.txt: sorted, one a line."""

from __future__ import annotations

import re

from testing.reports import Report
from testing.suites import OUTPUT, Suite

# A name that is another one in the next run cannot be recorded.
RANDOM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|0x[0-9a-f]{6,}")


def recorded(suite: Suite) -> list[str]:
    return suite.names.read_text().splitlines() if suite.names.exists() else []


def keep(suite: Suite, report: Report) -> bool:
    """Keeps the names for `--record --last`, if the suite has passed; the names of a run cut short are not all names."""
    file = OUTPUT / f"{suite.name}.txt"
    file.unlink(missing_ok=True)
    if not report.problems:
        file.write_text("".join(f"{name}\n" for name in sorted(report.ran)))
    return not report.problems


def compare(suite: Suite, report: Report) -> None:
    keep(suite, report)
    there, ran = set(recorded(suite)), set(report.ran)
    report.problems += [f"did not run, though it is in {suite.names.name}: {name}" for name in sorted(there - ran)]
    report.problems += [
        f"is not in {suite.names.name} (scripts/test.py --record {suite.name}): {name}" for name in sorted(ran - there)
    ]


def record(suite: Suite, report: Report) -> None:
    report.problems += [f"a name that changes from run to run: {name}" for name in report.ran if random(name)]
    if keep(suite, report):
        record_last(suite)
    else:
        report.problems.append(f"not recorded in {suite.names.name}: the suite did not pass")


def random(name: str) -> bool:
    # Such as 22222222-2222-..., which a test has chosen.
    return any(len(set(found.replace("-", ""))) > 4 for found in RANDOM.findall(name))


def record_last(suite: Suite) -> bool:
    file = OUTPUT / f"{suite.name}.txt"
    if not file.exists():
        print(f"{suite.name} has no run that passed since it was recorded last; run it first")
        return False
    before, names = set(recorded(suite)), file.read_text()
    now = set(names.splitlines())
    suite.names.write_text(names)
    for sign, changed in (("-", before - now), ("+", now - before)):
        for name in sorted(changed):
            print(f"{sign} {suite.names.name}: {name}")
    print(f"{suite.names.name}: {len(now)} tests recorded")
    return True
