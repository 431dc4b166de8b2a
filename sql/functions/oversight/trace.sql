-- The way of one message through the system: what the log says of it, and for each participant whether they can see it
-- (by the access rule, or why not) and how far they have got. "Why did Bob not get it?" is one call.

create or replace function parley.trace_message(message_id uuid, reason text, user_id uuid default null)
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
begin
    if trace_message.message_id is null then
        raise exception using errcode = 'PT400', message = 'message_id is required.';
    end if;
    select m.* into v_message from parley.message as m where m.id = trace_message.message_id;
    if not found and parley.is_host() then
        raise exception using errcode = 'PT404', message = 'The message does not exist.';
    end if;
    -- who is refused is not told whether it exists: no conversation has the id of a message
    v_role := parley.oversight_role(coalesce(v_message.conversation_id, trace_message.message_id));
    perform parley.audit(
        'trace_message', trace_message.reason, v_role,
        (select cp.tenant_id from parley.conversation_profile as cp where cp.conversation_id = v_message.conversation_id),
        v_message.conversation_id, trace_message.user_id, v_message.id
    );
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
        'participants', coalesce(
            (
                select jsonb_agg(
                    jsonb_build_object(
                        'user_id', p.user_id,
                        'blocked_by', parley.message_blocker(v_message, q.participant, q.account),
                        -- who comes later begins with horizons behind what was said before
                        'delivered', v_message.seq between p.history_from_seq and greatest(
                            p.last_delivered_seq, p.last_read_seq
                        ),
                        'read', v_message.seq between p.history_from_seq and p.last_read_seq,
                        'read_at', case
                            when p.last_read_seq >= v_message.seq then (
                                select r.read_at from parley.read_marker as r
                                where r.conversation_id = p.conversation_id
                                    and r.user_id = p.user_id
                                    and r.seq >= v_message.seq
                                    and r.after_seq < v_message.seq
                                order by r.seq
                                limit 1
                            )
                        end,
                        'notification_level', p.notification_level,
                        'muted_until', p.muted_until,
                        'archived_at', p.archived_at,
                        'folder', p.folder
                    )
                    order by p.user_id
                )
                from parley.participant as p
                inner join parley.account as a on p.user_id = a.id
                cross join lateral (select p as participant, a as account) as q
                where p.conversation_id = v_message.conversation_id
                    and p.user_id is distinct from v_message.sender_id
                    and p.user_id = coalesce(trace_message.user_id, p.user_id)
            ),
            '[]'
        )
    );
end;
$$;
comment on function parley.trace_message is
'The fate of a message, for owners and moderators of the tenant and the application: {message, events, participants}, of one user or of everybody who is or was in the conversation. blocked_by is the reason why a participant cannot see it. The content is left out. Each call is in the audit log with its reason.';
grant execute on function parley.trace_message to authenticated, service_role;
