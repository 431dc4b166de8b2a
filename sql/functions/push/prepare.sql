-- A job that is about to be claimed is decided anew: what comes of it, and what it says.

create or replace function parley.push_urgency(verdict text)
returns integer
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select case verdict when 'send' then 3 when 'silent' then 2 when 'delay' then 1 else 0 end
$$;
comment on function parley.push_urgency is 'Of several messages in one notification the highest counts.';

create or replace function parley.is_final_push(decision parley.push_decision)
returns boolean
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- what is said of the user or the conversation holds for older messages, too
    return decision.verdict = 'send'
        or coalesce(decision.reason in (
            'left', 'account_deleted', 'account_suspended', 'before_history', 'beyond_tier', 'request', 'read', 'push_off',
            'level_none', 'in_view'
        ), false);
end;
$$;
comment on function parley.is_final_push is 'True if older messages of the conversation can change nothing.';

create or replace function parley.prepare_message_push(
    job parley.push_job,
    participant parley.participant,
    account parley.account,
    preference parley.push_preference,
    message parley.message,
    floor_id uuid,
    is_decided boolean default false
)
returns parley.push_draft
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_message parley.message;
    v_mentioned boolean;
    v_look parley.push_decision;
    v_decision parley.push_decision;
    v_told parley.message := message;
    v_refused uuid[] := '{}';
begin
    if participant.user_id is null then
        return ('suppress', 'not_member', null, null)::parley.push_draft;
    end if;
    v_decision := case
        when job.message_id is not null and message.id is null then ('suppress', 'gone', null)::parley.push_decision
        when is_decided
            and participant.left_at is null
            and message.deleted_at is null
            and message.seq > participant.last_read_seq
            then ('send', null, null)::parley.push_decision
        else parley.decide_push(message, participant, account, preference, job.delays, floor_id => prepare_message_push.floor_id)
    end;
    if job.first_seq < job.last_seq and not parley.is_final_push(v_decision) then
        -- the most urgent of those it stands for counts, and the newest is told that may be
        for v_message in
            select m.*
            from parley.message as m
            where m.conversation_id = job.conversation_id
                and m.seq >= greatest(job.first_seq, job.last_seq - 200)
                and m.seq < job.last_seq
            order by m.conversation_id, m.seq desc
        loop
            v_mentioned := coalesce(v_message.mentions_all or job.user_id = any (v_message.mentions), false);
            -- of a sender who is not heard, once is enough; and where mentions alone are more urgent, others need no look
            continue when v_message.sender_id = any (v_refused)
                or (not v_mentioned and v_decision.reason in ('level_mentions', 'muted', 'quiet_hours', 'do_not_disturb'));
            v_look := parley.decide_push(
                v_message, participant, account, preference, job.delays, floor_id => prepare_message_push.floor_id
            );
            if v_look.reason in ('own', 'sender_blocked', 'sender_restricted') and v_message.sender_id is not null then
                v_refused := v_refused || v_message.sender_id;
            end if;
            if v_decision.verdict = 'suppress' and v_look.verdict <> 'suppress' then
                v_told := v_message;
            end if;
            -- of several that are not told the reason of the newest
            if parley.push_urgency(v_look.verdict) > parley.push_urgency(v_decision.verdict)
                or (v_look.verdict = 'delay' and v_look.until < v_decision.until)
            then
                v_decision := v_look;
            end if;
            exit when parley.is_final_push(v_look);
        end loop;
    end if;
    return (
        v_decision.verdict, v_decision.reason, v_decision.until,
        case
            when v_decision.verdict in ('send', 'silent')
                then parley.push_message_content(job, v_told, participant, preference, v_decision.verdict = 'silent')
        end
    )::parley.push_draft;
end;
$$;
comment on function parley.prepare_message_push is
'What comes of a job of a message, and what it says: the same on every device. floor_id: message_floor_of the user. is_decided: it was to be sent a moment ago.';

create or replace function parley.prepare_call_push(job parley.push_job)
returns parley.push_draft
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_call parley.call;
    v_part parley.call_participant;
    v_participant parley.participant;
    v_preference parley.push_preference;
    v_decision parley.push_decision;
begin
    select c.* into v_call
    from parley.call as c
    where c.id = job.call_id and c.conversation_id = job.conversation_id;
    v_part := parley.my_part(v_call, job.user_id);
    select p.* into v_participant
    from parley.participant as p
    where p.conversation_id = job.conversation_id and p.user_id = job.user_id;
    select s.* into v_preference from parley.push_preference as s where s.user_id = job.user_id;
    if job.kind = 'call' or v_part.state = 'missed' then
        v_decision := parley.decide_call_push(
            v_call, v_part, v_participant, v_preference, has_ended => job.kind = 'call_end'
        );
    elsif v_part.user_id is null or v_participant.user_id is null or v_part.state = 'ringing' then
        v_decision := ('suppress', 'gone', null)::parley.push_decision;
    else
        -- whoever answered elsewhere, or declined, hears nothing more
        v_decision := ('silent', null, null)::parley.push_decision;
    end if;
    return (
        v_decision.verdict, v_decision.reason, v_decision.until,
        case
            when v_decision.verdict in ('send', 'silent')
                then parley.push_call_content(
                    job, v_call, v_preference, v_part.state, v_decision.verdict = 'silent'
                )
        end
    )::parley.push_draft;
end;
$$;
comment on function parley.prepare_call_push is 'What comes of a job of a call, and what it says.';

create or replace function parley.prepare_other_push(job parley.push_job, device parley.push_device, badge bigint)
returns parley.push_draft
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    if job.kind = 'test' then
        return (
            'send', null, null,
            jsonb_build_object(
                'kind', 'message', 'privacy', 'full', 'title', 'Parley', 'body', 'This is a test.', 'category', 'test'
            )
        )::parley.push_draft;
    elsif job.kind = 'badge' then
        if device.last_badge = prepare_other_push.badge then
            return ('suppress', 'badge_unchanged', null, null)::parley.push_draft;
        end if;
    elsif exists (
        -- what came after it is still to be seen
        select from parley.push_job as j
        where j.user_id = job.user_id
            and j.conversation_id = job.conversation_id
            and j.last_seq > job.last_seq
            and j.device_id = job.device_id
            and j.kind = 'message'
            and j.state in ('queued', 'leased', 'retrying', 'sent')
    ) then
        return ('suppress', 'newer_unread', null, null)::parley.push_draft;
    elsif parley.is_older_push_leased(job) then
        -- what is being sent just now must not come after it
        return ('delay', 'being_sent', clock_timestamp() + interval '2 seconds', null)::parley.push_draft;
    end if;
    return (
        'silent', null, null,
        jsonb_strip_nulls(jsonb_build_object(
            'kind', job.kind, 'privacy', 'id', 'conversation_id', job.conversation_id, 'seq', job.last_seq, 'silent', true
        ))
    )::parley.push_draft;
end;
$$;
comment on function parley.prepare_other_push is 'What comes of a job of another kind, and what it says.';
