-- The pinned messages of a conversation.

create or replace function parley.get_pinned_messages(conversation_id uuid)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_me parley.participant := parley.require_participant(get_pinned_messages.conversation_id, v_user_id);
    v_floor_id uuid := parley.message_floor_of(v_user_id);
begin
    return jsonb_build_object(
        'messages', (
            select coalesce(
                jsonb_agg(
                    parley.message_json_for(
                        m.message, v_me, v_floor_id, parley.message_status(m.message, v_user_id)
                    )
                    || jsonb_build_object('pinned_by', p.pinned_by)
                    order by p.pinned_at desc, p.message_id
                ),
                '[]'
            )
            from parley.message_pin as p
            cross join lateral (
                select n as message
                from parley.message as n
                where n.id = p.message_id
                    and n.conversation_id is not distinct from p.conversation_id
                    -- verdict: readable, tombstone unless expired
                    -- of message n viewer=v_user_id from=v_me.history_from_seq floor=v_floor_id
                    and n.seq >= v_me.history_from_seq
                    and (n.expires_at is null or n.expires_at > now())
                    and n.retired_at is null
                    and n.id >= v_floor_id
                    and not exists (
                        select from parley.message_hidden as h
                        where
                            h.conversation_id = n.conversation_id
                            and h.user_id = v_user_id
                            and h.seq = n.seq
                    )
                    -- end verdict
            ) as m
            where p.conversation_id = v_me.conversation_id
        )
    );
end;
$$;
comment on function parley.get_pinned_messages is
'The pinned messages of a conversation that the caller may see, the last pinned first: {messages}.';
grant execute on function parley.get_pinned_messages to authenticated;
