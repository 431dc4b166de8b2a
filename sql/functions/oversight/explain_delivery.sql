-- "Why did Bob not get it?" is one call, for the staff of the application.

create or replace function parley.delivery_steps(
    message parley.message, participant parley.participant, account parley.account
)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_was_there constant boolean := coalesce(participant.left_at > message.created_at, true);
    v_then parley.participant := participant;
    v_blocker text;
    v_read constant boolean := message.seq between participant.history_from_seq and participant.last_read_seq;
    v_event parley.event;
begin
    -- who left afterwards could see it until then
    if v_was_there then
        v_then.left_at := null;
    end if;
    v_blocker := parley.message_blocker(message, v_then, account);
    select e.* into v_event
    from parley.event as e
    where e.conversation_id = message.conversation_id
        and e.message_id = message.id
        and e.kind = 'message:new'
    order by e.event_seq
    limit 1;
    return jsonb_build_array(
        jsonb_build_object(
            'step', 'member',
            'ok', v_was_there and account.deleted_at is null and account.suspended_at is null,
            'joined_at', participant.joined_at,
            'left_at', participant.left_at,
            'reason', case when v_blocker in ('left', 'account_deleted', 'account_suspended') then v_blocker end
        ),
        jsonb_build_object(
            'step', 'window',
            'ok', v_blocker is null or v_blocker not in ('before_history', 'beyond_tier', 'expired', 'retired', 'deleted_for_me'),
            'history_from_seq', participant.history_from_seq,
            'reason', case
                when v_blocker in ('before_history', 'beyond_tier', 'expired', 'retired', 'deleted_for_me') then v_blocker
            end
        ),
        jsonb_build_object(
            'step', 'blocked',
            'ok', v_blocker is distinct from 'sender_blocked',
            'reason', case when v_blocker = 'sender_blocked' then v_blocker end
        ),
        jsonb_build_object(
            'step', 'request',
            'as_of', 'now',
            'ok', participant.folder <> 'requests',
            'reason', case when participant.folder = 'requests' then 'request' end
        ),
        jsonb_build_object(
            'step', 'muted',
            'as_of', 'now',
            'ok', participant.notification_level <> 'none' and coalesce(participant.muted_until <= now(), true),
            'notification_level', participant.notification_level,
            'muted_until', participant.muted_until,
            'reason', case
                when participant.notification_level = 'none' then 'level_none'
                when participant.muted_until > now() then 'muted'
            end
        ),
        -- which sockets were open then is not kept: whoever was connected was sent it at this place in the log
        jsonb_build_object(
            'step', 'rendered',
            'ok', v_blocker is null and v_event.id is not null,
            'event_seq', v_event.event_seq,
            'at', v_event.created_at
        ),
        parley.push_step(message, v_then, account),
        -- who comes later begins with horizons behind what was said before
        jsonb_build_object(
            'step', 'delivered',
            'ok', message.seq between participant.history_from_seq
            and greatest(participant.last_delivered_seq, participant.last_read_seq)
        ),
        jsonb_build_object(
            'step', 'read',
            'ok', v_read,
            'at', case
                when v_read then (
                    select r.read_at from parley.read_marker as r
                    where r.conversation_id = participant.conversation_id
                        and r.user_id = participant.user_id
                        and r.seq >= message.seq
                        and r.after_seq < message.seq
                    order by r.seq
                    limit 1
                )
            end
        )
    );
end;
$$;
comment on function parley.delivery_steps is 'The way of a message to one participant, step by step; ok false: it ended there.';

create or replace function parley.delivery_answer(steps jsonb)
returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select case
        when jsonb_path_exists(steps, '$[*] ? (@.step == "read" && @.ok == true)')
            then 'They have read it.'
        when f.reason is not null then 'They cannot see it. ' || parley.delivery_words(f.reason)
        when jsonb_path_exists(steps, '$[*] ? (@.step == "delivered" && @.ok == true)')
            then 'It has reached a device of theirs, and is not read.'
        when jsonb_path_exists(steps, '$[*] ? (@.step == "pushed" && @.ok == true)')
            then 'A provider accepted a notification of it. No device of theirs has fetched it since.'
        else case
            when jsonb_path_exists(steps, '$[*] ? (@.step == "member" && @.left_at != null)')
                then 'They have left since, and no device of theirs had fetched it.'
            else 'They can see it, and no device of theirs has fetched it.'
        end || ' No notification was sent: ' || coalesce(parley.delivery_words(p.reason), p.reason)
    end
    from (
        select
            jsonb_path_query_first(
                steps,
                '$[*] ? (@.ok == false && (@.step == "member" || @.step == "window" || @.step == "blocked")).reason'
            ) #>> '{}' as reason
    ) as f
    cross join (
        select jsonb_path_query_first(steps, '$[*] ? (@.step == "pushed").reason') #>> '{}' as reason
    ) as p
$$;
comment on function parley.delivery_answer is 'What the steps come to, in a sentence.';

create or replace function parley.explain_delivery(
    message_id uuid, user_id uuid default null, reason text default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- the log of one conversation, however much of the whole log that is
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_message parley.message;
    v_role text;
    v_participants jsonb;
begin
    if explain_delivery.message_id is null then
        raise exception using errcode = 'PT400', message = 'message_id is required.';
    end if;
    select m.* into v_message from parley.message as m where m.id = explain_delivery.message_id;
    if not found and parley.is_host() then
        raise exception using errcode = 'PT404', message = 'The message does not exist.';
    end if;
    -- who is refused is not told whether it exists: no conversation has the id of a message
    v_role := parley.oversight_role(coalesce(v_message.conversation_id, explain_delivery.message_id));
    perform parley.audit(
        'explain_delivery', explain_delivery.reason, v_role,
        (select cp.tenant_id from parley.conversation_profile as cp where cp.conversation_id = v_message.conversation_id),
        v_message.conversation_id, explain_delivery.user_id, v_message.id
    );
    select
        jsonb_agg(
            jsonb_build_object(
                'user_id', w.user_id,
                'answer', parley.delivery_answer(w.steps),
                'blocked_by', parley.message_blocker(v_message, w.participant, w.account),
                'delivered', w.steps #> '{7,ok}',
                'read', w.steps #> '{8,ok}',
                'read_at', w.steps #> '{8,at}',
                'folder', w.folder,
                'archived_at', w.archived_at,
                'steps', w.steps
            )
            order by w.user_id
        )
    into v_participants
    from (
        select
            p.user_id, p.folder, p.archived_at, q.participant, q.account,
            parley.delivery_steps(v_message, q.participant, q.account) as steps
        from parley.participant as p
        inner join parley.account as a on p.user_id = a.id
        cross join lateral (select p as participant, a as account) as q
        where p.conversation_id = v_message.conversation_id
            and p.user_id is distinct from v_message.sender_id
            and p.user_id = coalesce(explain_delivery.user_id, p.user_id)
        offset 0
    ) as w;
    if v_participants is null and explain_delivery.user_id is not null then
        v_participants := jsonb_build_array(
            jsonb_build_object(
                'user_id', explain_delivery.user_id,
                'answer', parley.delivery_words(
                    case when explain_delivery.user_id = v_message.sender_id then 'own' else 'not_member' end
                ),
                'steps', jsonb_build_array(
                    jsonb_build_object(
                        'step', 'member', 'ok', explain_delivery.user_id = v_message.sender_id,
                        'reason', case when explain_delivery.user_id is distinct from v_message.sender_id then 'not_member' end
                    )
                )
            )
        );
    end if;
    return jsonb_build_object(
        'message', jsonb_build_object(
            'id', v_message.id,
            'conversation_id', v_message.conversation_id,
            'seq', v_message.seq,
            'type', v_message.type,
            'sender_id', v_message.sender_id,
            'created_at', v_message.created_at,
            'edited_at', v_message.edited_at,
            'deleted_at', v_message.deleted_at,
            'expires_at', v_message.expires_at
        ),
        'events', coalesce(
            (
                select jsonb_agg(
                    jsonb_build_object(
                        'event_seq', e.event_seq, 'event', e.kind, 'actor_id', e.actor_id, 'at', e.created_at
                    )
                    order by e.event_seq
                )
                from parley.event as e
                where e.conversation_id = v_message.conversation_id and e.message_id = v_message.id
            ),
            '[]'
        ),
        'participants', coalesce(v_participants, '[]')
    );
end;
$$;
comment on function parley.explain_delivery is
'Why somebody got a message or did not, for owners and moderators of the tenant and the application: {message, events, participants}, of one user or of everybody who is or was in the conversation. Of each: answer, a sentence; and steps in order, member, window, blocked, request, muted, rendered, pushed (to which devices, by which worker, with which answer), delivered, read. Those with as_of are of now; the reason of pushed is of then. blocked_by is the reason why a participant cannot see it. The content is left out. Each call is in the audit log with its reason.';
grant execute on function parley.explain_delivery to authenticated, service_role;
