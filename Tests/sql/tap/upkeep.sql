-- Upkeep: bounded rounds, by the worker only, one at a time; partitions are there before they are needed.
begin;
select plan(33);
\ir ../people.psql

create function t.months() returns text language sql as $$
    select string_agg(substr(c.relname, 9), ' ' order by c.relname)
    from pg_catalog.pg_inherits i inner join pg_catalog.pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'parley.message'::regclass
$$;

-- by whom
select t.act('ann');
select t.refused('42501', 'select parley.maintain()', 'a user maintains nothing');
select t.refused('42501', 'select parley.purge_events(interval ''90 days'')', 'and purges nothing');
select t.claim('service_role', '{"role": "service_role"}');
select t.refused('42501', 'select parley.maintain()', 'nor does the service role');
select t.claim('parley_worker', '');
select lives_ok('select parley.maintain()', 'the worker does');
select is(parley.maintain() - 'events_purged', '{"busy": false, "partitions_made": 0, "workers_removed": 0, "log_adopted": false}', 'and finds nothing to do');
select t.refused('42501', 'select parley.ensure_partitions()', 'its parts are not the worker''s');

-- partitions
select t.host();
select is(
    t.months(),
    (select string_agg(to_char(date_trunc('month', now() at time zone 'UTC') + make_interval(months => n), 'YYYY_MM'), ' ' order by n) from generate_series(-1, 3) n),
    'last month, this month and the next three have a partition'
);
select t.refused('PT400', 'select parley.ensure_partitions(-1)', 'partitions are made ahead');
select t.refused('PT400', 'select parley.ensure_partitions(25)', 'but not for ever');
select t.refused('PT400', 'select parley.ensure_partitions(null)', 'nor for nobody knows how long');
select is(parley.ensure_partitions(3), 0, 'what is there is not made again');
select is(parley.ensure_partitions(5), 2, 'what is missing is');
select is(parley.ensure_partitions(5), 0, 'once');
select is_empty(
    $$select c.relname from pg_catalog.pg_inherits i inner join pg_catalog.pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'parley.message'::regclass and not c.relrowsecurity$$, 'each has row-level security'
);
select is_empty(
    $$select i.inhrelid::regclass from pg_catalog.pg_inherits i
      where i.inhparent = 'parley.message'::regclass and not exists (
        select from pg_catalog.pg_constraint k where k.conrelid = i.inhrelid and k.contype = 'u'
            and pg_get_constraintdef(k.oid) = 'UNIQUE (conversation_id, seq)')$$, 'and its own rule that a seq is there once'
);
select is_empty(
    $$select i.inhrelid::regclass from pg_catalog.pg_inherits i, unnest(array['anon', 'authenticated', 'service_role', 'parley_worker']) r (name)
      where i.inhparent = 'parley.message'::regclass and (has_table_privilege(r.name, i.inhrelid, 'select')
        or has_any_column_privilege(r.name, i.inhrelid, 'select'))$$, 'and nobody but the owner reads it'
);
select is(
    (select count(*) from pg_catalog.pg_inherits i inner join pg_catalog.pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'parley.message'::regclass and pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT'),
    0::bigint, 'there is no default partition'
);
select is(
    (
        select bool_and(
            (regexp_match(b, $$TO \('(.+)'\)$$))[1] = coalesce(next_from, (regexp_match(b, $$TO \('(.+)'\)$$))[1])
        )
        from (
            select b, lead((regexp_match(b, $$FROM \('(.+)'\) TO$$))[1]) over (order by relname) as next_from
            from (
                select c.relname, pg_get_expr(c.relpartbound, c.oid) as b
                from pg_catalog.pg_inherits i inner join pg_catalog.pg_class c on c.oid = i.inhrelid
                where i.inhparent = 'parley.message'::regclass
            ) p
        ) q
    ),
    true, 'and between two months there is nothing'
);
select parley.uuid_v7(date_trunc('month', now() at time zone 'UTC') at time zone 'UTC') as first_of_month \gset
select lives_ok(
    format('insert into parley.message (id, conversation_id, seq, created_at, type, content) values (%L, %L, 1, now(), %L, %L)',
        :'first_of_month', t.id('none'), 'text', 'x'), 'the first moment of a month has a place'
);
select parley.uuid_v7((date_trunc('month', now() at time zone 'UTC') + interval '1 month' - interval '1 millisecond') at time zone 'UTC') as last_of_month \gset
select lives_ok(
    format('insert into parley.message (id, conversation_id, seq, created_at, type, content) values (%L, %L, 2, now(), %L, %L)',
        :'last_of_month', t.id('none'), 'text', 'x'), 'and so has the last'
);

-- the purge of the log
delete from parley.consumer;
insert into parley.event (kind, user_id, created_at)
select 'x', t.id('ann'), now() - interval '100 days' from generate_series(1, 50);
insert into parley.event (kind, user_id) values ('young', t.id('ann'));
select t.claim('parley_worker', '');
select t.refused('PT400', 'select parley.purge_events(interval ''59 minutes'')', 'events of the last hour are never purged');
select t.refused('PT400', 'select parley.purge_events(null)', 'a purge needs a bound');
select t.refused('PT400', 'select parley.purge_events(interval ''90 days'', 0)', 'and a batch');
select t.refused('PT400', 'select parley.purge_events(interval ''90 days'', 1000001)', 'that is not everything');
select t.refused('PT400', 'select parley.purge_events(interval ''90 days'', null)', 'nor unknown');
select is(parley.purge_events(interval '90 days', 20), 20::bigint, 'a purge does as much as it was asked for');
select is(parley.purge_events(interval '90 days', 20), 20::bigint, 'and again');
select is(parley.purge_events(interval '90 days', 20), 10::bigint, 'until nothing old is left');
select is(parley.purge_events(interval '90 days', 20), 0::bigint, 'and then nothing');
select is(t.look('select string_agg(kind, '' '') from parley.event'), 'young', 'what is young stays');
select t.host();
insert into parley.event (kind, user_id, created_at)
select 'x', t.id('ann'), now() - interval '31 days' from generate_series(1, 50);
select is(parley.maintain() -> 'events_purged', '0', 'maintain keeps events for as long as the setting says');
update parley.setting set value = '30' where name = 'event_retention_days';
select is(parley.maintain() -> 'events_purged', '0', 'a younger event before them holds them');
update parley.event set created_at = now() - interval '40 days' where kind = 'young';
select is(parley.maintain() -> 'events_purged', '51', 'a shorter time is obeyed at once');

select * from finish();
rollback;
