-- Where a position stands in one conversation. Within a conversation commit order is event_seq order, so what a
-- position has seen is a beginning of it and what it has not seen is the rest; the border is found by looking back from
-- the end in doubling steps and then halving. Costs one index probe for a conversation without news, and two per
-- doubling otherwise, however long the conversation is and however many unrelated events lie between.

create or replace function parley.first_unseen(
    conversation_id uuid, last_event_seq bigint, snapshot pg_snapshot, max_id bigint, floor_id bigint
)
returns bigint
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_seen bigint := 0; -- the position has seen this event, or it is purged, or before the first
    v_unseen bigint := last_event_seq + 1; -- the position has not seen this one, or it is beyond the last
    v_probe bigint := last_event_seq;
    v_step bigint := 1;
    v_is_seen boolean;
begin
    while v_unseen > v_seen + 1 loop
        select
            e.id <= first_unseen.max_id
            and (e.id <= floor_id or pg_visible_in_snapshot(e.xid, first_unseen.snapshot))
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
revoke all on function parley.first_unseen(uuid, bigint, pg_snapshot, bigint, bigint) from public;
comment on function parley.first_unseen(uuid, bigint, pg_snapshot, bigint, bigint)
is 'The first event_seq of a conversation that a position has not seen; one past the last if it has seen all.';
