-- One conversation in the inbox.

create or replace function parley.last_visible_message(
    conversation_id uuid,
    user_id uuid,
    from_seq bigint,
    to_seq bigint,
    floor_id uuid,
    active_at timestamptz default null
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_message parley.message;
    v_is_cut boolean;
    v_floor_id uuid;
begin
    -- Most often it is of the day of the last activity, and a bound on id leaves out the partitions before it.
    foreach v_floor_id in array array[
        greatest(last_visible_message.floor_id, parley.uuid_v7_floor(active_at - interval '1 day')),
        last_visible_message.floor_id
    ] loop
        select m.* into v_message
        from parley.message_page(
            last_visible_message.conversation_id, last_visible_message.user_id, v_floor_id,
            last_visible_message.from_seq, last_visible_message.to_seq, true, 1, with_notices => false
        ) as m;
        exit when found;
    end loop;
    if v_message.id is null then
        return null;
    end if;
    if v_message.type = 'system' then
        v_message.content := coalesce(v_message.content, parley.notice_text(v_message.metadata));
    end if;
    -- a preview: nobody reads thousands of characters in a list
    v_is_cut := char_length(v_message.content) > 200;
    v_message.content := left(v_message.content, 200);
    return parley.message_json(
        v_message,
        '[]',
        parley.message_status(v_message, last_visible_message.user_id),
        last_visible_message.user_id,
        last_visible_message.from_seq,
        last_visible_message.floor_id,
        parley.times_forwarded(v_message.conversation_id, v_message.id)
    ) || case when v_is_cut then '{"is_cut": true}'::jsonb else '{}' end;
end;
$$;
comment on function parley.last_visible_message is
'The newest message of a conversation the user may see, but for notices, for previews: the first 200 characters, with is_cut where there are more, without reactions. With active_at, when its newest message was sent, it is found sooner.';

create or replace function parley.inbox_row(
    conversation_id uuid, user_id uuid, from_seq bigint, last_seq bigint, floor_id uuid
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_row jsonb := parley.conversation_json(inbox_row.conversation_id, inbox_row.user_id, 8, inbox_row.floor_id);
    v_counterpart jsonb;
begin
    -- who is on the other side, where there is one such: one of the participants above, unless they are gone
    if v_row ->> 'type' = 'direct' then
        v_counterpart := jsonb_path_query_first(
            v_row -> 'participants', '$[*] ? (@.user_id != $me)', jsonb_build_object('me', inbox_row.user_id)
        );
        if v_counterpart is null then
            select parley.participant_json(p, parley.shares_receipts(inbox_row.user_id)) into v_counterpart
            from parley.participant as p
            where p.conversation_id = inbox_row.conversation_id and p.user_id <> inbox_row.user_id
            order by p.user_id
            limit 1;
        end if;
    end if;
    return v_row || jsonb_build_object(
        'last_message', parley.last_visible_message(
            inbox_row.conversation_id, inbox_row.user_id, inbox_row.from_seq, inbox_row.last_seq, inbox_row.floor_id,
            (v_row ->> 'last_activity_at')::timestamptz
        ),
        'draft', parley.draft(inbox_row.conversation_id, inbox_row.user_id),
        'counterpart', v_counterpart
    );
end;
$$;
comment on function parley.inbox_row is
'A conversation as the inbox shows it: first participants, last message, the user''s draft.';
