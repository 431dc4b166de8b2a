"""Jobs while workers and Postgres die: each scheduled message is sent once, in its order, and one bad job is one bad job."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from parley import Cluster, Worker
from waiting import until

AUTHORS = 6
EACH = 250


def sent(cluster: Cluster) -> int:
    return int(cluster.psql("select count(*) from parley.scheduled_message where status = 'sent'"))


def schedule_many(cluster: Cluster, worker: Worker, seconds: int) -> dict[str, str]:
    """Messages 1 to EACH of every author, due at once and in that order: the conversation of each author."""
    cluster.psql("update parley.tier_limit set amount = null where period_seconds is not null or name = 'max_scheduled_messages'")
    conversations = {}
    for n in range(AUTHORS):
        author, reader = cluster.account(f"author {n}"), cluster.account(f"reader {n}")
        conversation = worker.rpc("start_conversation", worker.token(author), participant_ids=[reader])["id"]
        cluster.psql(f"""
            begin;
            select set_config('request.jwt.claims', '{{"sub": "{author}", "role": "authenticated"}}', true);
            select count(parley_api.schedule_message(
                '{conversation}', n::text, (now() + make_interval(secs => {seconds}, mins => 0) + n * interval '1 microsecond')::text
            )) from generate_series(1, {EACH}) n;
            commit""")
        conversations[author] = conversation
    return conversations


def check(cluster: Cluster, conversations: dict[str, str]) -> None:
    """Everything is sent, once, as its author, in order; the author was told once of each."""
    for author, conversation in conversations.items():
        rows = [line.split("|") for line in cluster.psql(
            f"select seq, content, sender_id, id from parley.message where conversation_id = '{conversation}' order by seq"
        ).splitlines()]
        assert [(int(seq), content, sender) for seq, content, sender, _ in rows] == [
            (n, str(n), author) for n in range(1, EACH + 1)
        ]
        recorded = cluster.psql(
            f"select message_id from parley.scheduled_message where conversation_id = '{conversation}' and status = 'sent' order by send_at"
        ).splitlines()
        assert recorded == [message for *_, message in rows]
        told = cluster.psql(
            f"select count(*) from parley.event where user_id = '{author}' and data ->> 'status' = 'sent'"
        )
        assert int(told) == EACH


def test_kill_9_of_one_of_two_workers_in_the_middle_of_a_run():
    with Cluster() as cluster, Worker(cluster, "--log-level", "warning") as one, Worker(cluster, "--log-level", "warning") as two:
        conversations = schedule_many(cluster, one, 3)
        total = AUTHORS * EACH
        # Each of them dies in turn, at a quarter, at half and at three quarters of the work.
        for share, victim in ((0.25, one), (0.5, two), (0.75, one)):
            until(lambda: sent(cluster) >= total * share)
            victim.kill9()
            assert sent(cluster) < total, "it was too late to disturb anything"
            victim.start()
        until(lambda: sent(cluster) == total)
        check(cluster, conversations)


def test_kill_9_of_postgres_in_the_middle_of_a_run():
    with Cluster() as cluster, Worker(cluster, "--log-level", "error") as one, Worker(cluster, "--log-level", "error"):
        conversations = schedule_many(cluster, one, 3)
        total = AUTHORS * EACH
        until(lambda: sent(cluster) >= total / 3)
        cluster.command("kill9")
        cluster.command("restart")
        assert 0 < sent(cluster) < total
        until(lambda: sent(cluster) == total, 60)
        check(cluster, conversations)


def test_what_came_due_while_nobody_ran_is_sent_at_once():
    with Cluster() as cluster, Worker(cluster, "--log-level", "warning") as worker:
        conversations = schedule_many(cluster, worker, 12)
        worker.stop()
        assert sent(cluster) == 0
        until(lambda: cluster.psql("select max(send_at) < now() from parley.scheduled_message") == "t")
        assert sent(cluster) == 0
        worker.start()
        until(lambda: sent(cluster) > 0, 5)
        until(lambda: sent(cluster) == AUTHORS * EACH)
        check(cluster, conversations)


@pytest.fixture
def bad_jobs():
    """A cluster whose jobs sleep, fail and are missing, each for itself."""
    with Cluster() as cluster:
        cluster.psql("""
            create function parley.sleepy() returns boolean language sql security definer
            set search_path = pg_catalog, pg_temp as 'select pg_sleep(4) is null';
            create function parley.failing() returns boolean language plpgsql security definer
            set search_path = pg_catalog, pg_temp as $$ begin raise exception 'no text of this may be kept'; end $$;
            insert into parley.job (name, period_seconds, description) values
            ('sleepy', 3600, 'x'), ('failing', 1, 'x'), ('missing', 1, 'x')""")
        yield cluster


def test_a_slow_job_and_failing_ones_hold_up_no_other(bad_jobs):
    cluster = bad_jobs
    with Worker(cluster, "--log-level", "warning") as worker:
        author, reader = cluster.account("Ann"), cluster.account("Bob")
        conversation = worker.rpc("start_conversation", worker.token(author), participant_ids=[reader])["id"]
        due = datetime.now(timezone.utc) + timedelta(seconds=1)
        worker.rpc("schedule_message", worker.token(author), conversation_id=conversation, content="on time", send_at=due.isoformat())
        until(lambda: sent(cluster) == 1, 10)
        late = (datetime.now(timezone.utc) - due).total_seconds()
        assert late < 3.5, f"it was sent {late} s late"
        assert cluster.psql("select last_ok_at is null from parley.job where name = 'sleepy'") == "t", "the slow one was not slow"
        until(lambda: cluster.psql("select failures >= 3 from parley.job where name = 'failing'") == "t")
        codes = cluster.psql("select name, last_error_code from parley.job where failures > 0 order by 1").splitlines()
        assert codes == ["failing|P0001", "missing|42883"]
        # put off longer each time, and told of, without a word of what went wrong
        assert cluster.psql("select next_run_at - last_error_at > interval '7 seconds' from parley.job where name = 'failing'") == "t"
        assert '"job":"failing"' in worker.output() and "no text of this" not in worker.output()
        until(lambda: cluster.psql("select last_ok_at is not null from parley.job where name = 'sleepy'") == "t")


def test_a_stop_waits_for_the_job_that_runs(bad_jobs):
    cluster = bad_jobs
    with Worker(cluster, "--log-level", "warning") as worker:
        until(lambda: cluster.psql(
            "select count(*) from pg_stat_activity where query like '%run_job%' and wait_event = 'PgSleep'", cluster.superuser_url) == "1")
        assert worker.stop() == 0
        assert cluster.psql("select last_ok_at is not null from parley.job where name = 'sleepy'") == "t"
