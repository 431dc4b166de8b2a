-- Deleting a conversation for oneself: its history ends for this participant, who stays in it. The next message brings
-- it back, without what was before.

create or replace function parley.delete_conversation(conversation_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_conversation parley.conversation;
    v_before parley.participant;
    v_after parley.participant;
    v_drafts bigint;
begin
    perform parley.require_participant(delete_conversation.conversation_id, v_user_id);
    v_conversation := parley.lock_conversation(delete_conversation.conversation_id);
    v_before := parley.require_participant(delete_conversation.conversation_id, v_user_id);
    -- against a draft that is being saved
    perform from parley.participant as p
    where p.conversation_id = delete_conversation.conversation_id and p.user_id = v_user_id
    for no key update;
    delete from parley.draft as d
    where d.conversation_id = delete_conversation.conversation_id and d.user_id = v_user_id;
    get diagnostics v_drafts = row_count;
    -- Whoever deletes has seen what there is, and the others learn it as of any reading; only a request is put away
    -- without a word, and its read horizon stays where it was.
    if v_before.folder = 'inbox' and v_conversation.last_seq > v_before.last_read_seq then
        perform parley.advance_horizon(v_user_id, v_conversation.id, v_conversation.last_seq, true);
    end if;
    if v_before.deleted_seq is distinct from v_conversation.last_seq
        or v_before.pinned_at is not null
        or v_before.archived_at is not null
        or v_before.marked_unread
        or v_drafts > 0
    then
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
        where p.conversation_id = v_conversation.id and p.user_id = v_user_id
        returning p.* into v_after;
        perform parley.append_settings_event(v_after);
    else
        v_after := v_before;
    end if;
    return jsonb_build_object('conversation_id', v_conversation.id) || parley.my_settings_json(v_after);
end;
$$;
comment on function parley.delete_conversation is
'Deletes a conversation for the caller alone. The caller loses its messages so far, the pin, the archive, the mark and the draft; the others keep it. Returns the caller''s settings.';
grant execute on function parley.delete_conversation to authenticated;
