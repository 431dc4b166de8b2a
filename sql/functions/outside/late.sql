-- A verdict that comes after the send: through the log, like everything that becomes of a message.

create or replace function parley.end_spam_check(
    conversation_id uuid, message_id uuid, rule parley.spam_rule, is_spam boolean
)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_conversation parley.conversation;
    v_message parley.message;
    v_counts boolean := is_spam and rule.mode = 'on';
begin
    -- the lock first, as for all that becomes of a message
    v_conversation := parley.lock_conversation(end_spam_check.conversation_id);
    delete from parley.spam_check as c
    where c.conversation_id = end_spam_check.conversation_id
        and c.message_id = end_spam_check.message_id
        and c.rule_name = rule.name
        and c.tries > 0;
    -- somebody else has answered, or the message was edited meanwhile and is asked about again
    if not found or not is_spam then
        return false;
    end if;
    select m.* into v_message
    from parley.message as m
    where m.id = end_spam_check.message_id and m.conversation_id = end_spam_check.conversation_id;
    if v_message.deleted_at is not null or v_message.id is null then
        return false;
    end if;
    if v_counts and rule.late_action = 'retract' then
        perform parley.take_back_message(v_message, null);
    elsif v_counts and v_conversation.unanswered then
        perform parley.move_to_requests(p.conversation_id, p.user_id, v_message.sender_id)
        from parley.participant as p
        where p.conversation_id = v_message.conversation_id and p.user_id <> v_message.sender_id;
    end if;
    insert into parley.spam_verdict (sender_id, conversation_id, message_id, action, confidence, rules, shadow_rules)
    values (
        v_message.sender_id,
        v_message.conversation_id,
        v_message.id,
        case when not v_counts then 'allow' when rule.late_action = 'retract' then 'retract' else 'filter' end,
        case when v_counts then rule.weight else 0 end,
        case when v_counts then array[rule.name] else '{}' end,
        case when v_counts then '{}' else array[rule.name] end
    );
    return v_counts;
end;
$$;
comment on function parley.end_spam_check is
'Ends a check. Spam by a rule that is on is retracted, or moves a stranger''s conversation to the requests; recorded it is in any case.';
