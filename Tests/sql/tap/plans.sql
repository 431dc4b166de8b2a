-- Plans: a conversation of 10,000 messages among many opens by index alone, and touches as many rows as it shows.
begin;
select plan(45);
\ir ../people.psql

-- Everything the plan of a statement does: one row per node, and what it read.
create function t.nodes(query text) returns table (node text, relation text, rows numeric, removed numeric, node_plan jsonb)
language plpgsql as $$
declare
    v_plan json;
begin
    execute 'explain (analyze, verbose, timing off, summary off, format json) ' || query into v_plan;
    return query
    with recursive nodes (n) as (
        select v_plan::jsonb #> '{0,Plan}'
        union all
        select c from nodes, jsonb_array_elements(n -> 'Plans') c
    )
    select
        n ->> 'Node Type', n ->> 'Relation Name', (n ->> 'Actual Rows')::numeric * (n ->> 'Actual Loops')::numeric,
        coalesce((n ->> 'Rows Removed by Filter')::numeric, 0) * (n ->> 'Actual Loops')::numeric, n - 'Plans'
    from nodes;
end
$$;

-- Rows read from tables and indexes by anything that happens inside a statement, functions included.
create function t.read_by(query text, relation text default '') returns bigint language plpgsql as $$
declare
    v_before bigint;
begin
    v_before := t.tuples(relation);
    execute query;
    return t.tuples(relation) - v_before;
end
$$;

create function t.tuples(relation text) returns bigint language sql security definer as $$
    select sum(pg_stat_get_xact_tuples_returned(c.oid))::bigint + sum(pg_stat_get_xact_tuples_fetched(c.oid))::bigint
    from pg_catalog.pg_class c
    where c.relnamespace = 'parley'::regnamespace and c.relkind in ('r', 'i') and c.relname ~ ('^' || $1)
$$;

select t.act('ann');
select t.keep('long', parley_api.start_conversation(array[t.id('bob')], 'group') ->> 'id');
select t.host();
-- 10,000 messages in one conversation and 50,000 in 5,000 others, in the partition of this month
insert into parley.account (id, tier_name) select md5('user ' || n)::uuid, 'free' from generate_series(1, 10000) n;
insert into parley.conversation (id, last_seq) select md5('conversation ' || n)::uuid, 10 from generate_series(1, 5000) n;
insert into parley.conversation_profile (conversation_id, type) select md5('conversation ' || n)::uuid, 'direct' from generate_series(1, 5000) n;
insert into parley.participant (conversation_id, user_id)
select md5('conversation ' || n)::uuid, md5('user ' || 2 * n - i)::uuid from generate_series(1, 5000) n, generate_series(0, 1) i;
insert into parley.participant (conversation_id, user_id) select md5('conversation ' || n)::uuid, t.id('bob') from generate_series(1, 50) n;
select date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' as month \gset
insert into parley.message (id, conversation_id, seq, sender_id, created_at, type, content)
select
    parley.uuid_v7(:'month'::timestamptz + (now() - :'month'::timestamptz) * n / 10000), t.id('long'), n, t.id('ann'), now(), 'text', 'message ' || n
from generate_series(1, 10000) n;
insert into parley.message (id, conversation_id, seq, sender_id, created_at, type, content)
select
    parley.uuid_v7(:'month'::timestamptz + (now() - :'month'::timestamptz) * n / 10), md5('conversation ' || c)::uuid, n, md5('user ' || 2 * c)::uuid,
    now(), 'text', 'message ' || n
from generate_series(1, 10) n, generate_series(1, 5000) c;
insert into parley.event (event_seq, message_seq, conversation_id, actor_id, message_id, kind, xid)
select row_number() over (partition by m.conversation_id order by m.seq) + 1000, m.seq, m.conversation_id, m.sender_id, m.id, 'message:new', '3' from parley.message m;
update parley.conversation set last_seq = 10000, last_event_seq = 11000 where id = t.id('long');
insert into parley.message_hidden (conversation_id, user_id, seq, message_id, own)
select m.conversation_id, t.id('bob'), m.seq, m.id, false from parley.message m where m.conversation_id = t.id('long') and m.seq % 1000 = 0;
analyze parley.account, parley.conversation, parley.conversation_profile, parley.participant, parley.message, parley.event, parley.message_hidden;

-- the newest page through the view, as PostgREST asks for it
select t.act('bob');
create temp table page as select * from t.nodes(format('select * from parley_api.messages where conversation_id = %L order by seq desc limit 50', t.id('long')));
select is_empty($$select * from page where relation ~ '^(participant|conversation|account)' and node ~ 'Seq Scan'$$, 'nothing else is read from end to end');
select is((select rows from page limit 1), 50::numeric, 'the newest page of the view has 50 messages');
-- a partition without a page is read from end to end, which is nothing
select is_empty($$select * from page where relation ~ '^message_2' and rows + removed > 0 and node !~ '^(Index|Bitmap)'$$, 'found by index alone');
-- Row-level security hides from the planner how many messages it leaves, so that PostgreSQL 15 looks at the conversation
-- before it takes 50. get_conversation_messages, below, is the way that does not.
select cmp_ok((select sum(rows + removed) from page where relation ~ '^message_2'), '<=', 10000::numeric, 'without a look at any other conversation');
select matches(
    (select string_agg(concat(node_plan ->> 'Index Cond', node_plan ->> 'Recheck Cond'), ' ') from page where relation ~ '^message_2' and rows > 0),
    'conversation_id = ', 'the index is that of the conversation'
);
select is_empty(
    $$select * from page where relation ~ '^message_2' and concat(node_plan ->> 'Filter', node_plan ->> 'Index Cond') ~ 'parley\.\w+\('$$,
    'no function runs for each message'
);
select cmp_ok((select sum(rows) from page where node in ('Function Scan', 'ProjectSet')), '<=', 60::numeric, 'the conversations of the caller are looked up once');
select is_empty(
    $$select * from page where node_plan ->> 'Subplan Name' like 'InitPlan%' and (node_plan ->> 'Actual Loops')::int > 1$$, 'and so is all else that does not depend on the row'
);
select isnt_empty($$select * from page where node_plan ->> 'Subplan Name' like 'InitPlan%'$$, 'which are initial plans');

-- everything a user can see, for the policies of the other tables
create temp table inbox as select * from t.nodes('select * from parley_api.conversations order by last_activity_at desc limit 20');
select is_empty($$select * from inbox where concat(node_plan ->> 'Filter', node_plan ->> 'Index Cond') ~ 'parley\.\w+\('$$, 'no function runs for each conversation');
select cmp_ok((select sum(rows + removed) from inbox where relation in ('conversation')), '<=', 51::numeric, 'only one''s own are read');
create temp table people as select * from t.nodes(format('select * from parley_api.participants where conversation_id = %L', t.id('long')));
select is_empty($$select * from people where node ~ 'Seq Scan'$$, 'who is in a conversation is read by index');
select is_empty($$select * from people where concat(node_plan ->> 'Filter', node_plan ->> 'Index Cond') ~ 'parley\.\w+\('$$, 'without a function for each');
create temp table one as select * from t.nodes(format('select * from parley_api.conversations where id = %L', t.id('long')));
select is_empty($$select * from one where node ~ 'Seq Scan'$$, 'and so is one conversation');

-- through the functions, seen by what they read: tables and indexes, everything of schema parley
select cmp_ok(t.read_by(format('select parley_api.get_conversation_messages(%L)', t.id('long'))), '<', 300::bigint,
    'get_conversation_messages reads what it shows, of 10,000 messages');
select cmp_ok(t.read_by(format('select parley_api.get_conversation_messages(%L, before_seq => 5000)', t.id('long'))), '<', 300::bigint,
    'in the middle as well');
select cmp_ok(t.read_by(format('select parley_api.get_conversation_messages(%L, around_seq => 5000)', t.id('long'))), '<', 300::bigint, 'and around');
select cmp_ok(t.read_by(format('select parley_api.get_events(%L, 9000, 50)', t.id('long'))), '<', 600::bigint, 'get_events');
select cmp_ok(t.read_by(format('select parley_api.mark_as_read(%L, 9000)', t.id('long'))), '<', 300::bigint, 'mark_as_read over 9,000 messages');
select cmp_ok(t.read_by(format('select parley_api.send_message(%L, %L)', t.id('long'), 'x')), '<', 50::bigint, 'and send_message');
select t.keep('middle', t.look(format('select id from parley.message where conversation_id = %L and seq = 5001', t.id('long'))));
select cmp_ok(t.read_by(format('select * from parley_api.message_receipts where message_id = %L', t.id('middle'))), '<', 600::bigint,
    'the receipts of a message are read by its key and those of its readers, besides the conversations of the caller');
select is((select count(*) from parley_api.message_receipts where message_id = t.id('middle')), 1::bigint, 'of which there is one');
select cmp_ok(t.read_by(format('select parley_api.get_message_receipts(%L)', t.id('middle'))), '<', 400::bigint, 'as they are through the function');
select is(t.read_by('select parley_api.get_unread_counts()', 'message_2'), 0::bigint, 'get_unread_counts looks at no message');
select is(t.read_by('select parley_api.get_unread_counts()', 'event'), 0::bigint, 'and at no event');


-- a user with 1,000 conversations, in a table of 5,001: pages of the inbox, counts and a search read what is theirs
select t.host();
select t.keep('busy', md5('user 1')::uuid::text);
insert into parley.participant (conversation_id, user_id)
select md5('conversation ' || n)::uuid, t.id('busy') from generate_series(2, 1000) n;
insert into parley.search_block (conversation_id, block, first_id, last_id, language, terms)
select
    m.conversation_id, 0, (array_agg(m.id order by m.seq))[1], (array_agg(m.id order by m.seq desc))[1], parley.terms_version('simple'),
    strip(to_tsvector('simple', string_agg(m.content, ' ')))
from parley.message m
where m.conversation_id in (select c.id from parley.conversation c where c.last_seq = 10)
group by 1;
update parley.consumer set max_id = (select max(e.id) from parley.event e), snapshot = pg_current_snapshot() where name = 'search';
update parley.event set xid = '3' where xid = pg_current_xact_id();
update parley.tier_limit set amount = null, burst = null where period_seconds is not null;
-- 5,000 pairs, each about a thing, which a few share
insert into parley.direct_conversation (user_low, user_high, context_type, context_id, conversation_id)
select
    least(md5('user ' || 2 * n)::uuid, md5('user ' || 2 * n - 1)::uuid), greatest(md5('user ' || 2 * n)::uuid, md5('user ' || 2 * n - 1)::uuid),
    'listing', n % 1000, md5('conversation ' || n)::uuid
from generate_series(1, 5000) n;
insert into parley.conversation_context (conversation_id, context_type, context_id)
select md5('conversation ' || n)::uuid, 'listing', n % 1000 from generate_series(1, 5000) n;
update parley.conversation_profile cp set context_type = x.context_type, context_id = x.context_id
from parley.conversation_context x where x.conversation_id = cp.conversation_id;
update parley.tier_entitlement set granted = true;
analyze parley.participant, parley.search_block, parley.direct_conversation, parley.conversation_context, parley.conversation_profile;
select t.act('busy');
create temp table pages (n integer, cursor text, read bigint);
do $$
declare
    v_cursor text;
    v_page jsonb;
    v_before bigint;
begin
    for n in 1..20 loop
        v_before := t.tuples('');
        v_page := parley_api.get_user_conversations(cursor => v_cursor);
        insert into pages values (n, v_cursor, t.tuples('') - v_before);
        v_cursor := v_page ->> 'next_cursor';
    end loop;
    insert into pages values (21, v_cursor, 0);
end
$$;
select is((select cursor from pages where n = 21), null, 'twenty pages are the inbox of 1,000 conversations');
select is((select count(cursor) from pages), 19::bigint, 'one after the other');
select cmp_ok((select max(read) from pages), '<', 12000::bigint, 'each reads the rows of the user''s conversations, and looks into fifty');
select cmp_ok((select max(read) - min(read) from pages where n between 2 and 19), '<', 2500::bigint, 'the last as the first');
select cmp_ok(t.read_by('select parley_api.get_unread_counts()'), '<', 20000::bigint, 'unread counts of 1,000 conversations read theirs');
select is(t.read_by('select parley_api.get_unread_counts()', 'message_2'), 0::bigint, 'and no message');
select cmp_ok(t.read_by($$select parley_api.search_messages('nowhere')$$), '<', 6000::bigint, 'a search that finds nothing reads the blocks of the user''s conversations');
select is(t.read_by($$select parley_api.search_messages('nowhere')$$, 'message_2'), 0::bigint, 'and no message');
select cmp_ok(t.read_by($$select parley_api.search_messages('message')$$), '<', 12000::bigint, 'one that finds everything the newest of them');
select is(jsonb_array_length(parley_api.search_messages('message') -> 'results'), 20, 'a page');
select cmp_ok(t.read_by(format('select parley_api.search_messages(%L, %L)', 'message', md5('conversation 1')::uuid)), '<', 300::bigint, 'inside one conversation only that');
select cmp_ok(
    t.read_by($$select parley_api.get_user_conversations(context_type => 'listing', context_id => '7')$$), '<', 12000::bigint,
    'those about one thing are looked for among one''s own'
);
select is(jsonb_array_length(parley_api.get_user_conversations(context_type => 'listing', context_id => '7') -> 'conversations'), 1, 'and found');
select cmp_ok(
    t.read_by($$select parley_api.start_conversation(array[md5('user 2')::uuid], context_type => 'listing', context_id => '1')$$), '<', 300::bigint,
    'of 5,000 pairs one is found by index, with what it is about'
);
select is(
    (parley_api.start_conversation(array[md5('user 2')::uuid], context_type => 'listing', context_id => '1') ->> 'id')::uuid, md5('conversation 1')::uuid,
    'and is the one'
);

-- lists of an administrator: conversations of a status, and what a user has read
select t.host();
update parley.conversation_profile set status = 'locked', updated_at = now() - interval '1 day' where conversation_id in (
    select md5('conversation ' || n)::uuid from generate_series(100, 5000, 100) n
);
insert into parley.read_marker (conversation_id, user_id, seq, after_seq)
select md5('conversation ' || n)::uuid, md5('user ' || 2 * n - i)::uuid, s, s - 1
from generate_series(1, 5000) n, generate_series(0, 1) i, generate_series(1, 3) s;
analyze parley.conversation_profile, parley.read_marker;
create temp table locked as select * from t.nodes($$
    select cp.conversation_id, cp.title from parley.conversation_profile cp where cp.status = 'locked' order by cp.updated_at desc limit 20
$$);
select is_empty($$select * from locked where node !~ '^(Limit|Index)'$$, 'the conversations of a status are read by index, in order');
select is((select max(rows + removed) from locked), 20::numeric, 'as many as a page has');
create temp table receipts as select * from t.nodes($$select k.seq from parley.read_marker k where k.user_id = md5('user 77')::uuid$$);
select is_empty($$select * from receipts where node !~ '^(Index|Bitmap)'$$, 'what a user has read is read by index');
select is((select max(rows + removed) from receipts), 3::numeric, 'and no receipt of another');
create temp table horizon as select * from t.nodes($$
    select k.read_at from parley.read_marker k
    where k.conversation_id = md5('conversation 39')::uuid and k.user_id = md5('user 77')::uuid and k.seq >= 2 order by k.seq limit 1
$$);
select is((select max(rows + removed) from horizon), 1::numeric, 'and when a message was read still by one look, whichever index');

select * from finish();
rollback;
