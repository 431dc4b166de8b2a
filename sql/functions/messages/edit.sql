-- Changing what was sent: editing, deleting and reacting. Each takes the conversation's lock first and then looks at
-- the message again, so that two changes to one message cannot pass each other.

create or replace function parley.edit_message(
    message_id uuid,
    content text,
    metadata jsonb default null,
    mentions uuid[] default null,
    mentions_all boolean default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_message parley.message;
    v_type parley.message_type;
    v_metadata jsonb;
    v_mentions uuid[];
    v_mentions_all boolean;
    v_minutes bigint := parley.limit_of(v_user_id, 'edit_window_minutes');
begin
    v_message := parley.lock_message(edit_message.message_id, v_user_id);
    if v_message.sender_id is distinct from v_user_id then
        raise exception using errcode = 'PT403', message = 'Only the sender can edit a message.';
    end if;
    perform parley.require_readable(v_message);
    perform parley.require_writable(v_message.conversation_id);
    perform parley.require_messaging(v_user_id);
    if v_message.forward_count is not null then
        raise exception using errcode = 'PT403', message = 'A forwarded message cannot be edited.';
    end if;
    if edit_message.metadata is not null then
        v_metadata := parley.validate_metadata(edit_message.metadata, edit_message.content, v_message.type);
    elsif v_message.content is distinct from edit_message.content then
        -- the formatting was that of the old text
        v_metadata := nullif(v_message.metadata - 'formatting', '{}');
    else
        v_metadata := v_message.metadata;
    end if;
    select t.* into strict v_type from parley.message_type as t where t.name = v_message.type;
    perform parley.check_message_body(
        v_type, edit_message.content, v_metadata, v_message.has_attachments::integer,
        parley.limit_of(v_user_id, 'max_content_length')
    );
    v_mentions := case
        when edit_message.mentions is null then v_message.mentions else nullif(edit_message.mentions, '{}')
    end;
    v_mentions_all := coalesce(edit_message.mentions_all, v_message.mentions_all);
    -- the same edit again changes nothing, whenever it comes
    if v_message.content is not distinct from edit_message.content
        and v_message.metadata is not distinct from v_metadata
        and v_message.mentions is not distinct from v_mentions
        and v_message.mentions_all = v_mentions_all
    then
        return parley.message_now_json(v_message);
    end if;
    -- what stays was checked when it was sent: who was mentioned may have left since
    if v_mentions is distinct from v_message.mentions or v_mentions_all and not v_message.mentions_all then
        perform parley.check_mentions(
            v_message.conversation_id,
            case when v_mentions is distinct from v_message.mentions then v_mentions end,
            v_mentions_all and not v_message.mentions_all,
            (parley.require_participant(v_message.conversation_id, v_user_id)).role
        );
    end if;
    if clock_timestamp() > v_message.created_at + make_interval(mins => least(v_minutes, 52560000)::integer) then
        raise exception using
            errcode = 'PT403',
            message = format('A message can be edited for %s minutes.', v_minutes);
    end if;
    if v_message.type = 'poll' and exists (
        select from parley.poll_vote as v
        where v.conversation_id = v_message.conversation_id and v.message_id = v_message.id
    ) then
        raise exception using
            errcode = 'PT409', message = 'Somebody has voted: the question cannot be changed any more.';
    end if;
    perform parley.take_tier_token(v_user_id, 'edits_per_minute');
    -- who is not to send something may not make it of something else
    perform parley.judge_message(
        c.id, c.unanswered, v_user_id, (parley.require_participant(c.id, v_user_id)).added_by,
        parley.is_new_account(v_user_id), v_message.id, edit_message.content, v_message.type, v_metadata, is_edit => true
    )
    from parley.conversation as c
    where c.id = v_message.conversation_id;
    perform parley.keep_revision(v_message, v_user_id, 'edited');
    update parley.message as m
    set
        content = edit_message.content,
        metadata = v_metadata,
        mentions = v_mentions,
        mentions_all = v_mentions_all,
        edited_at = clock_timestamp()
    where m.id = v_message.id
    returning m.* into v_message;
    perform parley.append_event(
        v_message.conversation_id, 'message:updated', v_user_id, v_message.id, v_message.seq, null, null
    );
    return parley.message_now_json(v_message);
end;
$$;
comment on function parley.edit_message is
'Changes the text of a message that the caller sent a short while ago. metadata and mentions change if they are given; an empty array removes all mentions; new text without metadata loses its formatting. Returns the message.';
grant execute on function parley.edit_message to authenticated;

create or replace function parley.get_message_revisions(message_id uuid)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_message parley.message := parley.require_message(get_message_revisions.message_id, parley.require_caller());
begin
    return jsonb_build_object(
        'message_id', v_message.id,
        'conversation_id', v_message.conversation_id,
        'edited_at', v_message.edited_at,
        'deleted_at', v_message.deleted_at,
        'revisions', case
            -- what was taken back is nobody's to read
            when v_message.deleted_at is not null then '[]'
            else (
                select coalesce(
                    jsonb_agg(
                        jsonb_build_object(
                            'revision', r.revision,
                            'content', r.content,
                            'metadata', coalesce(r.metadata, '{}'),
                            'mentions', coalesce(to_jsonb(r.mentions), '[]'),
                            'mentions_all', r.mentions_all,
                            'written_at', r.written_at,
                            'replaced_at', r.replaced_at
                        )
                        order by r.revision
                    ),
                    '[]'
                )
                from (
                    select
                        v.revision,
                        v.content,
                        v.metadata,
                        v.mentions,
                        v.mentions_all,
                        v.replaced_at,
                        lag(v.replaced_at, 1, v_message.created_at) over (order by v.revision) as written_at
                    from parley.message_revision as v
                    where v.conversation_id = v_message.conversation_id and v.message_id = v_message.id
                    order by v.revision desc
                    limit 200
                ) as r
            )
        end
    );
end;
$$;
comment on function parley.get_message_revisions is
'The texts and mentions of a message before each edit, oldest first, at most 200. A message that was deleted for everyone has none.';
grant execute on function parley.get_message_revisions to authenticated;
