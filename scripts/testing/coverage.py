"""Tests/coverage.tsv names the tests that prove each requirement; each of them must have passed in this very run.

A test is `path::name`: the description of a TAP test, the line of a script, the permutation of an isolation spec
(`Tests/sql/isolation/pair.spec::step,step`), the function of a Swift or Python test (which stands for all its parameters).
"""

from __future__ import annotations

import re

from testing import suites
from testing.reports import read_plain, read_swift
from testing.suites import Suite


def names_of(suite: Suite, passed: list[str]) -> set[str]:
    """The names as coverage rows write them; of Swift tests `Module::function`."""
    if suite.name == "isolation":
        return {re.sub(r"^([^/]+)/", r"Tests/sql/isolation/\1.spec::", name) for name in passed}
    if suite.read is read_plain:
        return {f"{suite.command[1]}::{name}" for name in passed}
    if suite.read is read_swift:
        return {re.sub(r"^(\w+)[^/]*/(\w+|`[^`]+`).*$", r"\1::\2", name) for name in passed}
    return set(passed) | {name.partition("[")[0] for name in passed if ".py::" in name}


def problem_with(test: str, names: set[str]) -> str | None:
    path, _, name = test.partition("::")
    if not (suites.ROOT / path).is_file():
        return f"{path} is no file"
    if not name:
        return f"{test} is a whole file; name the test in it that proves the requirement"
    if path.endswith(".swift"):
        module = path.split("/")[1]
        ran = f"{module}::{name}" in names and f"func {name}(" in (suites.ROOT / path).read_text()
    else:
        ran = test in names
    return None if ran else f"{test} did not pass, or there is no such test"


def check(passed: dict[Suite, list[str]]) -> list[str]:
    names = {name for suite, tests in passed.items() for name in names_of(suite, tests)}
    problems, seen = [], set()
    rows = (suites.ROOT / "Tests/coverage.tsv").read_text().splitlines()
    for number, row in enumerate(rows[1:], 2):
        columns = row.split("\t")
        if len(columns) != 4 or not re.fullmatch(r"R\d{3}", columns[0]):
            problems.append(f"coverage.tsv:{number}: wants four columns: requirement, what it asks, done by, proved by")
            continue
        if columns[0] in seen:
            problems.append(f"coverage.tsv:{number}: {columns[0]} stands twice")
        seen.add(columns[0])
        for test in columns[3].split(" ; "):
            if problem := problem_with(test, names):
                problems.append(f"coverage.tsv:{number}: {problem}")
    print(f"\n== coverage: {len(seen)} requirements have a row, {len(problems)} problems", flush=True)
    return problems
