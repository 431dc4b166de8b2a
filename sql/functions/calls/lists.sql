-- Reading calls.

create or replace function parley.get_call(call_id uuid)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return parley.call_json(parley.require_call(get_call.call_id, parley.require_caller()));
end;
$$;
comment on function parley.get_call is 'A call of a conversation the caller is in.';
grant execute on function parley.get_call to authenticated;

create or replace function parley.get_calls(
    conversation_id uuid default null, cursor text default null, page_size integer default 50
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- one plan for all: along the index until the page is full
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_sort = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_me parley.participant;
    v_floor_id uuid := parley.message_floor_of(v_user_id);
    v_before uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    v_calls parley.call[];
begin
    if get_calls.page_size is null or get_calls.page_size not between 1 and 100 then
        raise exception using errcode = 'PT400', message = 'page_size must be between 1 and 100.';
    end if;
    if get_calls.cursor is not null then
        if get_calls.cursor !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
            raise exception using
                errcode = 'PT400',
                message = 'The cursor was not made by get_calls.';
        end if;
        v_before := get_calls.cursor::uuid;
    end if;
    -- one more than asked for tells whether there are more
    if get_calls.conversation_id is not null then
        v_me := parley.require_participant(get_calls.conversation_id, v_user_id);
        v_calls := array(
            select c
            from parley.call as c
            where c.conversation_id = get_calls.conversation_id
                and c.id < v_before
                and c.id >= v_floor_id
                and (c.ended_at is null or c.event_seq >= v_me.history_from_event_seq)
            order by c.id desc
            limit get_calls.page_size + 1
        );
    else
        v_calls := array(
            select c.call
            from (
                select u.conversation_id, u.call_id
                from parley.call_participant as u
                where u.user_id = v_user_id and u.call_id < v_before and u.call_id >= v_floor_id
                order by u.call_id desc
                offset 0
            ) as u
            cross join lateral (
                select c as call
                from parley.call as c
                inner join parley.participant as p on c.conversation_id = p.conversation_id
                where c.id = u.call_id
                    and c.conversation_id = u.conversation_id
                    and p.conversation_id = u.conversation_id
                    and p.user_id = v_user_id
                    and p.left_at is null
                    and (c.ended_at is null or c.event_seq >= p.history_from_event_seq)
                offset 0
            ) as c
            order by u.call_id desc
            limit get_calls.page_size + 1
        );
    end if;
    return jsonb_build_object(
        'calls', (
            select coalesce(jsonb_agg(parley.call_json(c) order by c.id desc), '[]')
            from unnest(v_calls[:get_calls.page_size]) as c
        ),
        'next_cursor', case
            when cardinality(v_calls) > get_calls.page_size then (v_calls[get_calls.page_size]).id
        end
    );
end;
$$;
comment on function parley.get_calls is
'Calls of a conversation, or all the caller was part of, the newest first: {calls, next_cursor}.';
grant execute on function parley.get_calls to authenticated;
