-- Durable consumers: readers of the log whose cursor is a row, advanced in the same transaction as their effect. If the
-- effect rolls back, so does the cursor: every event takes effect exactly once. The row lock makes that true for many
-- processes with one name; whoever finds it locked gets nothing and asks again later.

create or replace function parley.consumer_floor(consumer_epoch text, epoch text)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- A cursor that came with a dump speaks of the transaction ids of the old cluster, as do the events that came with
    -- it: for this one read they fit together, and the floor, which hides them from cursors of this cluster, is off.
    if split_part(consumer_epoch, '/', 1) <> split_part(consumer_floor.epoch, '/', 1) then
        return 0;
    end if;
    return (select s.floor_id from parley.log_state as s);
end;
$$;
comment on function parley.consumer_floor is 'The floor_id that a consumer with a cursor of this epoch must read with.';

create or replace function parley.create_consumer(name text, from_beginning boolean default false)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.adopt_log();
    insert into parley.consumer (name, snapshot, max_id, epoch)
    select
        create_consumer.name,
        parley.cursor_snapshot(),
        case when from_beginning then 0 else parley.log_end() end,
        parley.log_epoch()
    on conflict on constraint consumer_pkey do nothing;
    return found;
end
$$;
comment on function parley.create_consumer is
'Makes a durable consumer that begins at the end of the log, or with the oldest event kept. False: it exists already.';
grant execute on function parley.create_consumer to parley_worker;

create or replace function parley.consume_ids(name text, batch integer default 1000)
returns bigint[]
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_consumer parley.consumer;
    v_epoch text := parley.log_epoch();
    v_floor bigint;
    v_ids bigint[];
begin
    select c.* into v_consumer from parley.consumer c where c.name = consume_ids.name;
    if not found then
        raise exception using
            errcode = 'PT404',
            message = 'There is no consumer of this name.',
            hint = 'Make it with parley.create_consumer(name).';
    end if;
    if batch is null or batch not between 1 and 100000 then
        raise exception using errcode = 'PT400', message = 'batch must be between 1 and 100000.';
    end if;

    -- A look without the lock: a consumer with nothing to do writes nothing, not even a row lock.
    v_floor := parley.consumer_floor(v_consumer.epoch, v_epoch);
    if parley.read_log_ids(v_consumer.snapshot, v_consumer.max_id, 1, v_floor) = '{}' then
        return '{}';
    end if;

    select c.* into v_consumer from parley.consumer c where c.name = consume_ids.name for update skip locked;
    if not found then
        return '{}';
    end if;
    if v_consumer.epoch <> v_epoch then
        perform parley.adopt_log();
        v_floor := parley.consumer_floor(v_consumer.epoch, v_epoch);
    end if;

    -- one statement, hence one snapshot, for what is read and for where the next read begins
    with fresh as materialized (
        select
            parley.cursor_snapshot() as snapshot,
            parley.read_log_ids(v_consumer.snapshot, v_consumer.max_id, batch, v_floor) as ids
    ),
    moved as (
        update parley.consumer c
        set
            snapshot = f.snapshot,
            max_id = greatest(c.max_id, (select max(i) from unnest(f.ids) i)),
            epoch = v_epoch,
            updated_at = clock_timestamp()
        from fresh f
        where c.name = consume_ids.name
    )
    select f.ids into v_ids from fresh f;
    return v_ids;
end
$$;
comment on function parley.consume_ids is
'Ids of the next events of a durable consumer, in no order; its cursor moves when the calling transaction commits.';

create or replace function parley.consume(name text, batch integer default 1000)
returns setof parley.rendered_event
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- a statement before the one that renders, whose snapshot would else be older than what was read
    v_ids constant bigint[] := parley.consume_ids(consume.name, consume.batch);
begin
    return query select * from parley.render_events(v_ids);
end
$$;
comment on function parley.consume is
'The next events of a durable consumer; its cursor moves when the calling transaction commits. Do the effect in it.';
grant execute on function parley.consume to parley_worker;
