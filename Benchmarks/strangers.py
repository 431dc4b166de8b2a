"""send_message to a stranger, whose every message is judged for spam, next to one to a friend, at 32 clients.

    make bench-strangers

The same users write the same texts: to somebody who has answered them, to somebody who has not, and the latter with a link
in each message. All alternate in one run, prepared, over 1,000 senders. The accounts are a month old.
Promise: a send to a stranger costs at most 1.3 times one to a friend.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
from pathlib import Path

from lib.bench import Verdict, median
from parley import Cluster
from send import CLIENTS, CONVERSATIONS, ROUNDS, SECONDS, script_file

# Every text is drawn anew: what somebody says to a stranger twice within 32 texts is looked at more closely.
TEXTS, SENDS = 10_000, 50
WORDS = """about after again along another around because before being better between both bring came come could days each
even every first found from garden give good great green hand have here home house just keep know last later left letter
light like little long look made make many might more morning most much music never next night nothing often only other
over paper people place right river same school should small some something still story street such summer take talk than
that their them then there these thing think those through time today together town train tree under until very walk want
water week well were what when where which while window winter with word work world would write year yesterday""".split()


PREPARE = f"""
-- no limits; a conversation whose sender repeats a text by chance becomes a request, which has its own
update parley.tier_limit set amount = null
where name in ('messages_per_minute', 'request_messages', 'messages_to_strangers_per_hour');
create schema bench;
create table bench.pair (n int primary key, sender uuid not null, friend uuid not null, stranger uuid not null,
    known uuid, unknown uuid);
insert into bench.pair
select n, gen_random_uuid(), gen_random_uuid(), gen_random_uuid() from generate_series(1, {CONVERSATIONS}) n;
create table bench.text (n integer primary key, content text not null);
insert into bench.text
select n, string_agg(w.words[1 + abs(hashint4(n * 18 + k)::bigint) % cardinality(w.words)], ' ' order by k)
from generate_series(1, {TEXTS}) n, generate_series(1, 18) k, string_to_array('{" ".join(WORDS)}', ' ') w (words) group by n;
insert into parley.account (id, display_name, tier_name, created_at)
select unnest(array[sender, friend, stranger]), 'user', 'privileged_plus', now() - interval '30 days' from bench.pair;
do $$
declare v record;
begin
    for v in select * from bench.pair loop
        perform set_config('request.jwt.claims', jsonb_build_object('sub', v.sender, 'role', 'authenticated')::text, true);
        update bench.pair
        set known = (parley_api.start_conversation(participant_ids => array[v.friend]) ->> 'id')::uuid,
            unknown = (parley_api.start_conversation(participant_ids => array[v.stranger]) ->> 'id')::uuid
        where n = v.n
        returning known into v.known;
        perform set_config('request.jwt.claims', jsonb_build_object('sub', v.friend, 'role', 'authenticated')::text, true);
        perform parley_api.send_message(v.known, 'hello');
    end loop;
end
$$;
"""


def script(column: str, link: str = "") -> str:
    """Fifty sends by one sender to one conversation, one transaction each, as the worker sends it."""
    read = ",\n".join(f"(select content from bench.text where n = :m + {n}) || '{link}' as text{n}" for n in range(SENDS))
    sends = "".join(
        f"""
\\startpipeline
select set_config('request.jwt.claims', :claims, true);
select parley_api.send_message(
    conversation_id => :conversation::uuid, content => :text{n}, client_message_id => gen_random_uuid());
\\endpipeline
"""
        for n in range(SENDS)
    )
    return script_file(
        f"""
\\set n random(1, {CONVERSATIONS})
\\set m random(1, {TEXTS - SENDS})
select jsonb_build_object('sub', sender, 'role', 'authenticated')::text as claims, {column} as conversation,
{read}
from bench.pair where n = :n \\gset
{sends}
"""
    )


def used(cluster: Cluster) -> float:
    """Seconds of processor time of all sessions that have ended, which the server has reaped."""
    pid = (Path(cluster.environment["PARLEY_TEST_PGDATA"]) / "postmaster.pid").read_text().split()[0]
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def pgbench(cluster: Cluster, file: str, seconds: int) -> tuple[float, float]:
    """Commits per second, and microseconds of the server's processors for each."""
    before = used(cluster)
    output = subprocess.run(
        ["pgbench", "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds), "-f", file,
         cluster.owner_url],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    found = re.search(r"^tps = ([0-9.]+)", output.stdout, re.M)
    failed = re.search(r"number of failed transactions: ([0-9]+)", output.stdout)
    if output.returncode != 0 or found is None or (failed and failed.group(1) != "0"):
        raise SystemExit(f"pgbench failed:\n{output.stdout[-2000:]}")
    sent = re.search(r"transactions actually processed: (\d+)", output.stdout)
    assert sent is not None, output.stdout
    return float(found.group(1)) * SENDS, (used(cluster) - before) * 1e6 / (int(sent.group(1)) * SENDS)


def main() -> None:
    with Cluster("--fsync") as cluster:
        cluster.psql(PREPARE)
        # A worker that is awake: the doorbell has a lock to take, and takes it.
        cluster.psql("select parley.worker_start('bench', 'bench')", cluster.worker_url)
        files = {
            "to a friend": script("known"),
            "to a stranger": script("unknown"),
            "to a stranger, with a link": script("unknown", " https://example.com/garden?tree=1"),
        }
        rates: dict[str, list[float]] = {name: [] for name in files}
        costs: dict[str, list[float]] = {name: [] for name in files}
        for name in files:
            pgbench(cluster, files[name], 2)
        for turn in range(ROUNDS):
            for name in list(files)[:: 1 if turn % 2 == 0 else -1]:
                rate, cost = pgbench(cluster, files[name], SECONDS)
                rates[name].append(rate)
                costs[name].append(cost)
        judged = cluster.psql("select count(*) from parley.spam_fingerprint")
        moved = cluster.psql("select count(*) from parley.participant where folder = 'requests'")
    verdict = Verdict(f"send_message at {CLIENTS} clients, commits/s, median of {ROUNDS} runs")
    for name, values in rates.items():
        verdict.row(
            name,
            f"{median(values):>10,.0f}   ({min(values):,.0f} to {max(values):,.0f})   {median(costs[name]):,.0f} us of the server's processors each",
        )
    verdict.row("fingerprints kept, conversations moved", f"{judged:>10} {moved}")
    for name in list(files)[1:]:
        times = [friend / stranger for friend, stranger in zip(rates["to a friend"], rates[name])]
        if name == "to a stranger":
            verdict.promise(f"{name}, times a friend", median(times), 1.3, at_least=False)
        of_cost = [stranger / friend for friend, stranger in zip(costs["to a friend"], costs[name])]
        for what, ratios in (("commits", times), ("processor time", of_cost)):
            verdict.row(f"{name}, {what}, times a friend", f"{median(ratios):.2f}   ({min(ratios):.2f} to {max(ratios):.2f})")
    verdict.close()


if __name__ == "__main__":
    main()
