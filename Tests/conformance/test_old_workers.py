"""A worker and a database that has had a migration which the worker must know, and does not."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from parley import ROOT, Cluster, Worker


@pytest.fixture
def newer(tmp_path):
    """The SQL of a later release, whose only news is a breaking migration."""
    for part in ("sql", "policies", "scripts"):
        shutil.copytree(ROOT / part, tmp_path / part)
    (tmp_path / "sql/migrations/9000_breaking.sql").write_text("--! breaking\ncomment on schema parley is 'newer';\n")
    subprocess.run([tmp_path / "scripts/manifest.sh"], check=True)
    return tmp_path / "sql/install.sql"


def test_an_old_worker_ends_and_does_not_start_again(newer):
    with Cluster() as cluster, Worker(cluster) as worker:
        subprocess.run(["psql", "-Xq", "-d", cluster.owner_url, "-f", newer], check=True, env={**os.environ, "PGOPTIONS": ""})
        # It learns of it with its next sign of life.
        assert worker.process.wait(40) == 1
        said = worker.output()
        assert "needs a worker with migration 9000_breaking" in said
        worker.start(wait=False)
        assert worker.process.wait(20) == 1
        assert "needs a worker with migration 9000_breaking" in worker.output()[len(said):]
        cluster.psql("delete from parley.migration where breaking")
        worker.start()
