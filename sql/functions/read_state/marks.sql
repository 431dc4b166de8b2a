-- Marking as read, unread and delivered.

create or replace function parley.mark_as_read(conversation_id uuid, seq bigint default null)
returns jsonb
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select parley.advance_horizon(parley.require_caller(), mark_as_read.conversation_id, mark_as_read.seq, true)
$$;
comment on function parley.mark_as_read is
'The caller has read everything up to seq, by default everything. Returns the read state.';
grant execute on function parley.mark_as_read to authenticated;

create or replace function parley.mark_message_as_read(message_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.require_caller();
    v_message parley.message := parley.require_message(message_id, v_user_id);
begin
    return parley.advance_horizon(v_user_id, v_message.conversation_id, v_message.seq, true);
end;
$$;
comment on function parley.mark_message_as_read is
'The caller has read everything up to this message. Returns the read state.';
grant execute on function parley.mark_message_as_read to authenticated;

create or replace function parley.mark_as_delivered(conversation_id uuid, seq bigint default null)
returns jsonb
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select parley.advance_horizon(
        parley.require_caller(), mark_as_delivered.conversation_id, mark_as_delivered.seq, false
    )
$$;
comment on function parley.mark_as_delivered is
'Everything up to seq, by default everything, has reached a device of the caller. Returns the read state.';
grant execute on function parley.mark_as_delivered to authenticated;

create or replace function parley.mark_as_unread(conversation_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_participant parley.participant := parley.require_participant(mark_as_unread.conversation_id, v_user_id);
    v_last_seq bigint := (parley.lock_conversation(mark_as_unread.conversation_id)).last_seq;
begin
    update parley.participant as p
    set marked_unread = true
    where p.conversation_id = mark_as_unread.conversation_id
        and p.user_id = v_user_id and p.left_at is null and not p.marked_unread
    returning p.* into v_participant;
    if found then
        perform parley.append_settings_event(v_participant);
    else
        v_participant := parley.require_participant(mark_as_unread.conversation_id, v_user_id);
    end if;
    return parley.read_state_json(v_participant, v_last_seq);
end;
$$;
comment on function parley.mark_as_unread is
'Shows the conversation as unread to the caller until it is next read. The read horizon, and so the receipts, stay.';
grant execute on function parley.mark_as_unread to authenticated;
