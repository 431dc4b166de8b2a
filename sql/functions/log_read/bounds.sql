-- The borders of what is kept and of what a reader may see.

create or replace function parley.first_kept_event_seq(conversation_id uuid)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    return coalesce(
        (
            select e.event_seq
            from parley.event e
            where e.conversation_id = first_kept_event_seq.conversation_id
            order by e.event_seq
            limit 1
        ),
        (select c.last_event_seq + 1 from parley.conversation c where c.id = first_kept_event_seq.conversation_id)
    );
end;
$$;
comment on function parley.first_kept_event_seq is
'The first event_seq of a conversation that has not been purged; one past the last if none is left.';

create or replace function parley.first_event_since(
    conversation_id uuid, last_event_seq bigint, since timestamptz
)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_before bigint := 0; -- this event is older, or purged, or before the first
    v_after bigint := last_event_seq + 1; -- this one is young enough, or beyond the last
    v_probe bigint := last_event_seq;
    v_step bigint := 1;
begin
    -- created_at rises with event_seq: back from the end in doubling steps, then halving, as in first_unseen
    while v_after > v_before + 1 loop
        if exists (
            select from parley.event e
            where
                e.conversation_id = first_event_since.conversation_id
                and e.event_seq = v_probe
                and e.created_at >= first_event_since.since
        ) then
            v_after := v_probe;
        else
            v_before := v_probe;
        end if;
        if v_before = 0 then
            v_probe := least(greatest(last_event_seq - v_step, 1), v_after - 1);
            v_step := v_step * 2;
        else
            v_probe := (v_before + v_after) / 2;
        end if;
    end loop;
    return v_after;
end
$$;
comment on function parley.first_event_since is
'The first event_seq of a conversation that is kept and not older than a time; one past the last if there is none.';

create or replace function parley.window_start(message_floor uuid)
returns timestamptz
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select to_timestamp(('x' || left(translate(message_floor::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
$$;
comment on function parley.window_start is 'How far back a tier reaches, as a time: that of its message_floor_of.';

create or replace function parley.first_event_in_window(
    conversation_id uuid, from_event_seq bigint, last_event_seq bigint, message_floor uuid
)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_since constant timestamptz := parley.window_start(message_floor);
begin
    -- who asks for what is young, as nearly everybody does, pays one look
    if (
        select e.created_at >= v_since
        from parley.event e
        where e.conversation_id = first_event_in_window.conversation_id and e.event_seq >= from_event_seq
        order by e.event_seq
        limit 1
    ) is not false then
        return from_event_seq;
    end if;
    -- not back: a clock that was set back leaves times that do not rise
    return greatest(
        from_event_seq, parley.first_event_since(first_event_in_window.conversation_id, last_event_seq, v_since)
    );
end
$$;
comment on function parley.first_event_in_window is
'The event_seq from this one on before which everything was written before the window of a tier.';

create or replace function parley.gap_json(
    conversation_id uuid, from_seq bigint, to_seq bigint, reason text
)
returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'conversation_id', conversation_id,
        'from', from_seq,
        'to', to_seq,
        'reason', reason,
        'readable', reason in ('limit', 'size')
    )
$$;
comment on function parley.gap_json is
'What an answer leaves out, and why. Left out for its number or size it is readable: get_events brings it, and sync what is of the user alone. The rest is lost to the reader: purged, before_joining, beyond_tier, or reset, which is a position that this log has never had.';

create or replace function parley.replay_gap(
    conversation_id uuid,
    after_event_seq bigint,
    kept_from bigint,
    events_from bigint,
    window_from bigint,
    last_event_seq bigint
)
returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when after_event_seq > last_event_seq
            then parley.gap_json(conversation_id, last_event_seq + 1, after_event_seq, 'reset')
        when after_event_seq + 1 < greatest(kept_from, events_from, window_from)
            then parley.gap_json(
                conversation_id,
                after_event_seq + 1,
                greatest(kept_from, events_from, window_from) - 1,
                case greatest(kept_from, events_from, window_from)
                    when kept_from then 'purged'
                    when events_from then 'before_joining'
                    else 'beyond_tier'
                end
            )
    end
$$;
comment on function parley.replay_gap is
'What lies after an event_seq and cannot be read: because the log has never reached it, it is no longer kept, was before the reader joined, or lies beyond the window of the reader''s tier. Null: nothing.';

create or replace function parley.first_unseen(
    conversation_id uuid, last_event_seq bigint, snapshot pg_snapshot, max_id bigint, floor_id bigint
)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_seen bigint := 0; -- the position has seen this event, or it is purged, or before the first
    v_unseen bigint := last_event_seq + 1; -- the position has not seen this one, or it is beyond the last
    v_probe bigint := last_event_seq;
    v_step bigint := 1;
    v_is_seen boolean;
    v_now constant xid8 := pg_snapshot_xmax(pg_current_snapshot());
    v_own constant xid8 := pg_current_xact_id_if_assigned();
begin
    while v_unseen > v_seen + 1 loop
        select
            e.id <= first_unseen.max_id
            and (
                e.id <= floor_id
                or pg_visible_in_snapshot(e.xid, first_unseen.snapshot)
                -- came with a dump: here it would not be visible yet
                or (e.xid >= v_now and e.xid is distinct from v_own)
            )
        into v_is_seen
        from parley.event e
        where e.conversation_id = first_unseen.conversation_id and e.event_seq = v_probe;
        if coalesce(v_is_seen, true) then
            v_seen := v_probe;
        else
            v_unseen := v_probe;
        end if;
        if v_seen = 0 then
            v_probe := greatest(last_event_seq - v_step, 1);
            v_step := v_step * 2;
            if v_probe >= v_unseen then
                v_probe := v_unseen - 1;
            end if;
        else
            v_probe := (v_seen + v_unseen) / 2;
        end if;
    end loop;
    return v_unseen;
end
$$;
comment on function parley.first_unseen is
'The first event_seq of a conversation that a position has not seen; one past the last if it has seen all.';
