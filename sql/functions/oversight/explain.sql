-- Why somebody got a message, or did not: step by step, in the order in which it goes its way.

create or replace function parley.delivery_words(reason text)
returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select case delivery_words.reason
        when 'not_member' then 'They were never in the conversation.'
        when 'left' then 'They have left the conversation.'
        when 'account_deleted' then 'Their account was erased.'
        when 'account_suspended' then 'Their account is suspended.'
        when 'sender_blocked' then 'They have blocked the sender.'
        when 'sender_restricted' then 'They have restricted the sender.'
        when 'before_history' then 'It was sent before they joined.'
        when 'beyond_tier' then 'It is older than their plan shows.'
        when 'expired' then 'It has expired.'
        when 'retired' then 'It is older than anybody in the conversation may see.'
        when 'deleted_for_me' then 'They have deleted it for themselves.'
        when 'deleted' then 'It was deleted for everyone.'
        when 'gone' then 'It is no longer there.'
        when 'request' then 'It is among their requests, which they have not accepted.'
        when 'own' then 'They sent it, or caused it, themselves.'
        when 'notice' then 'It is a notice, which is for nobody in particular.'
        when 'call' then 'It tells of a call, which has notifications of its own.'
        when 'read' then 'They had read it before.'
        when 'push_off' then 'They want no notifications.'
        when 'level_none' then 'They want no notifications of this conversation.'
        when 'level_mentions' then 'They want notifications of mentions alone in this conversation.'
        when 'muted' then 'They had muted the conversation.'
        when 'do_not_disturb' then 'They did not want to be disturbed.'
        when 'quiet_hours' then 'They had quiet hours.'
        when 'in_view' then 'They had the conversation before their eyes.'
        when 'no_device' then 'They had no device on which they can be reached.'
        when 'device_off' then 'They want no notifications on that device, or on any.'
        when 'device_dropped' then 'The device was dropped before it was sent.'
        when 'device_removed' then 'They had removed the device.'
        when 'handed_over' then 'The device had another user by then.'
        when 'replaced' then 'The device had another token by then.'
        when 'account_closed' then 'Their account was closed.'
        when 'newer' then 'A notification of a newer message stood for it.'
        when 'too_late' then 'It could not be sent in time.'
        when 'not_fetched' then 'No worker fetched it in time.'
        when 'sealed_with_another_key' then 'The workers'' private key does not open the token of the device.'
        when 'no_provider' then 'No worker has credentials for notifications to their devices.'
        when 'not_looked_at' then 'It is not decided yet.'
        when 'passed_over' then 'Push was not set up then, or read of it too late.'
        when 'not_kept' then 'It is too long ago: what was decided is no longer kept.'
    end
$$;
comment on function parley.delivery_words is 'What a reason of a delivery means, in a sentence. Null: a word of a provider.';

create or replace function parley.push_jobs_of(message parley.message, user_id uuid)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    return (
        select coalesce(
            jsonb_agg(
                jsonb_strip_nulls(jsonb_build_object(
                    'job_id', j.id,
                    'device_id', j.device_id,
                    'platform', (select d.platform from parley.push_device as d where d.id = j.device_id),
                    'session_id', (select d.session_id from parley.push_device as d where d.id = j.device_id),
                    'provider', j.provider,
                    'state', j.state,
                    'reason', j.reason,
                    'why', parley.delivery_words(j.reason),
                    'answer', j.answer,
                    'worker', j.worker,
                    'attempts', j.claim,
                    'stands_for', case when j.first_seq < j.last_seq then jsonb_build_array(j.first_seq, j.last_seq) end,
                    'queued_at', j.created_at,
                    'settled_at', j.settled_at,
                    'due_at', case when j.settled_at is null then j.due_at end
                ))
                order by j.id
            ),
            '[]'
        )
        from (
            select o.*
            from parley.push_job as o
            where o.user_id = push_jobs_of.user_id
                and o.conversation_id = message.conversation_id
                and o.last_seq >= message.seq
                and o.first_seq <= message.seq
                and o.kind = 'message'
            order by o.last_seq
            limit 100
        ) as j
    );
end;
$$;
comment on function parley.push_jobs_of is
'What became of the notifications of a message to a user, device by device, as it was decided and answered then.';

create or replace function parley.push_step(
    message parley.message, participant parley.participant, account parley.account
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_jobs constant jsonb := parley.push_jobs_of(message, participant.user_id);
    -- decided of the message itself, also where a notification stands for those around it
    v_own constant text := jsonb_path_query_first(
        v_jobs, '$[*] ? (@.state == "suppressed" && !exists (@.device_id)).reason'
    ) #>> '{}';
    v_sent constant boolean := v_own is null and jsonb_path_exists(v_jobs, '$[*] ? (@.state == "sent")');
    v_preference parley.push_preference;
    v_blocker text;
    v_reason text;
begin
    if v_jobs = '[]' then
        -- nothing was kept: what can be told from what is there
        select s.* into v_preference from parley.push_preference as s where s.user_id = participant.user_id;
        v_reason := (parley.decide_push(message, participant, account, v_preference)).reason;
        v_blocker := parley.message_blocker(message, participant, account);
        if v_reason is distinct from 'own' and v_reason is distinct from 'notice' and v_reason is distinct from 'call' then
            v_reason := case
                when not exists (select from parley.push_provider) then 'no_provider'
                when message.created_at < clock_timestamp()
                    - make_interval(days => greatest(1, least(365, parley.setting_number('push_keep_days', 14)))::integer)
                    then 'not_kept'
                when exists (
                    select from parley.consumer as c
                    where c.name = 'push' and c.updated_at < message.created_at
                ) then 'not_looked_at'
                -- they were not there, or it reached nobody but its sender: there was nothing to decide
                when v_blocker in ('left', 'before_history', 'sender_blocked') then v_blocker
                -- who had a device has a row; of one that registers anew since nobody knows when it came
                when exists (
                    select from parley.push_device as d
                    where (d.user_id = participant.user_id or d.user_id is null)
                        and d.dropped_at is null
                        and d.registered_at < message.created_at
                ) then 'passed_over'
                else 'no_device'
            end;
        end if;
    elsif not v_sent then
        v_reason := coalesce(
            v_own,
            jsonb_path_query_first(v_jobs, '$[*] ? (exists (@.reason)).reason') #>> '{}',
            jsonb_path_query_first(v_jobs, '$[*] ? (exists (@.answer)).answer') #>> '{}',
            'not_looked_at'
        );
    end if;
    return jsonb_build_object(
        'step', 'pushed', 'ok', v_sent, 'reason', v_reason, 'why', parley.delivery_words(v_reason), 'devices', v_jobs
    );
end;
$$;
comment on function parley.push_step is
'Of an explanation: to which devices a notification was sent, by which worker, with which answer; or why not.';
