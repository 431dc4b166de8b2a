-- The messages a user has starred.

create or replace function parley.get_starred_messages(cursor text default null, page_size integer default 50)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
-- one plan for all: the user's stars in order, each with its message by key
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_page_size integer := parley.require_page_size(get_starred_messages.page_size);
    v_floor_id uuid := parley.message_floor_of(v_user_id);
    v_from record := parley.decode_inbox_cursor(get_starred_messages.cursor);
    v_star record;
    v_starred_at timestamptz;
    v_message_id uuid;
    v_messages jsonb[] := '{}';
    v_next text;
begin
    for v_star in
        select
            s.starred_at,
            s.message_id,
            parley.message_json_for(
                m.message, p, v_floor_id, parley.message_status(m.message, v_user_id)
            ) as json
        from parley.message_star as s
        inner join parley.participant as p on s.conversation_id = p.conversation_id and s.user_id = p.user_id
        cross join lateral (
            select n as message
            from parley.message as n
            where n.id = s.message_id
                and n.conversation_id is not distinct from s.conversation_id
                -- verdict: readable
                -- of message n viewer=v_user_id from=p.history_from_seq floor=v_floor_id
                and n.seq >= p.history_from_seq
                and (n.expires_at is null or n.expires_at > now())
                and n.retired_at is null
                and n.id >= v_floor_id
                and n.deleted_at is null
                and not exists (
                    select from parley.message_hidden as h
                    where
                        h.conversation_id = n.conversation_id
                        and h.user_id = v_user_id
                        and h.seq = n.seq
                )
                -- end verdict
        ) as m
        where s.user_id = v_user_id
            and (
                v_from.id is null
                or (s.starred_at, s.message_id) < (v_from.last_activity_at, v_from.id)
            )
            and p.left_at is null
        order by s.starred_at desc, s.message_id desc
        limit v_page_size + 1
    loop
        if cardinality(v_messages) = v_page_size then
            v_next := parley.encode_inbox_cursor(false, v_starred_at, v_message_id);
            exit;
        end if;
        v_starred_at := v_star.starred_at;
        v_message_id := v_star.message_id;
        v_messages := v_messages || (v_star.json || jsonb_build_object('starred_at', v_star.starred_at));
    end loop;
    return jsonb_build_object('messages', to_jsonb(v_messages), 'next_cursor', v_next);
end;
$$;
comment on function parley.get_starred_messages is
'The caller''s starred messages that they may still see, the last starred first: {messages, next_cursor}.';
grant execute on function parley.get_starred_messages to authenticated;
