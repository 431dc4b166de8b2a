"""Push notifications a second from one worker to a local gateway, next to a Python sender with httpx over HTTP/2.

    make bench-push            (PARLEY_BENCH_ROUNDS=1 PARLEY_BENCH_COUNT=5000 for a quick look)

The gateway is nginx with TLS and HTTP/2 on a core of its own, which answers 200 to everything: it is faster than both.
Each side has one connection and 100 requests under way. Ours claims its jobs from the queue in Postgres, where each is
decided and written anew, and settles them there: its time runs from the first claim to the last settlement. The peer makes
them up. Both alternate in one run, and a request is timed from its sending to its answer.
Promise: at least 5 times the peer's rate, at p99 no worse.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lib.bench import SERVER_CORE, Verdict, median, pinned
from lib.gateway import Gateway, settings
from parley import Cluster, Worker

COUNT, AT_ONCE = int(os.environ.get("PARLEY_BENCH_COUNT", "20000")), 100
ROUNDS = int(os.environ.get("PARLEY_BENCH_ROUNDS", "5"))
PEER_COUNT = COUNT // 10
PEER = Path(__file__).parent / "peers" / "push_httpx.py"
# 100 users with 20 devices each, and messages of as many friends as it takes.
USERS, DEVICES = 100, 20
PEOPLE = f"""
insert into parley.account (id, display_name, tier_name)
select gen_random_uuid(), 'user ' || n, 'privileged_plus' from generate_series(1, {USERS + COUNT // (USERS * DEVICES)}) n;
insert into parley.push_device (id, user_id, provider, kind, environment, app_id, route, token_hash, token)
select parley.uuid_v7(), u.id, 'apns', 'alert', 'production', 'com.example.chat', 'com.example.chat',
    sha256((u.id::text || n)::bytea), encode(sha256((u.id::text || n)::bytea), 'hex')
from (select id from parley.account order by id limit {USERS}) u cross join generate_series(1, {DEVICES}) n;
do $$
declare
    v_friend uuid;
    v_user uuid;
begin
    for v_friend in select a.id from parley.account a where not exists (select from parley.push_device d where d.user_id = a.id) loop
        perform set_config('request.jwt.claims', json_build_object('sub', v_friend, 'role', 'authenticated')::text, true);
        for v_user in select distinct d.user_id from parley.push_device d loop
            perform parley.start_conversation(array[v_user], message => 'Where are you?');
        end loop;
    end loop;
end $$;
analyze parley.account, parley.push_device, parley.participant, parley.conversation, parley.message;
"""
FILL = """
truncate parley.push_job, first_claim;
insert into parley.push_job (
    id, tenant_id, user_id, device_id, conversation_id, message_id, first_seq, last_seq, expires_at, provider, route, lane, kind,
    state, collapse_key
)
select parley.uuid_v7(), '00000000-0000-0000-0000-000000000000', d.user_id, d.id, m.conversation_id, m.id, m.seq, m.seq,
    now() + interval '1 day', d.provider, d.route, 'message', 'message', 'queued', m.conversation_id::text
from parley.push_device d
inner join parley.participant p on p.user_id = d.user_id
inner join parley.message m on m.conversation_id = p.conversation_id and m.sender_id <> d.user_id;
analyze parley.push_job;
"""
# When the first claim began; once a statement, so that it costs a claim nothing that could be seen.
CLOCK = """
create table first_claim (at timestamptz);
create function note_claim() returns trigger language plpgsql security definer as $$
begin
    if not exists (select from public.first_claim) then
        insert into public.first_claim values (now());
    end if;
    return null;
end $$;
create trigger push_job_claim_trigger after update on parley.push_job for each statement execute function note_claim();
"""
LEFT = "select count(*) filter (where settled_at is null) from parley.push_job"
TOOK = "select extract(epoch from max(settled_at) - (select min(at) from first_claim)) from parley.push_job"


def ours(cluster: Cluster, file: Path) -> dict:
    cluster.psql(FILL)
    worker = Worker(cluster, "--push", str(file), "--log-level", "info", prefix=pinned(SERVER_CORE))
    worker.start()
    try:
        end = time.monotonic() + 120
        while int(cluster.psql(LEFT)) > 0:
            if time.monotonic() > end:
                raise SystemExit(f"{cluster.psql(LEFT)} of {COUNT} notifications are left:\n{worker.output()}")
            time.sleep(0.2)
    finally:
        worker.stop()
    seconds = float(cluster.psql(TOOK))
    lines = [json.loads(line) for line in worker.output().splitlines() if line.startswith("{")]
    told = next(line for line in lines if line["msg"] == "push ends")
    delivered = int(cluster.psql("select count(*) from parley.push_job where state = 'sent'"))
    if delivered != COUNT:
        raise SystemExit(f"{COUNT - delivered} of {COUNT} notifications were not delivered")
    return {"per_second": COUNT / seconds, "p50_us": int(told["p50_us"]), "p99_us": int(told["p99_us"])}


def theirs(gateway: Gateway) -> dict:
    command = [*pinned(SERVER_CORE), sys.executable, str(PEER), gateway.url, str(gateway.folder / "cert.pem")]
    output = subprocess.run([*command, str(PEER_COUNT), str(AT_ONCE)], check=True, capture_output=True, text=True).stdout
    return json.loads(output)


def main() -> None:
    runs: dict[str, list[dict]] = {"parley": [], "httpx": []}
    with tempfile.TemporaryDirectory(prefix="parley-push-") as name, Cluster() as cluster:
        folder = Path(name)
        folder.chmod(0o755)
        cluster.psql("update parley.tier_limit set amount = null where period_seconds is not null")
        cluster.psql("update parley.spam_rule set mode = 'off'")
        cluster.psql(PEOPLE)
        cluster.psql(CLOCK)
        with Gateway(folder) as gateway:
            file = settings(folder, gateway.url, in_flight=AT_ONCE)
            for turn in range(ROUNDS):
                for side in ("parley", "httpx") if turn % 2 == 0 else ("httpx", "parley"):
                    runs[side].append(ours(cluster, file) if side == "parley" else theirs(gateway))
    verdict = Verdict(f"push to a local gateway, one connection, {AT_ONCE} at once, median of {ROUNDS} runs")
    middle = {side: {key: median([run[key] for run in of]) for key in of[0]} for side, of in runs.items()}
    for side, figures in middle.items():
        text = f"{figures['per_second']:8.0f}/s   p50 {figures['p50_us'] / 1000:6.1f} ms   p99 {figures['p99_us'] / 1000:6.1f} ms"
        verdict.row(side, text)
    verdict.promise("rate, as a multiple of the peer's", middle["parley"]["per_second"] / middle["httpx"]["per_second"], 5)
    verdict.promise("p99, as a multiple of the peer's", middle["parley"]["p99_us"] / middle["httpx"]["p99_us"], 1, at_least=False)
    verdict.close()


if __name__ == "__main__":
    main()
