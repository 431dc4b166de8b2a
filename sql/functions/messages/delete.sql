-- Deleting a message: for oneself it is hidden, for everyone what it said is removed and its place stays.

create or replace function parley.remove_poll(message parley.message)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    delete from parley.poll as p
    where p.conversation_id = message.conversation_id and p.message_id = message.id;
end;
$$;
comment on function parley.remove_poll is
'The options of a poll and its votes, which go with what the message said. The caller holds the conversation''s lock.';

create or replace function parley.clear_message(message parley.message)
returns void
language plpgsql volatile security definer
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
comment on function parley.clear_message is
'Makes a message a tombstone: no content, files, pin or stars. The caller holds the lock.';

create or replace function parley.hide_message(message_id uuid, user_id uuid)
returns parley.message
language plpgsql volatile security definer
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
    where
        -- verdict: readable, tombstone
        -- of message m from=p.history_from_seq
        m.seq >= p.history_from_seq
        -- end verdict
        and m.id = hide_message.message_id
        and p.user_id = hide_message.user_id
        and p.left_at is null;
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
comment on function parley.hide_message is 'Hides a message from one user, who alone is told.';

create or replace function parley.take_back_message(message parley.message, actor_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    perform parley.keep_revision(message, take_back_message.actor_id, 'deleted');
    if message.type = 'poll' then
        perform parley.remove_poll(message);
    end if;
    -- a system message counts as read by whoever caused it, so here it counts as theirs
    insert into parley.message_uncounted (conversation_id, seq, message_id, sender_id, deleted_by, deleted_at)
    values (
        message.conversation_id,
        message.seq,
        message.id,
        coalesce(message.sender_id, (message.metadata ->> 'actor_id')::uuid),
        take_back_message.actor_id,
        clock_timestamp()
    )
    on conflict on constraint message_uncounted_pkey do update
    set deleted_at = excluded.deleted_at, deleted_by = excluded.deleted_by;
    perform parley.clear_message(message);
    perform parley.append_event(
        message.conversation_id, 'message:deleted', take_back_message.actor_id, message.id, message.seq, null,
        jsonb_build_object('for_everyone', true)
    );
end;
$$;
comment on function parley.take_back_message is
'Makes a message a tombstone for everyone, keeps what it said for moderation, and tells the conversation. The caller holds its lock; without an actor the server does it.';

create or replace function parley.retract_message(message_id uuid, user_id uuid)
returns parley.message
language plpgsql volatile security definer
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
    perform parley.take_back_message(v_message, retract_message.user_id);
    select m.* into strict v_message from parley.message as m where m.id = v_message.id;
    return v_message;
end;
$$;
comment on function parley.retract_message is
'Deletes a message for everyone. The row stays as a tombstone; its content is kept for moderation only.';

create or replace function parley.delete_message(message_id uuid, for_everyone boolean default false)
returns jsonb
language plpgsql volatile security definer
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
comment on function parley.delete_message is
'Deletes a message for the caller, or for everyone (by its sender within the time limit, or by an admin). Again is fine.';
grant execute on function parley.delete_message to authenticated;
