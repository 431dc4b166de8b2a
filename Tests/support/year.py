"""A year of messages made in one go: three tiers, leavers, holds, files, and what hangs on messages.

It goes back 460 days, so that the longest plan, of 365 days, lets whole months go too.

Used by Benchmarks/retention.py at any scale, and by Tests/chaos/test_retention.py at a small one.
"""

from __future__ import annotations

import subprocess

MAKE = """
\\set ON_ERROR_STOP on
set client_min_messages = warning;
set synchronous_commit = off;
begin;
-- the months of the year, as the owner of the others makes them
set local role parley_owner;
do $$
declare v_from date;
begin
    for i in 2..16 loop
        v_from := (date_trunc('month', now() at time zone 'UTC') - make_interval(months => i))::date;
        continue when to_regclass(format('parley.message_%s', to_char(v_from, 'YYYY_MM'))) is not null;
        execute format('create table parley.message_%s (like parley.message including all)', to_char(v_from, 'YYYY_MM'));
        execute format('alter table parley.message_%1$s add constraint message_%1$s_conversation_seq_key unique (conversation_id, seq)', to_char(v_from, 'YYYY_MM'));
        execute format('alter table parley.message_%s enable row level security', to_char(v_from, 'YYYY_MM'));
        execute format('comment on table parley.message_%s is %L', to_char(v_from, 'YYYY_MM'), 'Messages of ' || to_char(v_from, 'YYYY-MM') || ' (UTC).');
        execute format('alter table parley.message attach partition parley.message_%s for values from (%L) to (%L)', to_char(v_from, 'YYYY_MM'),
            parley.uuid_v7_floor(v_from at time zone 'UTC'), parley.uuid_v7_floor((v_from + interval '1 month') at time zone 'UTC'));
    end loop;
end $$;
reset role;
create schema year;
create table year.person as
select i, parley.uuid_v7() as id, (array['free', 'privileged', 'privileged_plus'])[1 + i % 3] as tier from generate_series(1, :users) i;
create table year.pair as
select i, parley.uuid_v7() as id, 1 + i % :users as a, 1 + (i * 7 + 3) % :users as b from generate_series(1, :pairs) i
where 1 + i % :users <> 1 + (i * 7 + 3) % :users;
create index on year.person (i);
insert into parley.account (id, display_name, tier_name) select p.id, 'Person ' || p.i, p.tier from year.person p;
insert into parley.conversation (id, last_seq, last_event_seq, last_activity_at, last_event_at)
select c.id, :each, :each, now(), now() from year.pair c;
insert into parley.conversation_profile (conversation_id, type) select c.id, 'group' from year.pair c;
insert into parley.participant (conversation_id, user_id, joined_at, last_read_seq, left_at, left_event_seq)
select c.id, p.id, now() - interval '465 days', :each,
    -- every twentieth conversation has lost one, every fortieth both
    case when c.i % 20 = 0 and (p.i = c.a or c.i % 40 = 0) then now() - interval '1 hour' end, null
from year.pair c inner join year.person p on p.i in (c.a, c.b);
insert into parley.message (id, conversation_id, seq, sender_id, client_message_id, created_at, type, content, has_attachments)
select parley.uuid_v7(x.at), x.conversation_id, x.seq, x.sender_id, gen_random_uuid(), x.at, case when x.n % 100 = 0 then 'image' else 'text' end,
    'What was said as number ' || x.seq || ' of a hundred, ' || x.n, x.n % 100 = 0
from (
    select c.id as conversation_id, s.seq, p.id as sender_id, c.i * 31 + s.seq as n,
        now() - interval '460 days' + (s.seq - random() * 0.5) * (interval '459 days' / :each) as at
    from year.pair c
    cross join generate_series(1, :each) s (seq)
    inner join year.person p on p.i = case when s.seq % 2 = 0 then c.a else c.b end
) x;
insert into parley.message_key (conversation_id, sender_id, client_message_id, message_id, request_hash)
select m.conversation_id, m.sender_id, m.client_message_id, m.id, '' from parley.message m;
insert into parley.reaction (conversation_id, message_id, user_id, emoji)
select m.conversation_id, m.id, m.sender_id, '👍' from parley.message m where m.seq % 20 = 0;
insert into parley.message_star (conversation_id, message_id, user_id)
select m.conversation_id, m.id, m.sender_id from parley.message m where m.seq % 50 = 0;
insert into parley.message_revision (conversation_id, message_id, revision, event_seq, reason, content)
select m.conversation_id, m.id, 1, m.seq, 'edited', 'before' from parley.message m where m.seq % 30 = 0;
insert into parley.read_marker (conversation_id, user_id, seq, after_seq, read_at)
select p.conversation_id, p.user_id, s.seq, s.seq - 10, now() from parley.participant p cross join generate_series(10, :each, 10) s (seq);
insert into parley.stored_object (storage_path) select 'file/' || m.id from parley.message m where m.has_attachments;
insert into parley.attachment (
    id, conversation_id, owner_id, message_id, message_seq, position, byte_size, kind, state, scan_state, file_name, content_type, storage_path, attached_at
)
select gen_random_uuid(), m.conversation_id, m.sender_id, m.id, m.seq, 1, 1000, 'image', 'attached', 'clean', 'x.png', 'image/png', 'file/' || m.id, m.created_at
from parley.message m where m.has_attachments;
select count(parley.place_hold('user', p.id, 'a case')) from year.person p where p.i % 500 = 7 and p.i < 5000;
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
commit;
analyze;
"""


def make_year(url: str, messages: int, each: int = 100) -> None:
    """Makes the year in the database at `url`, as its superuser."""
    pairs = max(messages // each, 10)
    subprocess.run(
        ["psql", "-X", "-q", "-d", url, "-v", f"users={max(messages // 100, 10)}", "-v", f"pairs={pairs}", "-v", f"each={each}", "-o", "/dev/null"],
        input=MAKE, text=True, check=True,
    )


# Rows that hang on messages which are no more: none, whatever happened in between.
ORPHANS = """
select 'reaction' as of, count(*) as n from parley.reaction r where not exists (select from parley.message m where m.id = r.message_id)
union all select 'message_star', count(*) from parley.message_star r where not exists (select from parley.message m where m.id = r.message_id)
union all select 'message_revision', count(*) from parley.message_revision r where not exists (select from parley.message m where m.id = r.message_id)
union all select 'attachment', count(*) from parley.attachment r where not exists (select from parley.message m where m.id = r.message_id)
union all select 'read_marker', count(*) from parley.read_marker r
    inner join parley.conversation_retention c on c.conversation_id = r.conversation_id where r.seq <= c.swept_seq
union all select 'stored_object', count(*) from parley.stored_object o
    where (o.reference_count > 0) <> exists (select from parley.attachment a where a.storage_path = o.storage_path)
"""
