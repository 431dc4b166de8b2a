-- One conversation in the inbox.

create or replace function parley.last_visible_message(
    conversation_id uuid, user_id uuid, from_seq bigint, to_seq bigint, floor_id uuid
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_message parley.message;
    v_is_cut boolean;
begin
    select m.* into v_message
    from parley.message_page(
        last_visible_message.conversation_id, last_visible_message.user_id, last_visible_message.floor_id,
        last_visible_message.from_seq, last_visible_message.to_seq, true, 1, with_notices => false
    ) as m;
    if not found then
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
'The newest message of a conversation the user may see, but for notices, for previews: the first 200 characters, with is_cut where there are more, without reactions.';

create or replace function parley.inbox_row(
    conversation_id uuid, user_id uuid, from_seq bigint, last_seq bigint, floor_id uuid
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_row jsonb := parley.conversation_json(inbox_row.conversation_id, inbox_row.user_id, 8, inbox_row.floor_id);
begin
    return v_row || jsonb_build_object(
        'last_message', parley.last_visible_message(
            inbox_row.conversation_id, inbox_row.user_id, inbox_row.from_seq, inbox_row.last_seq, inbox_row.floor_id
        ),
        'draft', parley.draft(inbox_row.conversation_id, inbox_row.user_id),
        -- who is on the other side, where there is one such, also when they are gone
        'counterpart', case
            when v_row ->> 'type' = 'direct'
                then (
                    select parley.participant_json(p, parley.shares_receipts(inbox_row.user_id))
                    from parley.participant as p
                    where p.conversation_id = inbox_row.conversation_id and p.user_id <> inbox_row.user_id
                    order by p.left_at is not null, p.user_id
                    limit 1
                )
        end
    );
end;
$$;
comment on function parley.inbox_row is
'A conversation as the inbox shows it: first participants, last message, the user''s draft.';
