"""The runner of the tests fails whenever not every recorded test has passed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from testing import coverage, lanes, names, suites  # noqa: E402
from testing import run as runner  # noqa: E402
from testing.reports import read_junit, read_plain, read_pytest, read_tap  # noqa: E402
from testing.suites import SUITES, Suite  # noqa: E402

PASSED = "ok - one\nok - two\n2 passed, 0 failed\n"


@pytest.fixture(autouse=True)
def tree(tmp_path, monkeypatch):
    """A tree of its own, with the names of a suite `some` in it."""
    monkeypatch.setattr(suites, "ROOT", tmp_path)
    for module in (suites, runner, names):
        monkeypatch.setattr(module, "OUTPUT", tmp_path / "output")
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    (tmp_path / "Tests/names").mkdir(parents=True)
    (tmp_path / "Tests/names/some.txt").write_text("one\ntwo\n")
    return tmp_path


def some(script: str, read=read_plain) -> Suite:
    return Suite("some", ["bash", "-c", script], read)


def problems_of(output: str, read=read_plain, ending: str = "", check=names.compare) -> list[str]:
    return runner.run(some(f"cat <<'END'\n{output.rstrip()}\nEND\n{ending}", read), check).problems


def test_what_is_recorded_and_passes_is_no_problem():
    assert problems_of(PASSED) == []


def test_a_vanished_test_fails_by_name():
    assert problems_of("ok - one\n1 passed, 0 failed") == ["did not run, though it is in some.txt: two"]


def test_an_unrecorded_test_fails_by_name():
    (problem,) = problems_of("ok - one\nok - two\nok - three\n3 passed, 0 failed")
    assert problem.startswith("is not in some.txt") and problem.endswith(": three")


def test_a_suite_without_a_list_fails(tree):
    (tree / "Tests/names/some.txt").unlink()
    assert len(problems_of(PASSED)) == 2


def test_a_failed_test_fails_by_name():
    assert problems_of("ok - one\nnot ok - two\n1 passed, 1 failed") == ["failed: two"]


def test_an_exit_code_fails():
    assert problems_of(PASSED, ending="exit 3") == ["exit code 3"]


def test_a_suite_without_its_cluster_fails(monkeypatch):
    monkeypatch.setattr(runner, "CLUSTER", "false")
    suite = Suite("some", ["true"], read_plain, cluster=True)
    assert any("'start'" in problem for problem in runner.run(suite, names.compare).problems)


def test_a_suite_beyond_its_time_fails_and_nothing_of_it_is_left(tree):
    began = time.monotonic()
    script = "(sleep 4; touch left) & trap 'touch told; exit' TERM; sleep 60 & wait"
    report = runner.run(some(script), names.compare, time_limit=1)
    assert "not finished after 1 s" in report.problems and time.monotonic() - began < 30
    time.sleep(4)
    assert (tree / "told").exists() and not (tree / "left").exists()


@pytest.mark.parametrize("closing", ["", "1 passed, 0 failed", "2 passed, 1 failed", "2 passed, 0 failed\n2 passed, 0 failed"])
def test_a_closing_line_that_is_missing_or_says_otherwise_fails(closing):
    assert len(problems_of(f"ok - one\nok - two\n{closing}")) == 1


TAP = "some.sql ..\nok 1 - one\n{}\n1..2\nok\nAll tests successful.\nResult: PASS\n"


def test_tap():
    report = read_tap(TAP.format("ok 2 - it is \\#2"), None)
    assert report.passed == ["some.sql::one", "some.sql::it is \\#2"] and report.problems == []


@pytest.mark.parametrize("line", [
    "ok 2 # skip", "ok 2 # SKIP not today", "ok 2 - two # skip", "ok 2 - two # TODO later", "not ok 2 - two # TODO later",
    "not ok 2 - two", "not ok 2", "1..0 # SKIP", "1..0", "Bail out!",
])
def test_tap_that_skips_or_fails(line):
    assert len(read_tap(TAP.format(line), None).problems) == 1


def test_tap_without_its_end():
    assert read_tap("some.sql ..\nok 1 - one\n", None).problems == ["no closing line of a passed run"]


CASES = '<testsuites><testsuite><testcase classname="Tests.x.test_y" name="test_z[1]">{}</testcase></testsuite></testsuites>'


@pytest.mark.parametrize("inside, problems", [
    ("", []), ("<skipped/>", ["skipped: Tests/x/test_y.py::test_z[1]"]),
    ("<failure/>", ["failed: Tests/x/test_y.py::test_z[1]"]), ("<error/>", ["failed: Tests/x/test_y.py::test_z[1]"]),
])
def test_junit(tree, inside, problems):
    (tree / "some.xml").write_text(CASES.format(inside))
    report = read_pytest("", tree / "some.xml")
    assert report.ran == ["Tests/x/test_y.py::test_z[1]"] and report.problems == problems


def test_junit_that_is_missing_or_cut_short(tree):
    (tree / "some.xml").write_text("<testsuites>")
    for file in ("none.xml", "some.xml"):
        (problem,) = read_junit(tree / file, lambda case: "").problems
        assert problem.startswith(f"no report in {file}")


def test_the_report_of_an_earlier_run_is_not_read(tree):
    (tree / "output").mkdir()
    (tree / "output/some.xml").write_text(CASES.format(""))
    assert any(problem.startswith("no report in some.xml") for problem in problems_of("", read_pytest))


def test_names_that_stand_twice_are_numbered():
    assert read_plain("ok - a\nok - b\nok - a\n3 passed, 0 failed\n", None).passed == ["a", "b", "a (2)"]


def test_recording(tree):
    assert problems_of("ok - two\nok - three\n2 passed, 0 failed", check=names.record) == []
    assert (tree / "Tests/names/some.txt").read_text() == "three\ntwo\n"


@pytest.mark.parametrize("output, ending", [
    ("ok - one\n1 passed, 0 failed", "exit 1"), ("ok - three\nnot ok - one\n1 passed, 1 failed", ""),
    ("ok - of 3d6a14b2-8f90-473f-879a-813a17c82fd7\n1 passed, 0 failed", ""),
], ids=["exit code", "failure", "random name"])
def test_a_run_that_did_not_pass_or_has_random_names_is_not_recorded(tree, output, ending):
    assert problems_of(output, ending=ending, check=names.record)[-1] == "not recorded in some.txt: the suite did not pass"
    assert (tree / "Tests/names/some.txt").read_text() == "one\ntwo\n"


def test_the_last_run_is_recorded_without_another(tree):
    assert not names.record_last(some(""))
    assert len(problems_of("ok - three\n1 passed, 0 failed")) == 3
    assert names.record_last(some(""))
    assert (tree / "Tests/names/some.txt").read_text() == "three\n"


@pytest.mark.parametrize("tests, problem", [
    ("Tests/a.sql::one", None), ("Tests/b.py::test_b", None), ("Tests/Core/c.swift::c", None),
    ("Tests/sql/isolation/d.spec::one,two", None), ("Tests/e.sh::one", None),
    ("Tests/a.sql", "whole file"), ("Tests/a.sql::", "whole file"), ("Tests/a.sql::two", "did not pass"),
    ("Tests/gone.sql::one", "no file"), ("Tests/a.sql::one ; Tests/b.py", "whole file"),
    ("Tests/Core/c.swift::d", "did not pass"), ("Tests/sql/isolation/d.spec::two,one", "did not pass"),
])
def test_coverage_rows_name_tests_that_passed(tree, tests, problem):
    for file in ("Tests/a.sql", "Tests/b.py", "Tests/Core/c.swift", "Tests/sql/isolation/d.spec", "Tests/e.sh"):
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        (tree / file).write_text("func c(")
    (tree / "Tests/coverage.tsv").write_text(f"requirement\twhat\tby\tproved by\nR001\tall\tsql\t{tests}\n")
    ran = {"sql": ["Tests/a.sql::one"], "conformance": ["Tests/b.py::test_b[1]"], "swift": ["Core.Of/c(n:)"], "isolation": ["d/one,two"]}
    passed = {suite: ran.get(suite.name, []) for suite in SUITES} | {Suite("e", ["bash", "Tests/e.sh"], read_plain): ["one"]}
    found = coverage.check(passed)
    assert len(found) == (problem is not None) and all(problem in line for line in found)


def test_suites_that_disturb_each_other_wait_for_each_other():
    together, most = set(), 0

    def run(suite):
        nonlocal most
        assert all(lanes.may_run_beside(suite, other) for other in together)
        together.add(suite)
        most = max(most, len(together))
        time.sleep(0.02)
        together.remove(suite)
        return suite.name

    assert lanes.run_all(SUITES, run) == {suite.name: suite.name for suite in SUITES}
    assert most == lanes.LANES
    building = [suite for suite in SUITES if suite.kind == "build"]
    timed = [suite for suite in SUITES if suite.kind == "timed"]
    assert len(building) == 3 and not lanes.may_run_beside(building[0], building[1])
    assert not lanes.may_run_beside(building[0], timed[0]) and lanes.may_run_beside(timed[0], timed[1])
