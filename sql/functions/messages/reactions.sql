-- Emoji reactions: one row per message, user and emoji.

create or replace function parley.append_reaction_event(
    message parley.message, user_id uuid, emoji text, op text
)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select parley.append_event(
        message.conversation_id, 'message:reaction', append_reaction_event.user_id, message.id, message.seq,
        append_reaction_event.user_id,
        jsonb_build_object('emoji', append_reaction_event.emoji, 'op', append_reaction_event.op)
    )
$$;
comment on function parley.append_reaction_event is 'Tells the conversation that a reaction was added or removed.';

create or replace function parley.add_reaction(message_id uuid, emoji text)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_emoji text := parley.require_emoji(add_reaction.emoji);
    v_message parley.message := parley.lock_message(add_reaction.message_id, v_user_id);
begin
    perform parley.require_writable(v_message.conversation_id);
    perform parley.require_readable(v_message);
    perform parley.require_messaging(v_user_id);
    if (
        select count(*) from parley.reaction as r
        where r.conversation_id = v_message.conversation_id
            and r.message_id = v_message.id
            and r.user_id = v_user_id
            and r.emoji <> v_emoji
    ) >= 20 then
        raise exception using errcode = 'PT409', message = 'At most 20 different reactions to one message.';
    end if;
    -- the time under the lock, not of the transaction's beginning: reactions are shown in the order of their events
    insert into parley.reaction (conversation_id, message_id, user_id, emoji, created_at)
    values (v_message.conversation_id, v_message.id, v_user_id, v_emoji, clock_timestamp())
    on conflict do nothing;
    if found then
        perform parley.take_tier_token(v_user_id, 'reactions_per_minute');
        perform parley.append_reaction_event(v_message, v_user_id, v_emoji, 'added');
    end if;
    return parley.message_now_json(v_message);
end;
$$;
comment on function parley.add_reaction is 'Adds a reaction of the caller; again is fine. Returns the message.';
grant execute on function parley.add_reaction to authenticated;

create or replace function parley.remove_reaction(message_id uuid, emoji text)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_emoji text := parley.require_emoji(remove_reaction.emoji);
    v_message parley.message := parley.lock_message(remove_reaction.message_id, v_user_id);
begin
    perform parley.require_writable(v_message.conversation_id);
    delete from parley.reaction as r
    where r.conversation_id = v_message.conversation_id
        and r.message_id = v_message.id
        and r.user_id = v_user_id
        and r.emoji = v_emoji;
    if found then
        perform parley.take_tier_token(v_user_id, 'reactions_per_minute');
        perform parley.append_reaction_event(v_message, v_user_id, v_emoji, 'removed');
    end if;
    return parley.message_now_json(v_message);
end;
$$;
comment on function parley.remove_reaction is
'Removes a reaction of the caller. A reaction that does not exist is no error. Returns the message.';
grant execute on function parley.remove_reaction to authenticated;
