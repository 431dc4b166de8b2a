-- The message somebody asks for by its id.

create or replace function parley.require_message(message_id uuid, user_id uuid, also_hidden boolean default false)
returns parley.message
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_hidden_from constant uuid := case when not require_message.also_hidden then require_message.user_id end;
    v_message parley.message;
begin
    if require_message.message_id is null then
        raise exception using errcode = 'PT400', message = 'message_id is required.';
    end if;
    select m.* into v_message
    from parley.message as m
    inner join parley.participant as p on m.conversation_id = p.conversation_id
    where
        -- verdict: readable, tombstone unless expired
        -- of message m viewer=v_hidden_from from=p.history_from_seq floor=parley.message_floor_of(require_message.user_id)
        m.seq >= p.history_from_seq
        and (m.expires_at is null or m.expires_at > now())
        and m.retired_at is null
        and m.id >= parley.message_floor_of(require_message.user_id)
        and not exists (
            select from parley.message_hidden as h
            where
                h.conversation_id = m.conversation_id
                and h.user_id = v_hidden_from
                and h.seq = m.seq
        )
        -- end verdict
        and m.id = require_message.message_id
        and p.user_id = require_message.user_id
        and p.left_at is null;
    if not found then
        raise exception using
            errcode = 'PT404',
            message = 'The message does not exist, or you may not see it.';
    end if;
    return v_message;
end;
$$;
comment on function parley.require_message is
'A message the user may see (if asked, also one they have hidden), or PT404, which does not tell an unknown message from a foreign one.';

create or replace function parley.require_readable(message parley.message)
returns void
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if parley.message_verdict(message) <> 'readable' then
        raise exception using errcode = 'PT409', message = 'The message was deleted.';
    end if;
end;
$$;
comment on function parley.require_readable is
'Fails with PT409 if a message that the user may see, as require_message returned it, is only a tombstone.';

create or replace function parley.may_answer(
    conversation_id uuid, sender_id uuid, message_id uuid, history_from_seq bigint
)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_floor_id constant uuid := parley.message_floor_of(may_answer.sender_id);
begin
    return exists (
        select from parley.message as m
        where m.id = may_answer.message_id
            and m.conversation_id is not distinct from may_answer.conversation_id
            -- verdict: readable
            -- of message m viewer=may_answer.sender_id from=may_answer.history_from_seq floor=v_floor_id
            and m.seq >= may_answer.history_from_seq
            and (m.expires_at is null or m.expires_at > now())
            and m.retired_at is null
            and m.id >= v_floor_id
            and m.deleted_at is null
            and not exists (
                select from parley.message_hidden as h
                where
                    h.conversation_id = m.conversation_id
                    and h.user_id = may_answer.sender_id
                    and h.seq = m.seq
            )
            -- end verdict
    );
end;
$$;
comment on function parley.may_answer is
'True if the sender, whose history begins at that seq, sees the message, and it still says something.';

create or replace function parley.check_reply(
    conversation_id uuid, sender_id uuid, reply_to_id uuid, history_from_seq bigint
)
returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if not parley.may_answer(conversation_id, sender_id, reply_to_id, history_from_seq) then
        raise exception using
            errcode = 'PT404',
            message = 'The message to reply to does not exist in this conversation.';
    end if;
end;
$$;
comment on function parley.check_reply is 'Fails with PT404 unless the sender may answer the message.';

create or replace function parley.lock_message(message_id uuid, user_id uuid, also_hidden boolean default false)
returns parley.message
language plpgsql volatile security definer
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
comment on function parley.lock_message is
'Takes the lock of the message''s conversation and returns the message as it is under it; PT404 if the user may not see it.';
