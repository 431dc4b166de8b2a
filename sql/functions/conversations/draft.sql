-- What a participant has begun to write: for their own devices, nobody else's business.

create or replace function parley.save_draft(
    conversation_id uuid, content text default null, reply_to_id uuid default null, metadata jsonb default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_max bigint := parley.limit_of(v_user_id, 'max_content_length');
    v_content text := case when parley.shows_something(save_draft.content) then save_draft.content end;
    v_metadata jsonb := parley.validate_metadata(save_draft.metadata, v_content);
    v_had_draft boolean;
begin
    perform parley.require_participant(save_draft.conversation_id, v_user_id);
    if char_length(v_content) > v_max then
        raise exception using
            errcode = 'PT400',
            message = format('content may have at most %s characters.', v_max),
            detail = format('It has %s.', char_length(v_content));
    end if;
    if save_draft.reply_to_id is not null
        and (parley.require_message(save_draft.reply_to_id, v_user_id)).conversation_id
        is distinct from save_draft.conversation_id
    then
        raise exception using
            errcode = 'PT404',
            message = 'The message to reply to does not exist in this conversation.';
    end if;
    -- holds off leaving and sending, which clear the draft; the conversation is not waited for
    select p.has_draft into v_had_draft
    from parley.participant as p
    where p.conversation_id = save_draft.conversation_id and p.user_id = v_user_id and p.left_at is null
    for no key update;
    if not found then
        perform parley.require_participant(save_draft.conversation_id, v_user_id);
    end if;
    if v_content is null and v_metadata is null then
        perform parley.clear_draft(save_draft.conversation_id, v_user_id);
    else
        if not v_had_draft then
            update parley.participant as p
            set has_draft = true
            where p.conversation_id = save_draft.conversation_id and p.user_id = v_user_id;
        end if;
        insert into parley.draft as d (conversation_id, user_id, content, reply_to_id, metadata, updated_at)
        values (
            save_draft.conversation_id, v_user_id, v_content, save_draft.reply_to_id, v_metadata, clock_timestamp()
        )
        on conflict (conversation_id, user_id) do update
        set
            content = excluded.content,
            reply_to_id = excluded.reply_to_id,
            metadata = excluded.metadata,
            updated_at = excluded.updated_at
        where (d.content, d.reply_to_id, d.metadata)
            is distinct from (excluded.content, excluded.reply_to_id, excluded.metadata);
        if found then
            perform parley.append_event(
                null, 'draft:updated', v_user_id, null, null, v_user_id,
                jsonb_build_object('conversation_id', save_draft.conversation_id)
            );
        end if;
    end if;
    return parley.draft(save_draft.conversation_id, v_user_id);
end;
$$;
comment on function parley.save_draft is
'Keeps what the caller has begun to write, for their own devices; without content and metadata it is cleared, as it is by sending. Returns the draft, or null.';
grant execute on function parley.save_draft to authenticated;
