"""The line in the server's log that an entry of the audit log brings at once."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from parley import Cluster


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as cluster:
        yield cluster


def test_a_power_that_is_used_and_rolled_back_stays_in_the_log_of_the_server(cluster):
    conversation = uuid.uuid4()
    cluster.psql(
        "begin; select parley.audit('conversation_as_of', 'a secret reason', 'moderator',"
        f" conversation_id => '{conversation}', detail => '{{\"as\": \"a secret detail\"}}'); rollback")
    assert cluster.psql(f"select count(*) from parley.audit_log where conversation_id = '{conversation}'") == "0"
    log = (Path(cluster.environment["PARLEY_TEST_CLUSTER"]) / "log").read_text()
    lines = [line for line in log.splitlines() if str(conversation) in line and "STATEMENT" not in line]
    assert len(lines) == 1 and "parley audit: conversation_as_of by" in lines[0], lines
    assert "secret" not in lines[0]


def test_ids_are_hashed_where_the_setting_says_so(cluster):
    conversation = uuid.uuid4()
    cluster.psql("update parley.setting set value = 'hashed' where name = 'log_ids'")
    cluster.psql(f"select parley.audit('peek', 'a reason', 'moderator', conversation_id => '{conversation}')")
    hashed = cluster.psql(f"select parley.log_id('{conversation}')")
    log = (Path(cluster.environment["PARLEY_TEST_CLUSTER"]) / "log").read_text()
    lines = [line for line in log.splitlines() if "parley audit: peek" in line]
    assert len(lines) == 1 and hashed in lines[0] and str(conversation) not in lines[0], lines
    cluster.psql(f"""do $$ begin
        perform parley.refuse_spam('{conversation}', '{conversation}', 1, array['links'], '{{}}', 7);
    exception when sqlstate 'PT422' then null; end $$""")
    log = (Path(cluster.environment["PARLEY_TEST_CLUSTER"]) / "log").read_text()
    lines = [line for line in log.splitlines() if "refused as spam" in line]
    assert len(lines) == 1 and lines[0].count(hashed) == 2 and str(conversation) not in lines[0], lines
