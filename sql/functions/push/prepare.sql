-- A job that is about to be claimed is decided anew: what comes of it, and what it says.

create or replace function parley.prepare_message_push(
    job parley.push_job, device parley.push_device, out decision parley.push_decision, out content jsonb
)
returns record
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
    v_participant parley.participant;
    v_account parley.account;
    v_preference parley.push_preference;
    v_message parley.message;
    v_id uuid := job.message_id;
    v_seq bigint := job.last_seq;
    v_decision parley.push_decision;
begin
    select p.* into v_participant
    from parley.participant as p
    where p.conversation_id = job.conversation_id and p.user_id = job.user_id;
    if not found then
        decision := ('suppress', 'not_member', null)::parley.push_decision;
        return;
    end if;
    select a.* into v_account from parley.account as a where a.id = job.user_id;
    select s.* into v_preference from parley.push_preference as s where s.user_id = job.user_id;
    -- the newest of those it stands for that is worth it: the last one may be deleted by now
    for v_look in 1..20 loop
        v_message := null;
        if v_id is not null then
            select m.* into v_message
            from parley.message as m
            where m.id = v_id and m.conversation_id is not distinct from job.conversation_id;
        end if;
        v_decision := case
            when v_id is not null and v_message.id is null then ('suppress', 'gone', null)::parley.push_decision
            else parley.decide_push(v_message, v_participant, v_account, v_preference, job.delays)
        end;
        -- the reason is that of the newest
        if v_look = 1 or v_decision.verdict <> 'suppress' then
            decision := v_decision;
        end if;
        exit when v_decision.verdict <> 'suppress'
            or v_decision.reason not in ('gone', 'deleted', 'expired', 'retired', 'deleted_for_me', 'level_mentions', 'own', 'muted')
            or v_seq is null
            or v_seq <= job.first_seq;
        v_seq := v_seq - 1;
        v_id := parley.message_id_at(job.conversation_id, v_seq);
        exit when v_id is null;
    end loop;
    if decision.verdict in ('send', 'silent') then
        content := parley.push_message_content(
            job, v_message, v_participant, v_preference, device, decision.verdict = 'silent'
        );
    end if;
end;
$$;
comment on function parley.prepare_message_push is 'What comes of a job of a message, and what it says.';

create or replace function parley.prepare_call_push(
    job parley.push_job, device parley.push_device, out decision parley.push_decision, out content jsonb
)
returns record
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_call parley.call;
    v_part parley.call_participant;
    v_participant parley.participant;
    v_preference parley.push_preference;
begin
    select c.* into v_call
    from parley.call as c
    where c.id = job.call_id and c.conversation_id = job.conversation_id;
    v_part := parley.my_part(v_call, job.user_id);
    select p.* into v_participant
    from parley.participant as p
    where p.conversation_id = job.conversation_id and p.user_id = job.user_id;
    select s.* into v_preference from parley.push_preference as s where s.user_id = job.user_id;
    if job.kind = 'call' then
        decision := parley.decide_call_push(v_call, v_part, v_participant, v_preference);
    elsif v_call.id is null or v_participant.user_id is null or v_participant.left_at is not null then
        decision := ('suppress', 'gone', null)::parley.push_decision;
    elsif v_part.state = 'ringing' then
        decision := ('suppress', 'call_rings', null)::parley.push_decision;
    else
        -- what only stops ringing makes no sound
        decision := (
            case when v_part.state = 'missed' then 'send' else 'silent' end, null, null
        )::parley.push_decision;
    end if;
    if decision.verdict in ('send', 'silent') then
        content := parley.push_call_content(
            job, v_call, v_preference, device, v_part.state, decision.verdict = 'silent'
        );
    end if;
end;
$$;
comment on function parley.prepare_call_push is 'What comes of a job of a call, and what it says.';

create or replace function parley.prepare_other_push(
    job parley.push_job, device parley.push_device, badge bigint,
    out decision parley.push_decision, out content jsonb
)
returns record
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    decision := ('silent', null, null)::parley.push_decision;
    if job.kind = 'test' then
        content := jsonb_build_object(
            'kind', 'message', 'privacy', 'full', 'title', 'Parley', 'body', 'This is a test.', 'category', 'test'
        );
        return;
    end if;
    if job.kind = 'badge' then
        if device.last_badge = prepare_other_push.badge then
            decision := ('suppress', 'badge_unchanged', null)::parley.push_decision;
            return;
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
        decision := ('suppress', 'newer_unread', null)::parley.push_decision;
        return;
    end if;
    content := jsonb_strip_nulls(jsonb_build_object(
        'kind', job.kind, 'privacy', 'id', 'conversation_id', job.conversation_id, 'seq', job.last_seq, 'silent', true
    ));
end;
$$;
comment on function parley.prepare_other_push is 'What comes of a job of another kind, and what it says.';
