-- Changing what was sent: editing, deleting and reacting. Each takes the conversation's lock first and then looks at
-- the message again, so that two changes to one message cannot pass each other.

create or replace function parley.require_writable(conversation_id uuid)
returns parley.conversation_profile
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_profile parley.conversation_profile;
begin
    select cp.* into strict v_profile
    from parley.conversation_profile as cp
    where cp.conversation_id = require_writable.conversation_id;
    if v_profile.status <> 'active' then
        raise exception using
            errcode = 'PT403',
            message = format('This conversation is %s and takes no changes.', v_profile.status);
    end if;
    return v_profile;
end;
$$;
comment on function parley.require_writable(uuid) is 'The profile of a conversation, or PT403 if it is archived or locked.';
revoke all on function parley.require_writable(uuid) from public;

create or replace function parley.lock_message(message_id uuid, user_id uuid, also_hidden boolean default false)
returns parley.message
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_message parley.message := parley.require_message(
        lock_message.message_id, lock_message.user_id, lock_message.also_hidden
    );
begin
    perform parley.lock_conversation(v_message.conversation_id);
    -- again, now that nobody else can change it, or the membership
    return parley.require_message(lock_message.message_id, lock_message.user_id, lock_message.also_hidden);
end;
$$;
comment on function parley.lock_message(uuid, uuid, boolean) is
'Takes the lock of the message''s conversation and returns the message as it is under it; PT404 if the user may not see it.';
revoke all on function parley.lock_message(uuid, uuid, boolean) from public;

create or replace function parley.clear_message(message parley.message)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if message.has_attachments then
        perform parley.remove_attachments(message.conversation_id, message.id);
    end if;
    if message.pinned_at is not null then
        delete from parley.message_pin as p
        where p.conversation_id = message.conversation_id and p.message_id = message.id;
    end if;
    delete from parley.message_star as s
    where s.conversation_id = message.conversation_id and s.message_id = message.id;
    update parley.message as m
    set
        content = null,
        metadata = null,
        mentions = null,
        mentions_all = false,
        has_attachments = false,
        pinned_at = null,
        deleted_at = clock_timestamp()
    where m.id = message.id and m.conversation_id is not distinct from message.conversation_id;
end;
$$;
comment on function parley.clear_message(parley.message) is
'Makes a message a tombstone: without what it said, its files, its pin and its stars. The caller holds the lock.';
revoke all on function parley.clear_message(parley.message) from public;

create or replace function parley.keep_revision(message parley.message, user_id uuid, reason text)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
    insert into parley.message_revision (
        conversation_id, message_id, revision, event_seq, replaced_by, expires_at, reason, content, metadata,
        mentions, mentions_all
    )
    select
        message.conversation_id,
        message.id,
        coalesce(max(r.revision), 0) + 1,
        -- the change is announced after this: the next event under the lock the caller holds
        (select c.last_event_seq + 1 from parley.conversation as c where c.id = message.conversation_id),
        keep_revision.user_id,
        message.expires_at,
        keep_revision.reason,
        message.content,
        message.metadata,
        message.mentions,
        message.mentions_all
    from parley.message_revision as r
    where r.conversation_id = message.conversation_id and r.message_id = message.id
$$;
comment on function parley.keep_revision(parley.message, uuid, text) is 'Keeps what a message says before it changes.';
revoke all on function parley.keep_revision(parley.message, uuid, text) from public;

create or replace function parley.edit_message(
    message_id uuid,
    content text,
    metadata jsonb default null,
    mentions uuid[] default null,
    mentions_all boolean default null
)
returns jsonb
language plpgsql
volatile
security definer
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
    if v_message.deleted_at is not null then
        raise exception using errcode = 'PT409', message = 'The message was deleted.';
    end if;
    perform parley.require_writable(v_message.conversation_id);
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
        return parley.message_json(v_message);
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
    return parley.message_json(v_message);
end;
$$;
comment on function parley.edit_message(uuid, text, jsonb, uuid[], boolean) is
'Changes the text, and the metadata and mentions if given, of a message the caller sent a short while ago; an empty array mentions nobody any more; without metadata, new text loses its formatting. Returns the message.';
revoke all on function parley.edit_message(uuid, text, jsonb, uuid[], boolean) from public;
grant execute on function parley.edit_message(uuid, text, jsonb, uuid[], boolean) to authenticated;

create or replace function parley.get_message_revisions(message_id uuid)
returns jsonb
language plpgsql
stable
security definer
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
comment on function parley.get_message_revisions(uuid) is
'What a message said, and whom it mentioned, before each edit, the oldest first (at most the last 200); nothing of one that was deleted for everyone.';
revoke all on function parley.get_message_revisions(uuid) from public;
grant execute on function parley.get_message_revisions(uuid) to authenticated;

create or replace function parley.hide_message(message_id uuid, user_id uuid)
returns parley.message
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_message parley.message;
begin
    -- without require_message: hiding twice is fine
    select m.* into v_message
    from parley.message as m
    inner join parley.participant as p on m.conversation_id = p.conversation_id
    where m.id = hide_message.message_id
        and p.user_id = hide_message.user_id
        and p.left_at is null
        and m.seq >= p.history_from_seq;
    if not found then
        return parley.require_message(hide_message.message_id, hide_message.user_id);
    end if;
    -- This is written without the conversation's lock: the participant's row is kept until the transaction ends, so that
    -- whoever deletes the conversation, for all or for this user, comes before or after. Before: there is nothing to hide.
    perform from parley.participant as p
    where p.conversation_id = v_message.conversation_id
        and p.user_id = hide_message.user_id
        and p.left_at is null
        and p.history_from_seq <= v_message.seq
    for no key update;
    if not found then
        return parley.require_message(hide_message.message_id, hide_message.user_id);
    end if;
    insert into parley.message_hidden (conversation_id, user_id, seq, message_id, own)
    values (
        v_message.conversation_id,
        hide_message.user_id,
        v_message.seq,
        v_message.id,
        v_message.sender_id is not distinct from hide_message.user_id
        or (
            v_message.sender_id is null
            -- a message of the host, or one that was deleted, has no actor
            and v_message.metadata ->> 'actor_id' is not distinct from hide_message.user_id::text
        )
    )
    on conflict do nothing;
    if found then
        perform parley.append_event(
            null, 'message:deleted', hide_message.user_id, v_message.id, v_message.seq, hide_message.user_id,
            jsonb_build_object('conversation_id', v_message.conversation_id, 'for_everyone', false)
        );
        delete from parley.message_star as s
        where s.conversation_id = v_message.conversation_id
            and s.message_id = v_message.id
            and s.user_id = hide_message.user_id;
    end if;
    return v_message;
end;
$$;
comment on function parley.hide_message(uuid, uuid) is 'Hides a message from one user, who alone is told.';
revoke all on function parley.hide_message(uuid, uuid) from public;

create or replace function parley.retract_message(message_id uuid, user_id uuid)
returns parley.message
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- also what one has hidden can still be deleted for everyone
    v_message parley.message := parley.lock_message(retract_message.message_id, retract_message.user_id, true);
    v_me parley.participant := parley.require_participant(v_message.conversation_id, retract_message.user_id);
    v_profile parley.conversation_profile;
    v_is_moderator boolean;
    v_minutes bigint := parley.limit_of(retract_message.user_id, 'delete_window_minutes');
begin
    select cp.* into strict v_profile
    from parley.conversation_profile as cp
    where cp.conversation_id = v_message.conversation_id;
    v_is_moderator := parley.has_permission(v_me, v_profile, 'delete_messages');
    if v_message.deleted_at is not null then
        return v_message;
    end if;
    if not v_is_moderator and v_message.sender_id is distinct from retract_message.user_id then
        raise exception using
            errcode = 'PT403',
            message = 'Only the sender or an admin can delete a message for everyone.';
    end if;
    if not v_is_moderator
        and clock_timestamp() > v_message.created_at + make_interval(mins => least(v_minutes, 52560000)::integer)
    then
        raise exception using
            errcode = 'PT403',
            message = format('A message can be deleted for everyone for %s minutes.', v_minutes),
            hint = 'It can still be deleted for yourself.';
    end if;
    perform parley.keep_revision(v_message, retract_message.user_id, 'deleted');
    if v_message.type = 'poll' then
        perform parley.remove_poll(v_message);
    end if;
    -- a system message counts as read by whoever caused it, so here it counts as theirs
    insert into parley.message_tombstone (conversation_id, seq, message_id, sender_id, deleted_by)
    values (
        v_message.conversation_id,
        v_message.seq,
        v_message.id,
        coalesce(v_message.sender_id, (v_message.metadata ->> 'actor_id')::uuid),
        retract_message.user_id
    );
    perform parley.clear_message(v_message);
    select m.* into strict v_message from parley.message as m where m.id = v_message.id;
    perform parley.append_event(
        v_message.conversation_id, 'message:deleted', retract_message.user_id, v_message.id, v_message.seq, null,
        jsonb_build_object('for_everyone', true)
    );
    return v_message;
end;
$$;
comment on function parley.retract_message(uuid, uuid) is
'Deletes a message for everyone: the row stays as a tombstone, what it said is kept for moderation only.';
revoke all on function parley.retract_message(uuid, uuid) from public;

create or replace function parley.delete_message(message_id uuid, for_everyone boolean default false)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.provision_caller();
    v_message parley.message;
begin
    if message_id is null then
        raise exception using errcode = 'PT400', message = 'message_id is required.';
    end if;
    if coalesce(for_everyone, false) then
        v_message := parley.retract_message(message_id, v_user_id);
    else
        v_message := parley.hide_message(message_id, v_user_id);
    end if;
    return jsonb_build_object(
        'message_id', v_message.id,
        'conversation_id', v_message.conversation_id,
        'seq', v_message.seq,
        'for_everyone', coalesce(for_everyone, false),
        'deleted_at', v_message.deleted_at
    );
end;
$$;
comment on function parley.delete_message(uuid, boolean) is
'Deletes a message for the caller, or for everyone (by its sender within the time limit, or by an admin). Again is fine.';
revoke all on function parley.delete_message(uuid, boolean) from public;
grant execute on function parley.delete_message(uuid, boolean) to authenticated;
