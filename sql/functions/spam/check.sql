-- Asking before sending. An answer in full would teach a spammer: clients learn the action, a few times a minute.

create or replace function parley.check_spam(content text, recipient_id uuid default null, sender_id uuid default null)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_by_host boolean := parley.is_host();
    v_sender_id uuid := case when v_by_host then check_spam.sender_id else parley.require_caller() end;
    v_is_new boolean;
    v_words text[];
    v_near_texts bigint;
    v_near_recipients bigint;
    v_findings parley.spam_finding[] := '{}';
    v_confidence double precision;
begin
    if not v_by_host then
        if check_spam.sender_id is distinct from v_sender_id and check_spam.sender_id is not null then
            raise exception using errcode = 'PT403', message = 'You can ask about your own messages only.';
        end if;
        perform parley.take_tier_token(v_sender_id, 'spam_checks_per_minute');
    elsif v_sender_id is null then
        raise exception using
            errcode = 'PT400', message = 'sender_id is required.', hint = 'It names the user who would send the message.';
    end if;
    perform parley.validate_content(check_spam.content, parley.limit_of(v_sender_id, 'max_content_length'));
    v_is_new := parley.is_new_account(v_sender_id);
    if v_is_new or not parley.knows_sender(check_spam.recipient_id, v_sender_id) then
        v_words := parley.spam_words(check_spam.content);
        if cardinality(v_words) >= 4 then
            -- a conversation that is none: all others count
            select
                n.texts,
                n.recipients
            into v_near_texts, v_near_recipients
            from parley.near_texts(v_sender_id, parley.simhash(v_words), gen_random_uuid()) as n;
        end if;
        v_findings := parley.spam_findings(
            check_spam.content, v_words, v_near_texts, v_near_recipients, v_sender_id, v_is_new
        );
    end if;
    if not v_by_host then
        -- what others think of the caller would tell that somebody has blocked or declined them
        v_findings := array(
            select f
            from unnest(v_findings) as f
            inner join parley.spam_rule as r on f.name = r.name
            where r.kind not in ('reputation', 'unverified_phone')
        );
    end if;
    v_confidence := parley.spam_confidence(v_findings);
    return case
        when v_by_host
            then jsonb_build_object(
                'is_spam', parley.spam_action(v_confidence) <> 'allow',
                'confidence', v_confidence,
                'reasons', to_jsonb(array(
                        select f.name from unnest(v_findings) as f where f.mode = 'on' order by f.weight desc, f.name
                    )),
                'action', parley.spam_action(v_confidence)
            )
        else jsonb_build_object('action', parley.spam_action(v_confidence))
    end;
end;
$$;
comment on function parley.check_spam is
'What would become of a message to this user, if they do not know the sender: action allow, filter or block, by what it says. The application, which names the sender, also learns is_spam, confidence and reasons. Nothing is recorded.';
grant execute on function parley.check_spam to authenticated, service_role;
