-- What an event costs does not depend on what the planner believes. Every plan is made in an empty database; then it
-- fills, and nobody analyzes. In the end the statistics lie. What is counted is the entries that indexes and tables give
-- away, so the machine's load does not matter. In a cluster of its own, in one session, and committed: the log is read
-- by others than its writers.
set client_min_messages = warning;
set search_path = public, pg_catalog;
select no_plan();
\set QUIET on
begin;
\ir people.psql
commit;

create function t.read_entries() returns bigint language sql as $$
    select coalesce(sum(pg_stat_get_xact_tuples_returned(c.oid)), 0)::bigint
    from pg_class c
    where c.relnamespace = 'parley'::regnamespace and c.relkind in ('r', 'i')
        -- a deployment has a few rows of these, however many users it has
        and c.relname !~ '^(tier|tier_limit|tier_entitlement|limit_kind|setting|secret|job|log_state|push_provider|push_state)(_|$)'
$$;

create table t.probe (name text primary key, query text not null, actor text, empty bigint, small bigint, large bigint, lies bigint);
insert into t.probe (name, query, actor) values
('the read of the log', 'select count(payload) from parley.read_log(t.snapshot(), t.behind(), 100)', null),
('a consumer', 'select t.consume_again()', null),
('a join', 'select parley.authorize_join(''authenticated'', t.id(''bob''), 0, ''conversation:'' || t.id(''talk''))', null),
('a join of the inbox', 'select parley.authorize_join(''authenticated'', t.id(''bob''), 0, ''user:'' || t.id(''bob''))', null),
('a replay after a number', 'select count(payload) from parley.replay(''authenticated'', t.id(''bob''), ''conversation:'' || t.id(''talk''), greatest(t.last_event_seq(''talk'') - 20, 0), null, 20)', null),
('a replay since a time', 'select count(payload) from parley.replay(''authenticated'', t.id(''bob''), ''conversation:'' || t.id(''talk''), null, ''-infinity'', 20)', null),
('a replay of the inbox', 'select count(payload) from parley.replay(''authenticated'', t.id(''bob''), ''user:'' || t.id(''bob''), null, ''-infinity'', 20)', null),
('a page of events', 'select parley_api.get_events(t.id(''talk''), greatest(t.last_event_seq(''talk'') - 20, 0), 20)', 'bob'),
('sync', 'select parley_api.sync(t.cursor())', 'bob'),
('a send', 'select parley_api.send_message(t.id(''talk''), ''one more'', client_message_id => gen_random_uuid())', 'bob'),
('a reading', 'select parley_api.mark_as_read(t.id(''talk''))', 'ann'),
('the search index', 'select t.index_again()', null),
('the purge', 'select parley.purge_events(interval ''1 day'', 20)', null);
-- each job when nothing is due
insert into t.probe (name, query)
select 'the job ' || j.name, format('select parley.%I()', j.name)
from parley.job j
where j.name not in ('index_messages', 'maintain');

create function t.snapshot() returns pg_snapshot language sql as $$ select snapshot from parley.log_position() $$;
create function t.behind() returns bigint language sql as $$ select max_id - 20 from parley.log_position() $$;
create function t.cursor() returns text language sql security definer as $$
    select parley.encode_cursor(t.id('bob'), parley.log_epoch(), parley.cursor_snapshot(), t.behind(), null, now())
$$;
create function t.consume_again() returns bigint language sql as $$
    update parley.consumer set snapshot = t.snapshot(), max_id = t.behind() where name = 'probe';
    select count(payload) from parley.consume('probe', 20)
$$;
create function t.index_again() returns boolean language sql as $$
    update parley.consumer set snapshot = t.snapshot(), max_id = t.behind() where name = 'search';
    select parley.index_new_messages(1000)
$$;

-- what a probe reads when it is asked again; the first time brings what the session has yet to learn
create procedure t.measure(field text) language plpgsql as $$
declare
    v_probe t.probe;
    v_before bigint;
    v_read bigint;
begin
    for v_probe in select * from t.probe order by name loop
        for i in 1..2 loop
            if v_probe.actor is not null then
                perform t.act(v_probe.actor);
            end if;
            v_before := t.read_entries();
            execute v_probe.query;
            v_read := t.read_entries() - v_before;
            perform t.host();
            commit;
        end loop;
        execute format('update t.probe set %I = $1 where name = $2', field) using v_read, v_probe.name;
        commit;
    end loop;
end
$$;

-- conversations of ten messages, some of them Bob's, and more of the talk
create function t.fill(from_number int, to_number int) returns void language plpgsql as $$
declare
    v_talk parley.conversation := parley.lock_conversation(t.id('talk'));
begin
    insert into parley.account (id, tier_name) select md5('user ' || n)::uuid, 'free' from generate_series(from_number, to_number) n;
    insert into parley.conversation (id, last_seq, last_event_seq)
    select md5('conversation ' || n)::uuid, 10, 10 from generate_series(from_number, to_number) n;
    insert into parley.conversation_profile (conversation_id, type)
    select md5('conversation ' || n)::uuid, 'group' from generate_series(from_number, to_number) n;
    insert into parley.participant (conversation_id, user_id)
    select md5('conversation ' || n)::uuid, u.id
    from generate_series(from_number, to_number) n
    cross join lateral (values (md5('user ' || n)::uuid), (t.id(case when n <= 20 then 'bob' else 'eve' end))) u (id);
    insert into parley.message (id, conversation_id, seq, sender_id, created_at, type, content)
    select parley.uuid_v7(), md5('conversation ' || n)::uuid, i, md5('user ' || n)::uuid, now(), 'text', 'hello'
    from generate_series(from_number, to_number) n, generate_series(1, 10) i
    union all
    select parley.uuid_v7(), v_talk.id, v_talk.last_seq + n - from_number + 1, t.id('ann'), now(), 'text', 'hello'
    from generate_series(from_number, to_number) n;
    insert into parley.event (conversation_id, event_seq, message_seq, message_id, actor_id, kind)
    select
        m.conversation_id,
        case when m.conversation_id = v_talk.id then m.seq - v_talk.last_seq + v_talk.last_event_seq else m.seq end,
        m.seq, m.id, m.sender_id, 'message:new'
    from parley.message m
    where m.created_at = now() and (m.conversation_id <> v_talk.id or m.seq > v_talk.last_seq)
    order by (m.conversation_id = v_talk.id), m.conversation_id, m.seq;
    insert into parley.reaction (conversation_id, message_id, user_id, emoji)
    select m.conversation_id, m.id, t.id('ann'), '👍' from parley.message m where m.created_at = now() and m.seq % 5 = 0;
    insert into parley.message_hidden (conversation_id, user_id, seq, message_id, own)
    select m.conversation_id, t.id('eve'), m.seq, m.id, false from parley.message m where m.created_at = now() and m.seq % 7 = 0;
    insert into parley.search_block (conversation_id, block, first_id, last_id, language, terms)
    select md5('conversation ' || n)::uuid, 0, parley.uuid_v7(), parley.uuid_v7(), 'none', ''
    from generate_series(from_number, to_number) n;
    update parley.conversation c
    set last_seq = c.last_seq + to_number - from_number + 1, last_event_seq = c.last_event_seq + to_number - from_number + 1
    where c.id = v_talk.id;
    update parley.consumer set snapshot = t.snapshot(), max_id = t.behind();
end
$$;

begin;
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
select t.act('ann');
select t.keep('talk', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select parley_api.send_message(t.id('talk'), 'hello') is not null as sent \gset
select t.host();
select parley.index_messages() is null as indexed, parley.create_consumer('probe') is null as made \gset
commit;
\o /dev/null
call t.measure('empty');
select t.fill(1, 500);
call t.measure('small');
select t.fill(501, 4500);
call t.measure('large');
\o

select cmp_ok(large, '<=', small + small / 4 + 20, name || ' reads as much among nine times as many rows')
from t.probe order by name;
select is((select small > 20 from t.probe where name = 'the read of the log'), true, 'and what it reads is counted');

-- statistics that lie: as if there were nothing; as if there were one row among many pages; as if pages were full
\o /dev/null
create procedure t.lie(rows real, pages int) language sql as $$
    update pg_class set reltuples = rows, relpages = pages where relnamespace = 'parley'::regnamespace and relkind in ('r', 'i')
$$;
call t.lie(1, 1);
discard plans;
call t.measure('lies');
\o
select cmp_ok(lies, '<=', large + large / 4 + 20, name || ' where the statistics say that there is nothing')
from t.probe order by name;
\o /dev/null
call t.lie(1, 10000);
discard plans;
call t.measure('lies');
\o
select cmp_ok(lies, '<=', large + large / 4 + 20, name || ' where they say that pages are empty')
from t.probe order by name;
\o /dev/null
call t.lie(1e6, 5000);
discard plans;
call t.measure('lies');
\o
select cmp_ok(lies, '<=', large + large / 4 + 20, name || ' where they say that pages are full')
from t.probe order by name;

select * from finish();
