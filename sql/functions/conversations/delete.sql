-- Deleting a conversation for oneself: its history ends for this participant, who stays in it. The next message brings
-- it back, without what was before.

create or replace function parley.clear_conversation(conversation_id uuid, user_id uuid)
returns parley.participant
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_conversation parley.conversation := parley.lock_conversation(clear_conversation.conversation_id);
    v_before parley.participant := parley.require_participant(
        clear_conversation.conversation_id, clear_conversation.user_id
    );
    v_after parley.participant;
    v_drafts bigint;
begin
    -- against a draft that is being saved
    perform from parley.participant as p
    where p.conversation_id = clear_conversation.conversation_id and p.user_id = clear_conversation.user_id
    for no key update;
    delete from parley.draft as d
    where d.conversation_id = clear_conversation.conversation_id and d.user_id = clear_conversation.user_id;
    get diagnostics v_drafts = row_count;
    -- Whoever deletes has seen what there is, and the others learn it as of any reading; only a request is put away
    -- without a word, and its read horizon stays where it was.
    if v_before.folder = 'inbox' and v_conversation.last_seq > v_before.last_read_seq then
        perform parley.advance_horizon(clear_conversation.user_id, v_conversation.id, v_conversation.last_seq, true);
    end if;
    if v_before.deleted_seq is not distinct from v_conversation.last_seq
        and v_before.pinned_at is null
        and v_before.archived_at is null
        and not v_before.marked_unread
        and v_drafts = 0
    then
        return v_before;
    end if;
    update parley.participant as p
    set
        history_from_seq = v_conversation.last_seq + 1,
        history_from_event_seq = (
            select c.last_event_seq + 1 from parley.conversation as c where c.id = v_conversation.id
        ),
        own_unread = case when p.last_read_seq = v_conversation.last_seq then 0 else p.own_unread end,
        marked_unread = false,
        has_draft = false,
        pinned_at = null,
        archived_at = null,
        deleted_seq = v_conversation.last_seq
    where p.conversation_id = v_conversation.id and p.user_id = clear_conversation.user_id
    returning p.* into v_after;
    perform parley.append_settings_event(v_after);
    return v_after;
end;
$$;
comment on function parley.clear_conversation is
'Ends a conversation''s history for one participant, who stays in it, and returns the participant.';

create or replace function parley.delete_conversation(conversation_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.provision_caller();
begin
    perform parley.require_participant(delete_conversation.conversation_id, v_user_id);
    return jsonb_build_object('conversation_id', delete_conversation.conversation_id)
        || parley.my_settings_json(parley.clear_conversation(delete_conversation.conversation_id, v_user_id));
end;
$$;
comment on function parley.delete_conversation is
'Deletes a conversation for the caller alone. The caller loses its messages so far, the pin, the archive, the mark and the draft; the others keep it. Returns the caller''s settings.';
grant execute on function parley.delete_conversation to authenticated;
