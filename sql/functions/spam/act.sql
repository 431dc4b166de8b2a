-- What follows from the rules that fired.

create or replace function parley.move_to_requests(conversation_id uuid, user_id uuid, sender_id uuid)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_participant parley.participant;
begin
    update parley.participant as p
    set folder = 'requests'
    where p.conversation_id = move_to_requests.conversation_id
        and p.user_id = move_to_requests.user_id
        and p.left_at is null
        and p.folder = 'inbox'
        -- whoever has blocked the sender learns nothing of what the sender does
        and not parley.is_kept_from(p.conversation_id, move_to_requests.sender_id)
        -- in a group only those whom the sender brought: nobody turns into requests a group that was there before them
        and (
            p.added_by = move_to_requests.sender_id
            or exists (select from parley.direct_conversation as d where d.conversation_id = p.conversation_id)
        )
        -- of those, some may know the sender, or have answered
        and not parley.knows_sender(p.user_id, move_to_requests.sender_id)
        and not exists (
            select from parley.message as m where m.conversation_id = p.conversation_id and m.sender_id = p.user_id
        )
    returning p.* into v_participant;
    if not found then
        return false;
    end if;
    perform parley.append_settings_event(v_participant);
    perform parley.open_requests(
        move_to_requests.conversation_id, move_to_requests.sender_id,
        jsonb_build_object(move_to_requests.user_id, 'requests')
    );
    perform parley.append_quiet_event(move_to_requests.conversation_id, move_to_requests.user_id);
    return true;
end;
$$;
comment on function parley.move_to_requests is
'Makes a conversation the sender''s request to a participant, who is told. False: it is one already, or they know the sender, have answered, have blocked the sender, or were brought into the group by somebody else. The caller holds the conversation''s lock.';

create or replace function parley.act_on_spam(
    findings parley.spam_finding[],
    conversation_id uuid,
    sender_id uuid,
    message_id uuid,
    is_stranger boolean,
    simhash bigint
)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_confidence constant double precision := parley.spam_confidence(findings);
    v_action constant text := parley.spam_action(v_confidence);
    v_rules constant text[] := array(
        select f.name from unnest(findings) as f where f.mode = 'on' order by f.weight desc, f.name
    );
    v_shadow_rules constant text[] := array(
        select f.name from unnest(findings) as f where f.mode <> 'on' order by f.weight desc, f.name
    );
begin
    if v_action = 'block' then
        perform parley.refuse_spam(
            act_on_spam.sender_id, act_on_spam.conversation_id, v_confidence, v_rules, v_shadow_rules, act_on_spam.simhash
        );
    elsif v_action = 'filter' and is_stranger then
        perform parley.move_to_requests(p.conversation_id, p.user_id, act_on_spam.sender_id)
        from parley.participant as p
        where p.conversation_id = act_on_spam.conversation_id and p.user_id <> act_on_spam.sender_id;
    end if;
    -- little is not worth a row
    if v_action = 'filter' or v_confidence >= 0.25 or v_shadow_rules <> '{}' then
        insert into parley.spam_verdict (
            sender_id, conversation_id, message_id, action, confidence, rules, shadow_rules, simhash
        )
        values (
            act_on_spam.sender_id, act_on_spam.conversation_id, act_on_spam.message_id, v_action, v_confidence, v_rules,
            v_shadow_rules, act_on_spam.simhash
        );
    end if;
end;
$$;
comment on function parley.act_on_spam is
'Refuses a message, moves its conversation to the requests of the recipient, or lets it pass, and records why. The caller holds the conversation''s lock.';
