-- A call as clients see it.

-- --- what clients see
create or replace function parley.call_json(call parley.call)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', call.id,
        'conversation_id', call.conversation_id,
        'kind', call.kind,
        'state', call.state,
        'outcome', call.outcome,
        'initiator_id', call.initiator_id,
        'client_call_id', call.client_call_id,
        'created_at', call.created_at,
        'ring_expires_at', call.ring_expires_at,
        'answered_at', call.answered_at,
        'ended_at', call.ended_at,
        'duration_seconds', call.duration_seconds,
        'participants', (
            select coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'user_id', p.user_id,
                        'state', p.state,
                        'device_id', p.device_id,
                        'joined_at', p.joined_at,
                        'left_at', p.left_at
                    )
                    order by p.user_id <> call.initiator_id, p.user_id
                ),
                '[]'
            )
            from parley.call_participant as p
            where p.conversation_id = call.conversation_id and p.call_id = call.id
        )
    );
end;
$$;
comment on function parley.call_json is 'A call with its participants, the initiator first.';

create or replace function parley.call_event_json(event parley.event)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
    v_conversation_id uuid := coalesce(event.conversation_id, (event.data ->> 'conversation_id')::uuid);
    v_call_id uuid := (event.data ->> 'call_id')::uuid;
begin
    if event.data ? 'signal_id' then
        -- gone when the call has ended, and for who is no longer in it
        return coalesce(
            (
                select jsonb_build_object(
                    'from_user_id', s.from_user_id,
                    'from_device_id', s.from_device_id,
                    'to_device_id', s.to_device_id,
                    'payload', s.payload
                )
                from parley.call_signal as s
                inner join parley.call_participant as p
                    on s.conversation_id = p.conversation_id and s.call_id = p.call_id and s.to_user_id = p.user_id
                where s.conversation_id = v_conversation_id
                    and s.call_id = v_call_id
                    and s.id = (event.data ->> 'signal_id')::bigint
                    and p.state in ('ringing', 'accepted')
            ),
            jsonb_build_object('from_user_id', event.actor_id, 'payload', null)
        );
    end if;
    return coalesce(
        (
            select jsonb_build_object('call', parley.call_json(c))
            from parley.call as c
            where c.id = v_call_id and c.conversation_id = v_conversation_id
        ),
        '{}'
    );
end;
$$;
comment on function parley.call_event_json is
'What an event of a call carries beyond its ids: the call as it is now, or the signal while the call is open.';

create or replace function parley.call_summary(call parley.call)
returns text
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return case call.outcome
        when 'completed' then format(
            '%s call, %s',
            initcap(call.kind),
            case
                when call.duration_seconds < 60 then format('%s s', call.duration_seconds)
                when call.duration_seconds < 3600 then format('%s min', call.duration_seconds / 60)
                else format('%s h %s min', call.duration_seconds / 3600, call.duration_seconds % 3600 / 60)
            end
        )
        when 'declined' then format('Declined %s call', call.kind)
        when 'failed' then format('Failed %s call', call.kind)
        else format('Missed %s call', call.kind)
    end;
end;
$$;
comment on function parley.call_summary is 'What the thread says of a call that has ended.';
