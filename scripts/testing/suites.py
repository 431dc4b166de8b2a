"""The suites: commands, the shape of their reports, and which may run beside each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from testing.reports import Report, read_plain, read_pytest, read_swift, read_tap

ROOT = Path(__file__).resolve().parents[2]
PYTHON = str(ROOT / ".venv" / "bin" / "python")
# Of each suite: .build/test/<suite>.log, .xml and, once it has passed, .txt with the names of its tests.
OUTPUT = ROOT / ".build" / "test"


@dataclass(frozen=True, eq=False)
class Suite:
    name: str
    command: list[str]
    read: Callable[[str, Path], Report]
    # A list of names that suites share: the same tests, built otherwise.
    list_name: str = ""
    # Suites against Postgres get a cluster of their own, with Parley installed.
    cluster: bool = False
    # "build" fills the machine with compilers and instrumented code; "timed" has tests that watch the clock.
    kind: str = ""

    @property
    def names(self) -> Path:
        return ROOT / "Tests" / "names" / f"{self.list_name or self.name}.txt"

    @property
    def junit(self) -> Path:
        return OUTPUT / f"{self.name}.xml"


def shell(name: str, script: str, *arguments: str, read=read_plain, **rest) -> Suite:
    return Suite(name, ["bash", script, *arguments], read, **rest)


def python(name: str, **rest) -> Suite:
    options = ["-q", f"--junitxml={OUTPUT / name}.xml"]
    return Suite(name, [PYTHON, "-m", "pytest", *options, f"Tests/{name}"], read_pytest, **rest)


def swift(name: str, command: list[str]) -> Suite:
    command = [*command, "--xunit-output", str(OUTPUT / f"{name}.xml")]
    return Suite(name, command, read_swift, list_name="swift", cluster=True, kind="build")


# In the order in which they start: the long ones of each kind first, so that the short ones fill the gaps.
SUITES = [
    shell("lint", "scripts/lint.sh"),
    python("runner"),
    python("docs"),
    swift("swift", ["swift", "test", "--disable-xctest", "--no-parallel"]),
    shell("sql-lint", "Tests/sql/lint.sh"),
    shell("sql", "Tests/sql/tap.sh", read=read_tap, cluster=True),
    shell("sql-contrib", "Tests/sql/tap.sh", "Tests/sql/contrib/push_sealing.sql", read=read_tap, cluster=True),
    shell("sql-scans", "Tests/sql/scans.sh", read=read_tap),
    swift("swift-thread-sanitizer", ["bash", "scripts/sanitize.sh", "thread"]),
    python("property"),
    swift("swift-address-sanitizer", ["bash", "scripts/sanitize.sh", "address"]),
    shell("isolation", "Tests/sql/isolation.sh"),
    python("web", kind="timed"),
    python("conformance", kind="timed"),
    python("push", kind="timed"),
    python("client", kind="timed"),
    shell("sql-doors", "Tests/sql/doors.sh"),
    python("chaos", kind="timed"),
    python("scenarios", kind="timed"),
    python("fuzz", kind="timed"),
]
