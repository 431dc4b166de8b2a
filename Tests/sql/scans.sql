-- No query of the API scans a table, and no policy evaluates a function for each row. Every call of the access matrix
-- that is allowed runs once more, among many rows of every table, with auto_explain: so the plans of statements inside
-- functions are seen, too. They come out of the server's log, which a test's cluster has beside its data.
begin;
select no_plan();
\ir access/world.psql
\ir access/calls.psql

-- --- many rows: the group has 10,000 messages, Bob 60 conversations of 20,000, and every other table 2,000 rows
insert into parley.account (id, display_name, tier_name) select md5('user ' || n)::uuid, 'User ' || n, 'free' from generate_series(1, 4000) n;
insert into parley.conversation (id, last_seq, last_event_seq) select md5('conversation ' || n)::uuid, 10, 12 from generate_series(1, 20000) n;
insert into parley.conversation_profile (conversation_id, type) select md5('conversation ' || n)::uuid, 'group' from generate_series(1, 20000) n;
insert into parley.participant (conversation_id, user_id)
select md5('conversation ' || n)::uuid, md5('user ' || 2 * n - i)::uuid from generate_series(1, 2000) n, generate_series(0, 1) i;
insert into parley.participant (conversation_id, user_id) select md5('conversation ' || n)::uuid, t.id('bob') from generate_series(1, 60) n;
select c.last_seq, c.last_event_seq from parley.conversation c where c.id = t.id('group') \gset
create temp view moment as
select n, m.month + (now() - m.month) * n / 10000 as at
from generate_series(1, 10000) n, (select date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' as month) m;
insert into parley.message (id, conversation_id, seq, sender_id, created_at, type, content)
select parley.uuid_v7(m.at), t.id('group'), :last_seq + n, case n % 2 when 0 then t.id('ann') else t.id('bob') end, m.at, 'text', 'message ' || n
from moment m;
insert into parley.message (id, conversation_id, seq, sender_id, created_at, type, content)
select parley.uuid_v7(m.at), md5('conversation ' || c)::uuid, m.n / 1000, md5('user ' || 2 * c)::uuid, m.at, 'text', 'message ' || c
from moment m, generate_series(1, 2000) c
where m.n % 1000 = 0;
insert into parley.event (conversation_id, event_seq, message_seq, message_id, actor_id, kind, xid)
select m.conversation_id, m.seq + case m.conversation_id when t.id('group') then :last_event_seq - :last_seq else 2 end, m.seq, m.id, m.sender_id, 'message:new', '3'
from parley.message m
where m.conversation_id = t.id('group') and m.seq > :last_seq or m.content ~ '^message ' and m.conversation_id <> t.id('group');
update parley.conversation set last_seq = last_seq + 10000, last_event_seq = last_event_seq + 10000 where id = t.id('group');
insert into parley.reaction (conversation_id, message_id, user_id, emoji)
select m.conversation_id, m.id, t.id('ann'), '👍' from parley.message m where m.seq % 5 = 0;
insert into parley.message_hidden (conversation_id, user_id, seq, message_id, own)
select m.conversation_id, t.id('bob'), m.seq, m.id, false from parley.message m where m.conversation_id = t.id('group') and m.seq % 100 = 0;

-- What a deployment has a few rows of, however many users it has, a job's short queue among them. All other tables grow.
create table t.small (name text primary key);
insert into t.small
select unnest(string_to_array('account_closing attachment_kind consumer event_kind expected_object feature_flag feature_flag_tenant hold job limit_kind log_state media_type message_type migration push_provider push_state push_turn retention_policy retention_run search_state secret setting spam_rule tier tier_entitlement tier_limit user_reference worker', ' '));
create view t.growing as
select c.oid, c.relname as name, c.relkind
from pg_class c
where c.relnamespace = 'parley'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname not in (select s.name from t.small s);
create view t.scanned as -- a growing table or a partition of one
select g.oid, g.name from t.growing g
union all
select i.inhrelid, g.name from t.growing g inner join pg_inherits i on i.inhparent = g.oid;

-- Rows of whatever the columns take: what matters is that there are many. The rules for single rows are left out, and
-- with the transaction they come back.
create function t.many(relation regclass) returns void language plpgsql as $$
declare
    v_constraint text;
    v_columns text;
    v_values text;
begin
    for v_constraint in
        select k.conname from pg_constraint k where k.conrelid = relation and k.contype in ('c', 'f', 'x') and k.conparentid = 0
    loop
        execute format('alter table %s drop constraint %I cascade', relation, v_constraint);
    end loop;
    select
        string_agg(quote_ident(a.attname), ', ' order by a.attnum),
        string_agg(
            case when not a.attnotnull then 'case when n % 2 = 0 then ' else '' end
            || case
                when y.typname = 'uuid' then format('md5(%L || n)::uuid', a.attname)
                when y.typname in ('int8', 'int4', 'int2') then 'n'
                when y.typname in ('timestamptz', 'timestamp') then 'now() - make_interval(secs => n)'
                when y.typname = 'interval' then 'make_interval(secs => n)'
                when y.typname in ('text', 'varchar') then format('%L || n', a.attname)
                when y.typname = 'bytea' then 'decode(md5(n::text), ''hex'')'
                when y.typname = 'bool' then 'n % 2 = 0'
                when y.typname in ('float8', 'float4', 'numeric') then 'n'
                when y.typname = 'jsonb' then '''{}''::jsonb'
                when y.typname = 'xid8' then '''3''::xid8'
                when y.typcategory = 'A' then format('''{}''::%s', a.atttypid::regtype)
                when y.typname = 'tsvector' then '''''::tsvector'
                else format('null::%s', a.atttypid::regtype)
            end
            || case when not a.attnotnull then ' end' else '' end,
            ', ' order by a.attnum
        )
    into v_columns, v_values
    from pg_attribute a
    inner join pg_type y on y.oid = a.atttypid
    where
        a.attrelid = relation and a.attnum > 0 and not a.attisdropped and a.attidentity = '' and a.attgenerated = ''
        -- what has a default keeps it
        and (not a.atthasdef or y.typname in ('uuid', 'timestamptz', 'int8') and a.attnotnull);
    execute format('insert into %s (%s) select %s from generate_series(1, 2000) n on conflict do nothing', relation, v_columns, v_values);
end
$$;
create function t.rows(relation regclass) returns bigint language plpgsql as $$
declare
    v_rows bigint;
begin
    execute format('select count(*) from %s', relation) into v_rows;
    return v_rows;
end
$$;
set constraints all immediate;
select count(t.many(g.oid)) as filled
from t.growing g
where g.relkind = 'r' and t.rows(g.oid) < 1500 \gset
update parley.event set xid = '3' where xid = pg_current_xact_id();
analyze;

select is_empty(
    $$select g.name, x.n from t.growing g
      cross join lateral t.rows(g.oid) as x (n)
      where x.n < 1500$$,
    'every table that grows has many rows'
);
select is_empty($$select s.name from t.small s where to_regclass('parley.' || s.name) is null$$, 'and every table that does not is there');

-- --- what runs: every function and view of the matrix with each set of arguments, once, as the first of these whom it is
-- allowed; and some calls that clients make besides
create table t.run (call text, actor text);
insert into t.run
select distinct on (x.shape) x.call, a.name
from (
    select *, regexp_replace(r.call, '\{(group|direct|announcement|archived|locked|request|text|others|early|deleted|expired|hidden|archived_text|theirs_text)\}', '{}') as shape
    from t.try r
) x
cross join lateral unnest(x.outcomes) with ordinality as o (outcome, place)
inner join t.actor a on a.place = o.place
where o.outcome ~ '^(ok|empty|true|false|[1-9]\d?)$' and not (a.name = 'service' and x.call ~ '^\w+$')
order by
    x.shape, x.call !~ '\{(group|text)\}', o.outcome = 'empty', array_position('{member,admin,elsewhere,moderator,service}', a.name),
    a.place, x.n;
insert into t.run values
('messages where conversation_id = {group} order by seq desc limit 50', 'member'),
('messages order by id desc limit 50', 'member'),
('messages where id = {text} limit 1', 'admin'),
('conversations order by last_activity_at desc limit 50', 'member'),
('participants where user_id = {ann}', 'member'),
('get_conversation_messages({group}, around_seq => 5000)', 'member'),
('get_conversation_messages({group}, before_seq => 5000)', 'member'),
('get_conversation_messages({group}, after_seq => 5000)', 'member'),
('get_conversation_messages({group}, after_seq => 10)', 'late'),
('get_events({group}, 9000)', 'member'),
('mark_as_read({group}, 9000)', 'late');

-- the work that is done at a time
insert into t.run select 'parley.' || j.name || '()', 'nobody' from parley.job j;
-- what the worker asks for sockets
insert into t.run values
($$parley.authorize_join('authenticated', {bob}, 0, concat('conversation:', {group}))$$, 'nobody'),
($$parley.authorize_join('authenticated', {bob}, 0, concat('user:', {bob}))$$, 'nobody'),
($$parley.replay('authenticated', {bob}, concat('conversation:', {group}), 5000, null, 100)$$, 'nobody'),
($$parley.replay('authenticated', {bob}, concat('conversation:', {group}), null, now() - interval '1 hour', 100)$$, 'nobody'),
($$parley.replay('authenticated', {bob}, concat('user:', {bob}), null, now() - interval '1 hour', 100)$$, 'nobody');

create table t.node (call text, mode text, what text, query text, relation text, parent text, path text, node jsonb);
create table t.calls (call text, mode text, function_name text, calls bigint);

-- Runs a call with auto_explain and takes what it says out of the log: one row for every node of every plan. Conditions
-- name the schema of a function, because no search_path here has parley in it.
create function t.explain(call text, actor text, mode text) returns integer language plpgsql as $$
declare
    v_call text := t.fill(call);
    v_log text := current_setting('data_directory') || '/../log';
    v_from bigint := (pg_stat_file(v_log)).size;
    v_before jsonb := (select jsonb_object_agg(f.funcid, f.calls) from pg_stat_xact_user_functions f);
    v_count integer;
    v_code text;
begin
    begin
        if actor <> 'nobody' then
            perform t.become(actor);
        end if;
        execute case when call ~ '^[\w.]+\(' then 'select ' else 'select * from ' end
            || case when call !~ '^parley\.' then 'parley_api.' else '' end || v_call;
        raise sqlstate 'ZZ000';
    exception
        when sqlstate 'ZZ000' then
            null;
        when others then
            raise exception 'not allowed to %: %, % %', actor, call, sqlstate, sqlerrm;
    end;
    insert into t.calls
    select call, mode, f.schemaname || '.' || f.funcname, f.calls - coalesce((v_before ->> f.funcid::text)::bigint, 0)
    from pg_stat_xact_user_functions f
    where f.schemaname = 'parley' and f.calls > coalesce((v_before ->> f.funcid::text)::bigint, 0);
    insert into t.node
    with recursive
    entry as (
        -- a tab begins every line of the log that continues an entry
        select
            replace(split_part(e.text, E'\n\t}\n', 1), E'\n\t', E'\n') || '}' as plan,
            substring(split_part(e.text, E'\n\t}\n', 2) from 'function "?([\w.]+)') as caller
        from unnest((string_to_array(pg_read_file(v_log, v_from, 1000000000), E' ms  plan:\n\t'))[2:]) as e (text)
    ),

    plan as (select e.plan::jsonb as plan, e.caller from entry e),

    node as (
        select p.plan ->> 'Query Text' as query, p.caller, p.plan -> 'Plan' as node, '' as parent, '' as path
        from plan p
        where p.plan ->> 'Query Text' !~ '\mt\.\w+\('
        union all
        select n.query, n.caller, c, n.node ->> 'Node Type', concat_ws(' > ', nullif(n.path, ''), n.node ->> 'Node Type')
        from node n cross join lateral jsonb_array_elements(n.node -> 'Plans') c
    )

    select call, mode, n.caller, n.query, n.node ->> 'Relation Name', n.parent, n.path, n.node - 'Plans' from node n;
    get diagnostics v_count = row_count;
    return v_count;
end
$$;

load 'auto_explain';
set auto_explain.log_min_duration = 0;
set auto_explain.log_nested_statements = on;
set auto_explain.log_analyze = on;
set auto_explain.log_timing = off;
set auto_explain.log_format = json;
set track_functions = 'all';
set client_min_messages = warning;
set log_statement = 'none';

-- Reading a table from end to end costs as much as if it had a hundred times the pages: the planner is to decide as it
-- does where tables are large. What it finds by an index costs the same.
set seq_page_cost = 100;

set plan_cache_mode = force_custom_plan;
create table t.explained as
select r.call, 'custom' as mode, t.explain(r.call, r.actor, 'custom') as nodes from t.run r;
-- plans for arguments that are not known, as a session that has called a function often uses them
set plan_cache_mode = force_generic_plan;
insert into t.explained select r.call, 'generic', t.explain(r.call, r.actor, 'generic') from t.run r;
reset plan_cache_mode;
reset seq_page_cost;
set auto_explain.log_min_duration = -1;
set client_min_messages = notice;

-- --- what must not be
create view t.scan as
select
    n.call, n.mode, coalesce(n.what, 'the call itself') as what, s.name, n.node ->> 'Node Type' as node,
    concat_ws(' ', n.node ->> 'Filter', n.node ->> 'Index Cond', n.node ->> 'Recheck Cond', n.node ->> 'Join Filter') as conditions,
    (
        (n.node ->> 'Actual Rows')::numeric + coalesce((n.node ->> 'Rows Removed by Filter')::numeric, 0)
        + coalesce((n.node ->> 'Rows Removed by Index Recheck')::numeric, 0)
    ) * (n.node ->> 'Actual Loops')::numeric as rows
from t.node n
inner join t.scanned s on s.oid = to_regclass('parley.' || quote_ident(n.relation))
-- to read an empty partition is to read nothing
where pg_relation_size(s.oid) > 0;
-- Leases of apps that are open last half a minute and are renewed every 15 s: an index on their end, for the upkeep of
-- each minute, would cost each renewal its place on the page.
create view t.scanned_from_end_to_end as
select distinct x.what, x.name, x.call, x.mode
from t.scan x
where x.node ~ 'Seq Scan' and (x.what, x.name) <> ('parley.push_upkeep', 'push_focus');
-- Of the 10,000 messages of a conversation a page looks at few, and so does all else: a view without a limit reads about what
-- it shows. The exceptions look through the log of one conversation on behalf of moderators, or are the work at a time.
create view t.shown as
select n.call, n.mode, max((n.node ->> 'Actual Rows')::numeric) as rows from t.node n where n.path = '' group by n.call, n.mode;
-- Known to read every message of the conversation: the planner expects so few of them behind the policies of the view that it
-- sorts them all for a page, and joins the markers of a conversation with all of its messages.
create table t.known (call text primary key);
insert into t.known values
('messages order by id desc limit 50'),
('messages where conversation_id = {group} order by seq desc limit 50'),
('message_receipts where conversation_id = {group}');
create view t.reads_too_much as
select x.what, x.name, x.call, x.mode, max(x.rows) as rows, max(s.rows) as shown
from t.scan x
inner join t.shown s using (call, mode)
where x.rows > 3000 and x.rows > 3 * s.rows and x.call !~ '^(parley\.(?!authorize_join|replay)|conversation_as_of|explain_delivery)'
group by x.what, x.name, x.call, x.mode;
create view t.read_too_much as select r.* from t.reads_too_much r where r.call not in (select k.call from t.known k);
-- A function in a condition of a view's query is evaluated for each row. Elsewhere a condition may call one for the one
-- row it is about; if it were for many, there would be as many calls.
create view t.evaluated_for_each_row as
select distinct n.call, n.mode, n.node ->> 'Node Type' as node, c.condition
from t.node n
cross join lateral unnest(array[
    n.node ->> 'Filter', n.node ->> 'Index Cond', n.node ->> 'Recheck Cond', n.node ->> 'Join Filter', n.node ->> 'Hash Cond'
]) as c (condition)
where n.query ~ '^select \* from parley_api\.' and c.condition ~ '\mparley\.\w+\(';
-- once for each table of a view, and by each other; a notice that is shown gets its names
create view t.called_often as
select c.call, c.mode, c.function_name, c.calls from t.calls c
where c.call !~ '^[\w.]+\(' and c.calls > 8
    and c.function_name not in ('parley.notice_text', 'parley.actor_name', 'parley.display_name_of');
create view t.evaluated_again as
select distinct n.call, n.mode, n.node ->> 'Subplan Name' as subplan, (n.node ->> 'Actual Loops')::numeric as loops
from t.node n
where n.query ~ '^select \* from parley_api\.' and n.node ->> 'Subplan Name' like 'InitPlan%' and (n.node ->> 'Actual Loops')::numeric > 1;

select is_empty(
    $$select o.name from (
          select p.proname::text from pg_proc p where p.pronamespace = 'parley_api'::regnamespace
          union all select c.relname::text from pg_class c where c.relnamespace = 'parley_api'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
      ) as o (name)
      where o.name not in (select substring(r.call from '^\w+') from t.run r)$$,
    'everything in parley_api has run'
);
select is_empty('select call, mode from t.explained where nodes = 0', 'and the plans of every call were seen');
select cmp_ok((select count(distinct what) from t.node), '>', 100::bigint, 'those inside functions as well');
select is_empty('select * from t.scanned_from_end_to_end', 'no query scans a table that grows');
select is_empty('select * from t.read_too_much', 'or reads many times more than it shows');
select is_empty('select call from t.known except select call from t.reads_too_much', 'besides what is known to');
select is_empty('select * from t.evaluated_for_each_row', 'no policy evaluates a function for each row');
select is_empty('select * from t.called_often', 'or calls one again and again');
select isnt_empty(
    $$select from t.node n where n.query ~ '^select \* from parley_api\.' and n.node ->> 'Subplan Name' like 'InitPlan%'$$,
    'what does not depend on the row are initial plans'
);
select is_empty('select * from t.evaluated_again', 'which run once');

-- each of these must be found
truncate t.node, t.calls;
create function parley.is_mine(conversation_id uuid) returns boolean language sql stable security definer set search_path = pg_catalog, pg_temp as
'select $1 in (select parley.my_conversation_ids())';
grant execute on function parley.is_mine(uuid) to authenticated;
alter policy participant_select_mine on parley.participant using (parley.is_mine(conversation_id));
set auto_explain.log_min_duration = 0;
set client_min_messages = warning;
select t.explain('participants', 'member', 'custom') as nodes \gset
set auto_explain.log_min_duration = -1;
set client_min_messages = notice;
select isnt_empty($$select from t.scanned_from_end_to_end where name = 'participant'$$, 'a scan is found');
select isnt_empty('select from t.read_too_much', 'and how much it reads');
select isnt_empty('select from t.evaluated_for_each_row', 'a policy that evaluates a function for each row is found');
select isnt_empty($$select from t.called_often where function_name = 'parley.is_mine'$$, 'and how often it does');

select * from finish();
rollback;
