-- Whom a call still rings, and what becomes of it when nobody is left.

create or replace function parley.ring_next(call parley.call, event_kind text, actor_id uuid, user_id uuid)
returns parley.call
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_call parley.call := call;
    v_rings boolean := parley.call_count(call, 'ringing') > 0;
begin
    if call.state = 'ringing' and not v_rings then
        return parley.finish_call(
            call,
            case
                when parley.call_count(call, 'declined') > 0 then 'declined'
                when parley.call_count(call, 'busy') > 0 then 'busy'
                else 'missed'
            end,
            event_kind, ring_next.actor_id, ring_next.user_id
        );
    end if;
    if call.state = 'active' and not v_rings then
        update parley.call as c
        set due_at = c.answered_at + parley.setting_seconds('call_max_seconds', 28800, 60, 86400)
        where c.id = call.id and c.conversation_id = call.conversation_id
        returning c.* into strict v_call;
    end if;
    perform parley.append_call_event(v_call, event_kind, ring_next.actor_id, ring_next.user_id);
    return v_call;
end;
$$;
comment on function parley.ring_next is
'After somebody stopped ringing without an answer: says so, and ends the call if nobody is left who could answer.';

create or replace function parley.stop_ringing(call parley.call, user_id uuid, state text)
returns parley.call
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    update parley.call_participant as p
    set state = stop_ringing.state
    where p.conversation_id = call.conversation_id and p.call_id = call.id and p.user_id = stop_ringing.user_id;
    return parley.ring_next(
        call,
        case stop_ringing.state when 'busy' then 'call:busy' else 'call:declined' end,
        stop_ringing.user_id, stop_ringing.user_id
    );
end;
$$;
comment on function parley.stop_ringing is 'A user who rings declines, or is busy.';
