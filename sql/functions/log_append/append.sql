-- The one way into the event log.

create or replace function parley.append_event(
    conversation_id uuid,
    kind text,
    actor_id uuid,
    message_id uuid,
    message_seq bigint,
    user_id uuid,
    data jsonb
)
returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_event_seq bigint;
    v_at timestamptz := clock_timestamp();
begin
    if append_event.conversation_id is not null then
        -- takes the row lock that orders the conversation, before the event draws its id
        update parley.conversation as c
        set last_event_seq = c.last_event_seq + 1, last_event_at = greatest(c.last_event_at, clock_timestamp())
        where c.id = append_event.conversation_id
        returning c.last_event_seq, c.last_event_at into strict v_event_seq, v_at;
    end if;
    insert into parley.event (
        event_seq, message_seq, created_at, conversation_id, user_id, actor_id, message_id, kind, data
    )
    values (
        v_event_seq,
        append_event.message_seq,
        v_at,
        append_event.conversation_id,
        append_event.user_id,
        append_event.actor_id,
        append_event.message_id,
        append_event.kind,
        append_event.data
    );
    perform parley.ring();
    return v_event_seq;
end;
$$;
comment on function parley.append_event is
'Appends one event and rings the doorbell; returns its event_seq. With a null conversation the event is for user_id alone.';

create or replace function parley.lock_conversation(conversation_id uuid)
returns parley.conversation
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_conversation parley.conversation;
begin
    select c.* into v_conversation
    from parley.conversation as c
    where c.id = lock_conversation.conversation_id
    for no key update;
    return v_conversation;
end;
$$;
comment on function parley.lock_conversation is
'Takes the row lock that orders all changes of a conversation. Read anything the change depends on after it.';
