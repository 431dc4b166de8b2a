-- A pass over all conversations, in steps of one short transaction each: retires what no window reaches, takes back
-- what one reaches again, and purges what has been retired for long enough. The row of the pass and the rows it counts
-- change in the same transaction, so a crash in between loses and doubles nothing.

create or replace function parley.move_retired(
    conversation_id uuid, from_seq bigint, to_seq bigint, retired_at timestamptz
)
returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_ids uuid[];
    v_count bigint;
begin
    with moved as (
        update parley.message as m
        set retired_at = move_retired.retired_at
        where m.conversation_id = move_retired.conversation_id
            and m.seq between move_retired.from_seq and move_retired.to_seq
            and (m.retired_at is null) = (move_retired.retired_at is not null)
        returning m.id, m.has_attachments
    )

    select count(*), array_agg(v.id) filter (where v.has_attachments) into v_count, v_ids from moved as v;
    if v_ids is not null then
        update parley.attachment as a
        set retired_at = move_retired.retired_at
        where a.message_id = any (v_ids) and a.conversation_id is not distinct from move_retired.conversation_id;
    end if;
    insert into parley.conversation_retention as r (conversation_id, retired_seq)
    values (
        move_retired.conversation_id,
        case when move_retired.retired_at is null then move_retired.from_seq - 1 else move_retired.to_seq end
    )
    on conflict on constraint conversation_retention_pkey do update set retired_seq = excluded.retired_seq;
    return v_count;
end;
$$;
comment on function parley.move_retired is
'Retires the messages of a range, or takes them back (retired_at null). The range ends, or begins, at the border of before. Returns how many.';

create or replace function parley.return_range(conversation_id uuid, first_seq bigint, last_seq bigint, batch bigint)
returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- the newest first, so that the border stays one
    return parley.move_retired(
        return_range.conversation_id,
        greatest(return_range.first_seq, return_range.last_seq - batch + 1),
        return_range.last_seq,
        null
    );
end;
$$;
comment on function parley.return_range is
'Takes back retired messages up to the border, at most batch. Returns how many there were.';

create or replace function parley.purge_retired(
    conversation_id uuid, retired_seq bigint, floor_id uuid, before timestamptz, batch bigint
)
returns table (purged bigint, bytes bigint, files bigint, checksum bigint, last_seq bigint)
language plpgsql volatile security definer
rows 1
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_messages parley.message[];
begin
    -- retired_at rises with seq: mostly the first one says that there is nothing to do
    if (
        select m.retired_at <= purge_retired.before
        from parley.message as m
        where m.conversation_id = purge_retired.conversation_id and m.seq <= purge_retired.retired_seq
        order by m.seq
        limit 1
    ) is not true then
        return;
    end if;
    -- looked at again under the lock: one that was taken back meanwhile stays
    select count(*), sum(x.bytes), bit_xor(hashtextextended((x.message).id::text, 0)), max((x.message).seq), array_agg(x.message)
    into purged, bytes, checksum, last_seq, v_messages
    from (
        select m as message, parley.purged_bytes(m) as bytes
        from parley.message as m
        where m.conversation_id = purge_retired.conversation_id
            and m.seq <= purge_retired.retired_seq
            and m.retired_at <= purge_retired.before
            and m.id < purge_retired.floor_id
        order by m.seq
        limit purge_retired.batch
        for update skip locked
    ) as x;
    if purged = 0 then
        return;
    end if;
    files := parley.purge_messages(v_messages);
    perform parley.keep_keys(v_messages, clock_timestamp());
    return next;
end;
$$;
comment on function parley.purge_retired is
'Purges the oldest messages of a conversation that were retired before a moment, at most batch; says what went. No row: nothing.';

create or replace function parley.remember_leaving(conversation_id uuid, is_empty boolean, tier_name text)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if is_empty then
        insert into parley.conversation_retention as r (conversation_id, left_tier_name)
        values (remember_leaving.conversation_id, remember_leaving.tier_name)
        on conflict on constraint conversation_retention_pkey do update
        set left_tier_name = excluded.left_tier_name
        where r.left_tier_name is distinct from excluded.left_tier_name;
    else
        update parley.conversation_retention as r
        set left_tier_name = null
        where r.conversation_id = remember_leaving.conversation_id and r.left_tier_name is not null;
    end if;
end;
$$;
comment on function parley.remember_leaving is
'Whose plan counts while nobody is in a conversation is what it was when it was first found so.';

create or replace function parley.retention_run(as_of timestamptz default now(), batch integer default 1000)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_run parley.retention_run;
    v_ids uuid[];
    v_window record;
    v_gone record;
    v_floor uuid;
    v_before timestamptz;
    v_border bigint;
    v_count bigint;
    v_budget bigint := retention_run.batch;
    v_more boolean := false;
begin
    if as_of is null or batch is null or batch not between 1 and 100000 then
        raise exception using
            errcode = 'PT400', message = 'as_of must be a moment, and batch between 1 and 100000.';
    end if;
    if not pg_try_advisory_xact_lock(hashtextextended('parley:retention', 0)) or not parley.holds_stand_still() then
        return jsonb_build_object('busy', true, 'more', false);
    end if;
    select r.* into v_run from parley.retention_run as r where r.ended_at is null;
    if not found then
        insert into parley.retention_run as r (as_of) values (retention_run.as_of) returning r.* into v_run;
        perform parley.purge_keys(v_run.as_of, 10000);
    end if;
    v_ids := array(
        select c.id from parley.conversation as c where c.id > v_run.after_conversation_id order by c.id limit 50
    );
    for v_window in select w.* from parley.retention_windows(v_ids) as w loop
        v_floor := parley.retention_floor(v_run.as_of, v_window.visible_days);
        perform parley.remember_leaving(v_window.conversation_id, v_window.is_empty, v_window.tier_name);
        -- the border between what is retired and what somebody sees
        v_border := parley.first_seq_in_window(v_window.conversation_id, v_window.retired_seq, v_window.last_seq, v_floor);
        if v_border > v_window.retired_seq + 1 then
            v_count := parley.move_retired(
                v_window.conversation_id, v_window.retired_seq + 1,
                least(v_border - 1, v_window.retired_seq + v_budget), v_run.as_of
            );
            v_run.retired := v_run.retired + v_count;
            v_more := v_border - 1 > v_window.retired_seq + v_budget;
            v_budget := v_budget - v_count;
            v_window.retired_seq := v_border - 1;
        elsif v_window.retired_seq > v_window.purged_seq then
            v_border := parley.first_seq_in_window(v_window.conversation_id, 0, v_window.retired_seq, v_floor);
            if v_border <= v_window.retired_seq then
                v_count := parley.return_range(v_window.conversation_id, v_border, v_window.retired_seq, v_budget);
                v_run.returned := v_run.returned + v_count;
                v_more := v_window.retired_seq - v_border + 1 > v_budget;
                v_budget := v_budget - v_count;
            end if;
        end if;
        -- what is held stays; what is only just retired has its grace before it
        if not v_more and not v_window.held and v_budget > 0 then
            v_before := v_run.as_of - make_interval(days => v_window.grace_days::integer);
            select g.* into v_gone
            from parley.purge_retired(
                v_window.conversation_id, v_window.retired_seq, v_floor, v_before, v_budget
            ) as g;
            if found then
                update parley.conversation_retention as r
                set purged_seq = greatest(r.purged_seq, v_gone.last_seq)
                where r.conversation_id = v_window.conversation_id
                returning r.purged_seq into v_window.purged_seq;
                v_run.purged := v_run.purged + v_gone.purged;
                v_run.purged_bytes := v_run.purged_bytes + v_gone.bytes;
                v_run.files := v_run.files + v_gone.files;
                v_run.checksum := v_run.checksum # v_gone.checksum;
                v_more := v_gone.purged = v_budget;
                v_budget := v_budget - v_gone.purged;
            end if;
            if not v_more and v_window.purged_seq > v_window.swept_seq then
                v_more := parley.sweep_conversation(
                    v_window.conversation_id, v_window.purged_seq, v_floor, retention_run.batch
                );
                if not v_more then
                    update parley.conversation_retention as r
                    set swept_seq = v_window.purged_seq
                    where r.conversation_id = v_window.conversation_id;
                end if;
            end if;
        end if;
        exit when v_more or v_budget <= 0;
        v_run.after_conversation_id := v_window.conversation_id;
    end loop;
    v_more := v_more or v_budget <= 0 or cardinality(v_ids) = 50;
    update parley.retention_run as r
    set
        after_conversation_id = v_run.after_conversation_id,
        steps = r.steps + 1,
        retired = v_run.retired,
        returned = v_run.returned,
        purged = v_run.purged,
        purged_bytes = v_run.purged_bytes,
        files = v_run.files,
        checksum = v_run.checksum,
        stepped_at = clock_timestamp(),
        ended_at = case when not v_more then clock_timestamp() end
    where r.id = v_run.id
    returning r.* into v_run;
    return to_jsonb(v_run) - 'after_conversation_id'::text || jsonb_build_object('busy', false, 'more', v_more);
end;
$$;
comment on function parley.retention_run is
'One step of the pass that is under way, or of a new one; at most batch messages. Returns its row of the log, and whether there is more. as_of moves the clock, in tests.';

create or replace function parley.retain_messages()
returns boolean
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select (parley.retention_run() ->> 'more')::boolean
$$;
comment on function parley.retain_messages is
'A job: a step of retention. True: there is more.';
