"""What scripts/docs.py makes from a database, and the lines of docs/operations.md that move or remove one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "Tests/support")]
import docs  # noqa: E402
from parley import CLUSTER, Cluster  # noqa: E402


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as cluster:
        yield cluster


def database(cluster: Cluster, name: str) -> str:
    """The URL of another empty database of the same owner."""
    done = subprocess.run(
        [str(CLUSTER), "database", name], env={**os.environ, **cluster.environment}, check=True, capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_the_generated_documents_are_current(cluster):
    assert docs.main(["--check", cluster.owner_url]) == 0


def test_every_function_says_who_may_call_it_and_how_it_fails():
    text = (ROOT / "docs/api.md").read_text().split("\n## views")[0]
    sections = re.split(r"^### ", text, flags=re.M)[1:]
    assert len(sections) > 60
    for section in sections:
        assert re.search(r"^- for: (anon|authenticated|service_role|the owner alone)", section, re.M), section
        assert re.search(r"^- errors: \S", section, re.M), section
        assert re.search(r"```\n\n\S.*\.\n", section), f"no sentence says what it does: {section}"


def test_events_are_the_rows_of_the_catalogue(cluster):
    url = database(cluster, "catalogue")
    cluster.psql(
        """
        create schema parley;
        create table parley.event_kind (name text, audience text, durable boolean, payload text, since text);
        insert into parley.event_kind values
        ('message:new', 'conversation', true, 'message', '0.2.0'),
        ('typing:start', 'conversation', false, 'a | b', '0.2.0');
        """,
        url,
    )
    text = docs.events(docs.Database(url))
    assert "| `message:new` | conversation | yes | message | 0.2.0 |" in text
    assert "| `typing:start` | conversation | no | a \\| b | 0.2.0 |" in text


def test_limits_are_the_rows_of_the_catalogue(cluster):
    url = database(cluster, "limits")
    cluster.psql(
        """
        create schema parley;
        create table parley.tier as values ('free', 1, 'Answers.'), ('plus', 2, 'Starts.');
        alter table parley.tier rename column1 to name;
        alter table parley.tier rename column2 to rank;
        alter table parley.tier rename column3 to description;
        create table parley.tier_entitlement (name text, tier_name text, granted boolean);
        create table parley.tier_limit (name text, tier_name text, amount bigint, period_seconds bigint, burst bigint);
        insert into parley.tier_limit values ('sends', 'free', 30, 60, 120), ('size', 'plus', null, null, null);
        create table parley.limit_kind (name text, unit text, meaning text, default_amount bigint, doors text[]);
        insert into parley.limit_kind values
        ('sends', 'messages', 'Messages sent.', 10, '{send_message,forward_message}'),
        ('size', 'bytes', 'Size.', 5, '{}');
        """,
        url,
    )
    text = docs.limits(docs.Database(url))
    sends = "| `sends` | messages | Messages sent. | 10 | 30 in 60 s, 120 at once | default | send_message, "
    assert sends + "forward_message |" in text
    assert "| `size` | bytes | Size. | 5 | default | unlimited |  |" in text


def test_a_stale_document_is_found(cluster, monkeypatch, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "sql").symlink_to(ROOT / "sql")
    for name in ("api.md", "limits.md"):
        text = (ROOT / "docs" / name).read_text()
        (tmp_path / "docs" / name).write_text(text.replace("returns jsonb", "returns json", 1))
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    assert docs.main(["--check", cluster.owner_url]) == 1


def blocks(mark: str, language: str = "sql") -> str:
    """The one block of docs/operations.md that has these words in it."""
    page = (ROOT / "docs/operations.md").read_text()
    found = [text for text in re.findall(rf"^```{language}\n(.*?)^```$", page, re.S | re.M) if mark in text]
    assert len(found) == 1, found
    return found[0]


def test_a_backup_is_restored_and_a_database_uninstalled(cluster, tmp_path):
    restored = database(cluster, "restored")
    lines = [line for line in blocks("pg_dump", "").splitlines() if not line.startswith("createdb")]
    done = subprocess.run(
        ["bash", "-euc", "\n".join(lines).replace("sql/install.sql", str(ROOT / "sql/install.sql"))], cwd=tmp_path,
        env={**os.environ, "DATABASE_URL": cluster.owner_url, "RESTORED_URL": restored}, capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stderr
    count = "select count(*) from parley.setting"
    assert cluster.psql(count, restored) == cluster.psql(count)

    cluster.psql(blocks("drop schema"), restored)
    assert cluster.psql("select count(*) from pg_namespace where nspname like 'parley%'", restored).strip() == "0"
