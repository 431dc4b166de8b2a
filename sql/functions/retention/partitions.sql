-- Months that have nothing left are given back to the disk. No function can detach without stopping anybody, so
-- parley.partitions_to_drop() tells the statements.

create or replace function parley.partitions_to_drop()
returns table (statement text)
language plpgsql stable security definer
rows 10
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text;
    v_is_attached boolean;
    v_is_empty boolean;
begin
    for v_name, v_is_attached in
        select c.relname, c.relispartition
        from pg_catalog.pg_class as c
        where c.relnamespace = 'parley'::regnamespace
            and c.relkind = 'r'
            and c.relname ~ '^message_[0-9]{4}_[0-9]{2}$'
            -- no id of now can fall into it, also where the clock was set back
            and to_date(right(c.relname, 7), 'YYYY_MM') < clock_timestamp() - interval '65 days'
            and (c.relispartition or pg_catalog.obj_description(c.oid, 'pg_class') like 'Messages of % (UTC).')
        order by c.relname
    loop
        execute format('select not exists (select from parley.%I)', v_name) into v_is_empty;
        continue when not v_is_empty;
        if v_is_attached then
            statement := format('alter table parley.message detach partition parley.%I concurrently', v_name);
            return next;
        end if;
        statement := format('select parley.drop_partition(%L)', v_name);
        return next;
    end loop;
end;
$$;
comment on function parley.partitions_to_drop is
'The statements that detach and drop the months of messages which are over and empty. Run each by itself: select statement from parley.partitions_to_drop() \gexec';

create or replace function parley.drop_partition(name text)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_is_empty boolean;
begin
    if not exists (
        select from pg_catalog.pg_class as c
        where c.relnamespace = 'parley'::regnamespace
            and c.relname = drop_partition.name
            and c.relname ~ '^message_[0-9]{4}_[0-9]{2}$'
            and c.relkind = 'r'
            and not c.relispartition
    ) then
        raise exception using
            errcode = 'PT404',
            message = 'There is no such detached month.',
            hint = 'See parley.partitions_to_drop().';
    end if;
    -- nobody looks into it, but for a dump: not longer than this behind one
    perform set_config('lock_timeout', '5s', true);
    execute format('lock table parley.%I in access exclusive mode', name);
    execute format('select not exists (select from parley.%I)', name) into v_is_empty;
    if v_is_empty then
        execute format('drop table parley.%I', name);
    end if;
    return v_is_empty;
end;
$$;
comment on function parley.drop_partition is 'Drops a month of messages that was detached and is empty. False: it is not.';
