"""send_message commits/s at 32 clients, next to a bare three-row insert transaction and to itself with NOTIFY.

    make bench-send

`bare` is `begin; insert; insert; insert; commit` into three tables shaped like message, event and key, with their
indexes and nothing else: no rights, no order, no deduplication. `notify` is send_message with the doorbell replaced
by an unconditional pg_notify, and `bare notify` is `bare` with one: what NOTIFY takes from a transaction that does
hardly anything is the most that doing without it can give to one that does more. All alternate in one run, prepared,
over 1,000 conversations.
Promise: at least 0.65 of `bare`, and at least 0.9 of the factor by which `bare` is faster than `bare notify`.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile

from lib.bench import Verdict, median
from parley import Cluster

CLIENTS, ROUNDS, SECONDS, CONVERSATIONS = 32, 5, 5, 1000

PREPARE = f"""
-- no limits, and nobody is judged for spam: bench-strangers measures that
update parley.tier_limit set amount = null where name in ('messages_per_minute', 'new_account_hours');
create schema bench;
create table bench.pair (n int primary key, sender uuid not null, conversation_id uuid);
insert into bench.pair select n, gen_random_uuid(), null from generate_series(1, {CONVERSATIONS}) n;
insert into parley.account (id, display_name, tier_name) select sender, 'sender ' || n, 'privileged_plus' from bench.pair;
create table bench.peer (n int primary key, id uuid not null);
insert into bench.peer select n, gen_random_uuid() from generate_series(1, {CONVERSATIONS}) n;
insert into parley.account (id, display_name, tier_name) select id, 'peer ' || n, 'privileged_plus' from bench.peer;
create table bench.message (id uuid primary key, conversation_id uuid not null, seq bigint not null, sender_id uuid,
    content text, metadata jsonb not null default '{{}}', client_message_id uuid, created_at timestamptz default now());
create index on bench.message (conversation_id, seq);
create table bench.event (id bigint generated always as identity primary key, xid xid8 default pg_current_xact_id(),
    conversation_id uuid, event_seq bigint, kind text, message_id uuid, created_at timestamptz default now());
create index on bench.event (conversation_id, event_seq);
create table bench.key (conversation_id uuid, sender_id uuid, client_message_id uuid, message_id uuid,
    primary key (conversation_id, sender_id, client_message_id));
"""
OPEN = """
do $$
declare v record;
begin
    for v in select p.n, p.sender, q.id as peer from bench.pair p join bench.peer q using (n) loop
        perform set_config('request.jwt.claims', jsonb_build_object('sub', v.sender, 'role', 'authenticated')::text, true);
        update bench.pair set conversation_id = (parley_api.start_conversation(participant_ids => array[v.peer]) ->> 'id')::uuid
        where n = v.n;
    end loop;
end
$$;
update parley.conversation set unanswered = false;
"""
TEXT = "see you at the usual place, and bring the book about the lighthouse that you told me of last week"
BARE = f"""
\\set n random(1, 1000000000)
\\set c :n % 1000
begin;
insert into bench.message (id, conversation_id, seq, sender_id, content, client_message_id)
    values (gen_random_uuid(), md5((:c)::text)::uuid, :n, md5((:c)::text)::uuid, '{TEXT}', gen_random_uuid());
insert into bench.event (conversation_id, event_seq, kind, message_id)
    values (md5((:c)::text)::uuid, :n, 'new', gen_random_uuid());
insert into bench.key values (md5((:c)::text)::uuid, md5((:c)::text)::uuid, gen_random_uuid(), gen_random_uuid());
commit;
"""


def pgbench(cluster: Cluster, script: str, seconds: int = SECONDS) -> float:
    output = subprocess.run(
        ["pgbench", "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds), "-D", "turn=0",
         "-f", script, cluster.owner_url],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    found = re.search(r"^tps = ([0-9.]+)", output.stdout, re.M)
    failed = re.search(r"number of failed transactions: ([0-9]+)", output.stdout)
    if output.returncode != 0 or found is None or (failed and failed.group(1) != "0"):
        raise SystemExit(f"pgbench failed:\n{output.stdout}")
    return float(found.group(1))


def script_file(text: str) -> str:
    handle = tempfile.NamedTemporaryFile("w", suffix=".sql", delete=False)
    with handle:
        handle.write(text)
    os.chmod(handle.name, 0o644)
    return handle.name


def send_script() -> str:
    """One transaction as the worker sends it: identity and call in one round trip, which the sync at its end commits.

    A client keeps its conversation for 50 sends; choosing the next one is a query of the generator's own.
    """
    return script_file(
        f"""
\\if :turn = 0
\\set n random(1, {CONVERSATIONS})
select jsonb_build_object('sub', sender, 'role', 'authenticated')::text as claims, conversation_id as conversation
from bench.pair where n = :n \\gset
\\endif
\\set turn (:turn + 1) % 50
\\startpipeline
select set_config('request.jwt.claims', :claims, true);
select parley_api.send_message(
    conversation_id => :conversation::uuid, content => '{TEXT}', client_message_id => gen_random_uuid());
\\endpipeline
"""
    )


def main() -> None:
    with Cluster("--fsync") as cluster:
        cluster.psql(PREPARE)
        cluster.psql(OPEN)
        # A worker that is awake: the doorbell has a lock to take, and takes it.
        cluster.psql("select parley.worker_start('bench', 'bench')", cluster.worker_url)
        doorbell = cluster.psql("select pg_get_functiondef('parley.write_message'::regproc)")
        always = re.sub(r"if exists \(select from parley\.worker .*? then\s+(perform pg_notify\(.*?\);)\s+end if;", r"\1", doorbell)
        if always == doorbell:
            raise SystemExit("write_message rings otherwise than this benchmark thinks")
        bare, send = script_file(BARE), send_script()
        bare_notify = script_file(BARE.replace("commit;", "select pg_notify('parley', '');\ncommit;"))
        results: dict[str, list[float]] = {"bare": [], "bare notify": [], "send_message": [], "notify": []}
        pgbench(cluster, bare, 2)
        pgbench(cluster, send, 2)
        for _ in range(ROUNDS):
            results["bare"].append(pgbench(cluster, bare))
            results["bare notify"].append(pgbench(cluster, bare_notify))
            results["send_message"].append(pgbench(cluster, send))
            cluster.psql(always)
            results["notify"].append(pgbench(cluster, send))
            cluster.psql(doorbell)
    verdict = Verdict(f"send_message at {CLIENTS} clients, commits/s, median of {ROUNDS} runs")
    for name, rates in results.items():
        verdict.row(name, f"{median(rates):>10,.0f}   ({min(rates):,.0f} to {max(rates):,.0f})")
    verdict.row("bare, times bare notify", f"{median(results['bare']) / median(results['bare notify']):>10.2f}")
    verdict.promise("send_message, of bare", median(results["send_message"]) / median(results["bare"]), 0.65)
    gained = median(results["send_message"]) / median(results["notify"])
    verdict.row("send_message, times notify", f"{gained:>10.2f}")
    verdict.promise("of what bare gains without NOTIFY", gained / (median(results["bare"]) / median(results["bare notify"])), 0.9)
    verdict.close()


if __name__ == "__main__":
    main()
