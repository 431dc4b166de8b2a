-- What the doors call: the decision as a refusal, and the tokens it takes.

create or replace function parley.require_may(actor_id uuid, action text, conversation_id uuid)
returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_decision parley.decision := parley.decide_in_conversation(actor_id, action, require_may.conversation_id);
begin
    if not v_decision.allowed then
        perform parley.refuse(v_decision);
    end if;
end;
$$;
comment on function parley.require_may is 'PT403 as parley.decide says of a conversation.';

create or replace function parley.require_contact(
    actor_id uuid, action text, target_ids uuid[], tenant_id uuid default null, type text default 'direct'
)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_decision parley.decision := parley.decide_contact(
        actor_id, action, target_ids, require_contact.tenant_id, require_contact.type
    );
    v_tokens bigint := 1;
begin
    if not v_decision.allowed then
        perform parley.refuse(v_decision);
    end if;
    if action <> 'start' then
        v_tokens := (
            select count(*) from unnest(target_ids) as u (id)
            where not parley.is_acquainted(actor_id, u.id)
        );
    end if;
    perform parley.take_tier_token(actor_id, 'new_conversations_per_day', v_tokens);
end;
$$;
comment on function parley.require_contact is
'PT403 as parley.decide says of other users, and takes the tokens: one for a conversation that is started, one for each user who is brought into one and with whom the actor has no direct conversation.';

create or replace function parley.require_may_send(conversation_id uuid, user_id uuid)
returns interval
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_profile parley.conversation_profile;
begin
    perform parley.require_may(require_may_send.user_id, 'write', require_may_send.conversation_id);
    select cp.* into strict v_profile
    from parley.conversation_profile as cp
    where cp.conversation_id = require_may_send.conversation_id;
    -- A friend who is there takes nothing off what the stranger sends. Others there pay nothing: any member can add a
    -- stranger, and would bound an old group.
    if parley.is_asking(require_may_send.conversation_id, require_may_send.user_id)
        or parley.is_asked(require_may_send.conversation_id, require_may_send.user_id)
    then
        perform parley.take_tier_token(require_may_send.user_id, 'messages_to_strangers_per_hour');
    end if;
    return make_interval(secs => v_profile.message_ttl_seconds);
end;
$$;
comment on function parley.require_may_send is
'May this participant send here: called under the lock for a conversation that is restricted. A message that nobody has asked for takes a token. Returns how long its messages stay; null: for good.';
