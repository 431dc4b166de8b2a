"""Does a database that nobody has analyzed get slower with its messages?

    make bench-fresh              (PARLEY_BENCH_SECONDS=3 for a quick look)

Four states, each without autovacuum: a fresh database; one whose messages are all of last month, so that this month's
partition is empty and known to be; one into which many messages were just imported; one whose statistics say that there
is nothing, and then that there is a lot of nothing. In each, 500 users in pairs send 500 and 1,000 messages/s in
successive runs through the worker. Printed are the medians of the runs, and how many entries of tables and indexes the
database read for each message, which does not depend on what else the machine does.
Promise: the last run reads at most 1.25 times as much for each message as the first, and its median is at most 3 times.
"""

from __future__ import annotations

import os
from pathlib import Path

from lib.bench import Verdict, loadgen, spec_file
from lib.pairs import our_sockets, our_worker
from parley import Cluster

RATES, RUNS = (500, 1000), 4
SECONDS = int(os.environ.get("PARLEY_BENCH_SECONDS", "6"))
IMPORTED = 100_000

TABLES = """
select c.relname, pg_stat_get_tuples_returned(c.oid)
from pg_class c where c.relnamespace = 'parley'::regnamespace and c.relkind in ('r', 'i')
"""
# Groups of ten messages each, written at a moment.
IMPORT = """
with made as (
    insert into parley.conversation (id, last_seq, last_event_seq)
    select gen_random_uuid(), 10, 10 from generate_series(1, {groups}) returning id
), profiles as (
    insert into parley.conversation_profile (conversation_id, type) select id, 'group' from made
), members as (
    insert into parley.participant (conversation_id, user_id)
    select m.id, a.id from made m cross join (select id from parley.account order by id limit 2) a
), messages as (
    insert into parley.message (id, conversation_id, seq, sender_id, created_at, type, content)
    select parley.uuid_v7({at}), m.id, n, (select min(id::text)::uuid from parley.account), {at}, 'text', 'imported'
    from made m, generate_series(1, 10) n
    returning id, conversation_id, seq, sender_id
)
insert into parley.event (conversation_id, event_seq, message_seq, message_id, actor_id, kind)
select conversation_id, seq, seq, id, sender_id, 'message:new' from messages
"""


def read_entries(cluster: Cluster) -> dict[str, int]:
    # A backend reports at most once a second, and when it falls silent.
    cluster.psql("select pg_sleep(1.5)")
    rows = cluster.psql(TABLES, cluster.superuser_url).splitlines()
    return {name: int(count) for name, count in (row.split("|") for row in rows)}


def lie(cluster: Cluster, rows: str, pages: int) -> None:
    cluster.psql(
        f"update pg_class set reltuples = {rows}, relpages = {pages} where relnamespace = 'parley'::regnamespace and relkind in ('r', 'i')",
        cluster.superuser_url,
    )


def prepare(cluster: Cluster, state: str) -> None:
    """Before the worker starts; its users are there already."""
    groups = IMPORTED // 10
    if state == "a new month":
        cluster.psql(IMPORT.format(groups=groups, at="date_trunc('month', now()) - interval '10 days'"))
        cluster.psql("vacuum analyze", cluster.superuser_url)
    elif state == "an import":
        cluster.psql(IMPORT.format(groups=groups, at="now()"))
    elif state == "statistics of nothing":
        lie(cluster, "1", 1)
    elif state == "statistics of empty pages":
        lie(cluster, "1", 10_000)


def main() -> None:
    verdict = Verdict(f"medians of successive runs of {SECONDS} s, and entries read for each message")
    for state in ("a fresh database", "a new month", "an import", "statistics of nothing", "statistics of empty pages"):
        with Cluster("--fsync", "--set", "autovacuum=off") as cluster:
            cluster.superuser_url = cluster.superuser_url.rsplit("/", 1)[0] + "/" + cluster.psql("select current_database()")
            with our_worker(cluster) as worker:
                sockets = our_sockets(cluster, worker)
                prepare(cluster, state)
                spec = spec_file(worker.port, sockets)
                # What was imported is in the log, too: once it is read.
                for _ in range(60):
                    warm = loadgen("pairs", spec, 0, 50, 1)
                    if warm["received"] == warm["sent"]:
                        break
                for rate in RATES:
                    medians, reads = [], []
                    for _ in range(RUNS):
                        before = read_entries(cluster)
                        run = loadgen("pairs", spec, 0, rate, SECONDS)
                        after = read_entries(cluster)
                        medians.append(run["p50_us"] / 1000)
                        reads.append((sum(after.values()) - sum(before.values())) / run["received"])
                        if run["received"] < 0.98 * run["sent"]:
                            verdict.row("  the machine does not keep up", f"{run['received']} of {run['sent']} received in time")
                    most = sorted(after, key=lambda name: after[name] - before.get(name, 0), reverse=True)[:3]
                    verdict.row(
                        f"{state}, {rate:,}/s",
                        "p50 " + " ".join(f"{value:.1f}" for value in medians) + " ms   read " + " ".join(f"{value:.0f}" for value in reads)
                        + "   most of " + ", ".join(f"{name} {(after[name] - before.get(name, 0)) / run['received']:.0f}" for name in most),
                    )
                    verdict.promise("  the last run reads, times the first", reads[-1] / reads[0], 1.25, at_least=False)
                    verdict.promise("  its median, times the first", medians[-1] / medians[0], 3, at_least=False)
                Path(spec).unlink()
    verdict.close()


if __name__ == "__main__":
    main()
