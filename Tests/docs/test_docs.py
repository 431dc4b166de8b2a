"""The documents name files, flags and functions that exist, and keep the form they promise."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import docs  # noqa: E402

PAGES = sorted([*ROOT.glob("docs/*.md"), *(ROOT / f for f in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))])
FOLDERS = ("sql", "Sources", "Tests", "scripts", "docs", "policies", "Examples", "Benchmarks", "Clients")
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]


def prose(page: Path) -> str:
    """Without blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.S | re.M)


def anchors(page: Path) -> set[str]:
    """Anchors as the usual renderers make them from headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere(name):
    page, broken = ROOT / name, []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("name", NAMES)
def test_every_path_exists(name):
    text = re.sub(r"\]\([^)]*\)", "]", (ROOT / name).read_text())
    paths = re.findall(rf"(?<![\w./<*-])((?:{'|'.join(FOLDERS)})/[\w./+<>*-]*)", text)
    missing = [
        path for path in paths if not re.search(r"[<>*]|NNNN", path) and not (ROOT / path.rstrip(".")).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_a_flag_of_the_program(name):
    sources = "\n".join(file.read_text() for file in (ROOT / "Sources").rglob("*.swift"))
    # A property of the components looks like a flag.
    styles = "\n".join(file.read_text() for file in (ROOT / "Clients/javascript").rglob("*.js"))
    flags = re.findall(r"`--([a-z-]+)`", prose(ROOT / name))
    assert [flag for flag in flags if f'"{flag}"' not in sources and f"var(--{flag}," not in styles] == []


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("docs/adding.md", "docs/api.md")])
def test_every_function_and_table_exists(name):
    text = (ROOT / name).read_text()
    exposed = {*re.findall(r"^### (\w+)$", (ROOT / "docs/api.md").read_text(), re.M)}
    unknown = [word for word in re.findall(r"\bparley_api\.([a-z_]+)", text) if word not in exposed]
    sql = "\n".join(file.read_text() for file in (ROOT / "sql").rglob("*.sql"))
    for word in re.findall(r"(?<![\w./])parley\.([a-z_]+)", text):
        if word not in ("dump", "control") and not re.search(rf"\bparley\.{word}\b", sql):
            unknown.append(word)
    assert unknown == []


def test_the_way_of_a_message_is_twelve_files_at_most():
    text = (ROOT / "docs/architecture.md").read_text()
    section = text.split("## A message from frame to socket")[1].split("\n## ")[0]
    stops = re.findall(r"^\d+\. \[([^\]]+)\]\(\.\./([^)]+)\): \S", section, re.M)
    assert 2 <= len(stops) <= 12
    assert len(stops) == len(re.findall(r"^\d+\. ", section, re.M))
    assert [stop for stop in stops if stop[0] != stop[1] or not (ROOT / stop[0]).is_file()] == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_licence_is_named():
    for file in ("README.md", "Package.swift", "parley.control", "LICENSE"):
        assert "SPDX-License-Identifier: Apache-2.0" in (ROOT / file).read_text(), file


# How scripts/docs.py finds the errors of a function.


def function(name: str, source: str) -> dict:
    return {"schema": "parley", "name": name, "source": source}


def test_errors_come_through_calls():
    found = docs.errors([
        function("low", "begin raise exception using errcode = 'PT404', message = 'no'; end"),
        function("middle", "begin perform parley.low(); raise exception using errcode = 'PT400', hint = 'x'; end"),
        function("high", "begin return parley.middle(1); end"),
        function("alone", "begin return 1; -- parley.low()\nend"),
    ])
    assert found == {"low": {"PT404"}, "middle": {"PT400", "PT404"}, "high": {"PT400", "PT404"}, "alone": set()}


def test_errors_of_a_circle_end():
    found = docs.errors([
        function("one", "begin perform parley.two(); end"),
        function("two", "begin perform parley.one(); raise exception using errcode = 'PT409'; end"),
    ])
    assert found == {"one": {"PT409"}, "two": {"PT409"}}


def test_a_choice_of_codes_counts_as_each():
    source = "raise exception using errcode = case when x then 'PT400' else 'PT403' end, message = 'ABCDE';"
    assert docs.raised(source) == {"PT400", "PT403"}


def test_an_error_that_is_caught_stays_inside():
    low = function("low", "raise exception using errcode = 'PT404', message = 'no';")
    some = """begin
        begin perform parley.low(); exception when sqlstate 'PT404' then x := null; end;
        raise exception using errcode = 'PT413', message = 'big';
    end"""
    other = "begin begin perform parley.low(); exception when sqlstate 'PT409' then x := null; end; end"
    every = """begin
        begin perform parley.low(); exception when others then raise exception using errcode = 'PT400'; end;
    end"""
    found = docs.errors([low, function("some", some), function("other", other), function("every", every)])
    assert found["some"] == {"PT413"}
    assert found["other"] == {"PT404"}
    assert found["every"] == {"PT400"}


def table(path: str) -> list[str]:
    lines = (ROOT / path).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")][1:]


def test_the_access_matrix_meets_no_other_error():
    """Whatever a function was seen to refuse with stands among its errors."""
    text = (ROOT / "docs/api.md").read_text()
    sections = re.findall(r"^### (\w+)$.*?^- errors: (.*?)$", text, re.S | re.M)
    known = {name: codes.split(", ") for name, codes in sections}
    rules = [line.split("\t") for line in table("Tests/sql/access/rules.tsv")]
    seen, unknown = 0, set()
    for line in table("Tests/sql/access/matrix.tsv"):
        call, *cells = line.split("\t")
        outcomes = next((rule[1] for rule in rules if re.match(rule[0], call)), "")
        name = call.split("(")[0]
        for code in re.findall(r"PT\d{3}", " ".join([outcomes, *cells[2:]])):
            seen += 1
            if code not in known.get(name, [code]):
                unknown.add((name, code))
    assert seen > 500 and unknown == set()
