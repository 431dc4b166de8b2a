-- The one way into the event log.

create or replace function parley.reaches_nobody(
    conversation_id uuid, kind text, actor_id uuid, message_seq bigint
)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return exists (
        select from parley.message_hidden as h
        where h.conversation_id = reaches_nobody.conversation_id
            and h.seq = reaches_nobody.message_seq
            and h.suppressed
    ) or exists (
        select from parley.conversation as c
        inner join parley.direct_conversation as d on c.id = d.conversation_id
        inner join parley.block as b
            on b.blocked_id = reaches_nobody.actor_id and b.blocker_id in (d.user_low, d.user_high)
        where c.id = reaches_nobody.conversation_id
            and c.restricted
            -- what is taken back is taken back from both
            and reaches_nobody.kind <> 'message:deleted'
    );
end;
$$;
comment on function parley.reaches_nobody is
'True if what the actor does with a message is for the actor alone: the message was hidden from its recipient when it was sent, or, of two, the other has blocked the actor.';

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
    if append_event.message_seq is not null and append_event.conversation_id is not null and parley.reaches_nobody(
        append_event.conversation_id, append_event.kind, append_event.actor_id, append_event.message_seq
    ) then
        append_event.data := jsonb_build_object('conversation_id', append_event.conversation_id)
            || coalesce(append_event.data, '{}');
        append_event.conversation_id := null;
        append_event.user_id := coalesce(
            append_event.actor_id,
            (select m.sender_id from parley.message as m where m.id = append_event.message_id)
        );
    end if;
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
'Appends one event and rings the doorbell; returns its event_seq. With a null conversation the event is for user_id alone; so is one about a message that reaches nobody but its sender.';

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
