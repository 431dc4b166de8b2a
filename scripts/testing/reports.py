"""What a suite ran, read from its report: the names of the tests and what went wrong."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


# `ok 1 - name # skip why`; a # that belongs to the name is written \\#.
TAP_LINE = re.compile(
    r"^\s*(?P<refused>not )?ok \d+(?: -)?(?P<name>.*?)(?P<directive>(?<!\\)#\s*(?:skip|todo)\b.*)?$", re.I
)


@dataclass
class Report:
    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0

    @property
    def ran(self) -> list[str]:
        return self.passed + self.failed

    def fail(self, name: str, why: str) -> None:
        self.failed.append(name)
        self.problems.append(f"{why}: {name}")


class Numbered:
    """The second test of a name is `name (2)`, the third `name (3)`: in the order in which they ran."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def __call__(self, name: str) -> str:
        self.seen[name] += 1
        return name if self.seen[name] == 1 else f"{name} ({self.seen[name]})"


def read_junit(path: Path, name_of) -> Report:
    report, numbered = Report(), Numbered()
    try:
        cases = list(ElementTree.parse(path).iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        return Report(problems=[f"no report in {path.name}: {error}"])
    for case in cases:
        name = numbered(name_of(case))
        if case.find("failure") is not None or case.find("error") is not None:
            report.fail(name, "failed")
        elif case.find("skipped") is not None:
            report.fail(name, "skipped")
        else:
            report.passed.append(name)
    return report


def read_swift(output: str, junit: Path) -> Report:
    """Names are `Module.Suite/function(labels:)`."""
    report = read_junit(junit, lambda case: f"{case.get('classname')}/{case.get('name')}")
    if not re.search(r"Test run with \d+ tests? .*passed", output):
        report.problems.append("no closing line of a passed run")
    return report


def read_pytest(output: str, junit: Path) -> Report:
    """Names are `path::function[parameters]`."""
    return read_junit(junit, lambda case: f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}")


def read_tap(output: str, _: Path) -> Report:
    """Names are `path::description`; the files are announced by pg_prove."""
    report, numbered, file = Report(), Numbered(), ""
    for line in output.splitlines():
        if found := re.match(r"^(\S+\.sql) \.\.", line):
            file = found.group(1)
        elif re.match(r"^\s*1\.\.0\b", line) or line.startswith("Bail out!"):
            report.problems.append(f"{file}: {line.strip()}")
        elif found := TAP_LINE.match(line):
            name = numbered(f"{file}::{found['name'].strip()}")
            if found["directive"]:
                report.fail(name, "skipped")
            elif found["refused"]:
                report.fail(name, "failed")
            else:
                report.passed.append(name)
    if not re.search(r"^Result: PASS", output, re.M):
        report.problems.append("no closing line of a passed run")
    return report


def read_plain(output: str, _: Path) -> Report:
    """Lines `ok - name` and `not ok - name`, closed by `N passed, M failed`."""
    report, numbered = Report(), Numbered()
    for refused, name in re.findall(r"^(not )?ok - (.+)$", output, re.M):
        if refused:
            report.fail(numbered(name), "failed")
        else:
            report.passed.append(numbered(name))
    closing = re.findall(r"^(\d+) passed, (\d+) failed$", output, re.M)
    if len(closing) != 1:
        report.problems.append(f"{len(closing)} closing lines `N passed, M failed`, one wanted")
    elif (int(closing[0][0]), int(closing[0][1])) != (len(report.passed), len(report.failed)):
        report.problems.append("the closing line and the tests listed disagree")
    return report
