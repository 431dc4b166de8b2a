-- A message is judged within its send, where the recipient does not know the sender or the account is new. The caller
-- holds the conversation's lock.

create or replace function parley.knows_sender(user_id uuid, sender_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- both wrote, in any thread of the two
    return exists (
        select from parley.direct_conversation as d
        inner join parley.conversation as c on d.conversation_id = c.id
        where d.user_low = least(knows_sender.user_id, knows_sender.sender_id)
            and d.user_high = greatest(knows_sender.user_id, knows_sender.sender_id)
            and not c.unanswered
    );
end;
$$;
comment on function parley.knows_sender is 'True if the user is no stranger to the sender: they have talked before.';

create or replace function parley.end_unanswered(conversation_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    update parley.conversation as c
    set unanswered = false
    where c.id = end_unanswered.conversation_id and c.unanswered;
end;
$$;
comment on function parley.end_unanswered is
'The recipient of a direct conversation has answered or accepted it: what is sent there is judged no longer.';

create or replace function parley.move_to_requests(conversation_id uuid, user_id uuid)
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
    returning p.* into v_participant;
    if not found then
        return false;
    end if;
    perform parley.append_settings_event(v_participant);
    return true;
end;
$$;
comment on function parley.move_to_requests is
'Puts a conversation into the requests of one of its participants, who is told. False: it is there already.';

create or replace function parley.judge_message(
    conversation parley.conversation,
    sender_id uuid,
    is_new boolean,
    message_id uuid,
    content text,
    type text,
    metadata jsonb,
    is_edit boolean default false
)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_recipient_id uuid;
    v_created_by uuid;
    v_text text := concat_ws(E'\n', content, nullif(metadata - 'formatting', '{}')::text);
    v_words text[];
    v_simhash bigint;
    v_near record;
    v_findings parley.spam_finding[];
    v_confidence double precision;
    v_action text;
    v_rules text[];
    v_shadow_rules text[];
begin
    -- 1. is it a stranger's
    if conversation.unanswered then
        select
            cp.created_by,
            p.user_id
        into v_created_by, v_recipient_id
        from parley.conversation_profile as cp
        left join parley.participant as p on cp.conversation_id = p.conversation_id and cp.created_by <> p.user_id
        where cp.conversation_id = conversation.id;
        if v_created_by is distinct from judge_message.sender_id
            or parley.knows_sender(v_recipient_id, judge_message.sender_id)
        then
            v_recipient_id := null;
            perform parley.end_unanswered(conversation.id);
        end if;
    end if;
    -- what is encrypted says nothing here
    if v_recipient_id is null and not coalesce(is_new, false) or type = 'encrypted' then
        return;
    end if;

    -- 2. which rules fire; a greeting is nobody's mass mailing
    v_words := parley.spam_words(v_text);
    if cardinality(v_words) >= 4 then
        v_simhash := parley.simhash(v_words);
        select
            coalesce(array_agg(f.simhash), '{}') as simhashes,
            coalesce(array_agg(f.conversation_id), '{}') as conversations,
            count(*) as count,
            min(f.id) as first_id
        into v_near
        from (
            select
                n.id,
                n.simhash,
                n.conversation_id
            from parley.spam_fingerprint as n
            where n.sender_id = judge_message.sender_id
            order by n.id desc
            limit 64
        ) as f;
        if not is_edit then
            insert into parley.spam_fingerprint (sender_id, conversation_id, simhash)
            values (judge_message.sender_id, conversation.id, v_simhash);
            -- now and then, what is beyond the newest 64
            if v_near.count = 64 and random() < 0.1 then
                delete from parley.spam_fingerprint as f
                where f.sender_id = judge_message.sender_id and f.id < v_near.first_id;
            end if;
        end if;
        v_findings := parley.spam_findings(
            v_text, v_words, v_simhash, judge_message.sender_id, is_new, conversation.id, v_near.simhashes,
            v_near.conversations
        );
    else
        v_findings := parley.spam_findings(
            v_text, v_words, null, judge_message.sender_id, is_new, conversation.id, null, null
        );
    end if;
    if v_findings = '{}' then
        return;
    end if;

    -- 3. what follows
    v_confidence := parley.spam_confidence(v_findings);
    v_action := parley.spam_action(v_confidence);
    v_rules := array(select f.name from unnest(v_findings) as f where f.mode = 'on');
    v_shadow_rules := array(select f.name from unnest(v_findings) as f where f.mode = 'shadow');
    if v_action = 'block' then
        perform parley.refuse_spam(
            judge_message.sender_id, conversation.id, v_confidence, v_rules, v_shadow_rules, v_simhash
        );
    elsif v_action = 'filter' and v_recipient_id is not null then
        perform parley.move_to_requests(conversation.id, v_recipient_id);
    end if;
    -- little is not worth a row
    if v_action = 'filter' or v_confidence >= 0.25 or v_shadow_rules <> '{}' then
        insert into parley.spam_verdict (
            sender_id, conversation_id, message_id, action, confidence, rules, shadow_rules, simhash
        )
        values (
            judge_message.sender_id, conversation.id, judge_message.message_id, v_action, v_confidence, v_rules,
            v_shadow_rules, v_simhash
        );
    end if;
end;
$$;
comment on function parley.judge_message is
'Judges a message of a stranger or of a new account under the conversation''s lock: refuses it, moves the conversation to the requests of the recipient, or lets it pass. The first message of the recipient ends that.';
