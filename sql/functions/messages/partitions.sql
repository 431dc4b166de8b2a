-- The monthly partitions of parley.message, always made ahead: there is no default partition, because one would forbid
-- detaching concurrently and hide a missing month.

create or replace function parley.ensure_partitions(months_ahead integer default 3)
returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_this_month timestamp := date_trunc('month', clock_timestamp() at time zone 'UTC');
    v_month timestamptz;
    v_name text;
    v_made integer := 0;
begin
    if months_ahead is null or months_ahead not between 0 and 24 then
        raise exception using errcode = 'PT400', message = 'months_ahead must be between 0 and 24.';
    end if;
    -- one at a time; whoever comes second finds the work done
    perform pg_advisory_xact_lock(hashtextextended('parley.ensure_partitions', 0));
    -- from last month on: a clock that is set back across midnight of the first must not stop the sends
    for v_ahead in -1..months_ahead loop
        v_month := (v_this_month + make_interval(months => v_ahead)) at time zone 'UTC';
        v_name := 'message_' || to_char(v_month at time zone 'UTC', 'YYYY_MM');
        continue when to_regclass('parley.' || v_name) is not null;
        execute format('create table parley.%I (like parley.message including all)', v_name);
        execute format(
            'alter table parley.%I add constraint %I unique (conversation_id, seq)',
            v_name, v_name || '_conversation_seq_key'
        );
        -- a partition does not inherit the policies of its parent; nobody but the owner reads it directly
        execute format('alter table parley.%I enable row level security', v_name);
        -- attached when complete, which stops neither readers nor writers; `partition of` would wait for every reader
        -- of any message, and every send would wait behind it
        execute format(
            'alter table parley.message attach partition parley.%I for values from (%L) to (%L)',
            v_name,
            parley.uuid_v7_floor(v_month),
            parley.uuid_v7_floor((v_month at time zone 'UTC' + interval '1 month') at time zone 'UTC')
        );
        execute format('revoke all on table parley.%I from public', v_name);
        execute format(
            'comment on table parley.%I is %L',
            v_name, format('Messages of %s (UTC).', to_char(v_month at time zone 'UTC', 'YYYY-MM'))
        );
        v_made := v_made + 1;
    end loop;
    update parley.tier as t
    set partitions_from = b.first_moment, partitions_until = b.last_moment
    from (
        select
            (v_this_month - interval '1 month') at time zone 'UTC' as first_moment,
            (v_this_month + make_interval(months => months_ahead + 1)) at time zone 'UTC' as last_moment
    ) as b
    where (t.partitions_from, t.partitions_until) is distinct from (b.first_moment, b.last_moment);
    return v_made;
end;
$$;
comment on function parley.ensure_partitions is
'Makes the message partitions of last month, this month and the given number of months ahead. Returns how many were missing.';
