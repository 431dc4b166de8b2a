-- A job that is about to be claimed is decided anew: what comes of it, and what it says.

create or replace function parley.prepare_message_push(job parley.push_job, device parley.push_device)
returns parley.push_draft
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_row record;
    v_participant parley.participant;
    v_account parley.account;
    v_preference parley.push_preference;
    v_message parley.message;
    v_id uuid := job.message_id;
    v_seq bigint := job.last_seq;
    v_look parley.push_decision;
    v_decision parley.push_decision;
begin
    -- all there is to know in one look: each by its key
    select p as participant, a as account, s as preference, m as message into v_row
    from parley.participant as p
    inner join parley.account as a on a.id = job.user_id
    left join parley.push_preference as s on s.user_id = job.user_id
    left join parley.message as m on m.id = job.message_id and m.conversation_id is not distinct from job.conversation_id
    where p.conversation_id = job.conversation_id and p.user_id = job.user_id;
    if not found then
        return ('suppress', 'not_member', null, null)::parley.push_draft;
    end if;
    v_participant := v_row.participant;
    v_account := v_row.account;
    v_preference := v_row.preference;
    v_message := v_row.message;
    -- the newest of those it stands for that is worth it: the last one may be deleted by now
    for v_n in 1..20 loop
        if v_n > 1 then
            v_message := null;
            select m.* into v_message
            from parley.message as m
            where m.id = v_id and m.conversation_id is not distinct from job.conversation_id;
        end if;
        v_look := case
            when v_id is not null and v_message.id is null then ('suppress', 'gone', null)::parley.push_decision
            else parley.decide_push(v_message, v_participant, v_account, v_preference, job.delays)
        end;
        -- the reason is that of the newest
        if v_n = 1 or v_look.verdict <> 'suppress' then
            v_decision := v_look;
        end if;
        exit when v_look.verdict <> 'suppress'
            or v_look.reason not in (
                'gone', 'deleted', 'expired', 'retired', 'deleted_for_me', 'level_mentions', 'own', 'muted'
            )
            or v_seq is null
            or v_seq <= job.first_seq;
        v_seq := v_seq - 1;
        v_id := parley.message_id_at(job.conversation_id, v_seq);
        exit when v_id is null;
    end loop;
    return (
        v_decision.verdict, v_decision.reason, v_decision.until,
        case
            when v_decision.verdict in ('send', 'silent')
                then parley.push_message_content(
                    job, v_message, v_participant, v_preference, device, v_decision.verdict = 'silent'
                )
        end
    )::parley.push_draft;
end;
$$;
comment on function parley.prepare_message_push is 'What comes of a job of a message, and what it says.';

create or replace function parley.prepare_call_push(job parley.push_job, device parley.push_device)
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
                    job, v_call, v_preference, device, v_part.state, v_decision.verdict = 'silent'
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
