-- Starting a call, or joining the one that is open.

create or replace function parley.repeated_call(call parley.call, kind text)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if call.kind <> repeated_call.kind then
        raise exception using
            errcode = 'PT409',
            message = 'This client_call_id was already used for another call.',
            hint = 'Use a new uuid for every call, and the same one only to repeat a start.';
    end if;
    return parley.call_json(call);
end;
$$;
comment on function parley.repeated_call is
'The call an earlier start with this client_call_id made; PT409 if that one was of another kind.';

create or replace function parley.call_of_the_other(conversation_id uuid, user_id uuid, device_id text)
returns parley.call
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_pair parley.direct_conversation;
    v_call parley.call;
begin
    select d.* into v_pair
    from parley.direct_conversation as d
    where d.conversation_id = call_of_the_other.conversation_id;
    if not found then
        return null;
    end if;
    perform pg_advisory_xact_lock(
        hashtextextended(format('parley:call:%s:%s', v_pair.user_low, v_pair.user_high), 0)
    );
    -- conversation by conversation of the two (offset 0), never through all open calls
    select c.* into v_call
    from parley.direct_conversation as d
    cross join lateral (
        select o.*
        from parley.call as o
        where o.conversation_id = d.conversation_id and o.ended_at is null and o.due_at > clock_timestamp()
        offset 0
    ) as c
    where d.user_low = v_pair.user_low
        and d.user_high = v_pair.user_high
        and d.conversation_id <> call_of_the_other.conversation_id
        and exists (
            select from parley.call_participant as p
            where p.conversation_id = c.conversation_id
                and p.call_id = c.id
                and p.user_id = call_of_the_other.user_id
                -- or was answered by a start whose answer was lost
                and (
                    p.state = 'ringing'
                    or (
                        p.state = 'accepted'
                        and p.device_id = call_of_the_other.device_id
                        and c.initiator_id <> call_of_the_other.user_id
                    )
                )
        )
    order by c.id
    limit 1;
    return v_call;
end;
$$;
comment on function parley.call_of_the_other is
'Of a direct conversation: the call by which the other one rings this user in another conversation of the two, or which this device has answered, if any. Until the transaction ends no other start of these two looks.';

create or replace function parley.callees(profile parley.conversation_profile, caller_id uuid, invite_ids uuid[])
returns uuid[]
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_callees uuid[];
    v_own_block boolean;
begin
    if cardinality(invite_ids) > 256 then
        raise exception using errcode = 'PT400', message = 'invite_ids may have at most 256 users.';
    end if;
    if exists (
        select from unnest(invite_ids) as u (id)
        where not exists (
            select from parley.participant as p
            where p.conversation_id = profile.conversation_id and p.user_id = u.id and p.left_at is null
        )
    ) then
        raise exception using errcode = 'PT400', message = 'Only participants of the conversation can be called.';
    end if;
    v_callees := array(
        select p.user_id
        from parley.participant as p
        inner join parley.account as a on p.user_id = a.id
        where p.conversation_id = profile.conversation_id
            and p.left_at is null
            and p.user_id <> caller_id
            -- a request does not ring before it is accepted
            and p.folder = 'inbox'
            and a.suspended_at is null
            and a.deleted_at is null
            and (invite_ids is null or p.user_id = any (invite_ids))
            -- nor a call where one of two has blocked the other
            and not parley.is_blocked(p.user_id, caller_id)
            and not parley.is_blocked(caller_id, p.user_id)
        order by p.user_id
    );
    if profile.type = 'direct' then
        v_own_block := exists (
            select from parley.direct_conversation as d
            inner join parley.block as b on b.blocker_id = caller_id and b.blocked_id in (d.user_low, d.user_high)
            where d.conversation_id = profile.conversation_id
        );
        -- one answer, whatever the reason
        if v_own_block
            or cardinality(v_callees) = 0
            or parley.reach_of(caller_id, v_callees[1], true) = 'refused'
        then
            perform parley.refuse_reach(v_own_block);
        end if;
    elsif cardinality(v_callees) = 0 then
        raise exception using errcode = 'PT400', message = 'There is nobody to call in this conversation.';
    end if;
    return v_callees;
end;
$$;
comment on function parley.callees is 'The users whom a call rings: the other participants, or the invited ones among them.';

create or replace function parley.expire_call(call parley.call)
returns parley.call
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if call.state = 'ringing' then
        return parley.finish_call(call, 'missed', 'call:missed', null, null);
    end if;
    if parley.call_count(call, 'ringing') = 0 then
        return parley.finish_call(call, 'completed', 'call:ended', null, null);
    end if;
    update parley.call_participant as p
    set state = 'missed'
    where p.conversation_id = call.conversation_id and p.call_id = call.id and p.state = 'ringing';
    return parley.ring_next(call, 'call:missed', null, null);
end;
$$;
comment on function parley.expire_call is
'What is due of an open call: it is missed, those who ring stop, or it has lasted too long.';

-- --- what clients call
create or replace function parley.start_call(
    conversation_id uuid,
    kind text default 'voice',
    device_id text default null,
    invite_ids uuid[] default null,
    client_call_id uuid default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_profile parley.conversation_profile;
    v_call parley.call;
    v_callees uuid[];
    v_max bigint;
    v_now timestamptz;
begin
    if start_call.kind is null or start_call.kind not in ('voice', 'video') then
        raise exception using errcode = 'PT400', message = 'kind must be voice or video.';
    end if;
    perform parley.check_device_id(start_call.device_id);
    perform parley.require_participant(start_call.conversation_id, v_user_id);
    select c.* into v_call
    from parley.call as c
    where c.conversation_id = start_call.conversation_id
        and c.initiator_id = v_user_id
        and c.client_call_id = start_call.client_call_id;
    if found then
        return parley.repeated_call(v_call, start_call.kind);
    end if;
    perform parley.require_messaging(v_user_id);
    perform parley.take_tier_token(v_user_id, 'calls_per_hour');

    -- The same two may be calling each other in two conversations: one of them at a time looks.
    v_call := parley.call_of_the_other(start_call.conversation_id, v_user_id, start_call.device_id);
    if v_call.id is not null then
        v_call := parley.lock_call(v_call.id, v_user_id);
        if v_call.state = 'ended' then
            raise exception using errcode = '40001', message = 'The other call ended meanwhile.', hint = 'Try again.';
        end if;
        v_call := parley.join_call(v_call, v_user_id, start_call.device_id);
        return parley.call_json(v_call);
    end if;

    perform parley.lock_conversation(start_call.conversation_id);
    perform parley.require_participant(start_call.conversation_id, v_user_id);
    v_profile := parley.require_writable(start_call.conversation_id);
    select c.* into v_call
    from parley.call as c
    where c.conversation_id = start_call.conversation_id and c.ended_at is null
    for no key update;
    if found and v_call.initiator_id = v_user_id and v_call.client_call_id = start_call.client_call_id then
        return parley.repeated_call(v_call, start_call.kind);
    end if;
    if found and v_call.due_at <= clock_timestamp() then
        v_call := parley.expire_call(v_call);
    end if;
    if v_call.state in ('ringing', 'active') then
        v_call := parley.join_call(v_call, v_user_id, start_call.device_id);
        return parley.call_json(v_call);
    end if;

    perform parley.require_may(v_user_id, 'call', start_call.conversation_id);
    v_callees := parley.callees(v_profile, v_user_id, start_call.invite_ids);
    v_max := parley.limit_of(v_user_id, 'max_call_participants');
    if cardinality(v_callees) + 1 > v_max then
        raise exception using
            errcode = 'PT400',
            message = format('A call may have at most %s participants.', v_max),
            hint = 'Name those to ring in invite_ids; the others can join.';
    end if;
    v_now := clock_timestamp();
    insert into parley.call as c (
        id, conversation_id, initiator_id, client_call_id, event_seq, created_at, due_at, ring_expires_at, kind, state
    )
    select
        parley.uuid_v7(), start_call.conversation_id, v_user_id, start_call.client_call_id, n.last_event_seq + 1, v_now,
        v_now + r.period, v_now + r.period, start_call.kind, 'ringing'
    from parley.conversation as n
    cross join parley.setting_seconds('call_ring_seconds', 45, 5, 600) as r (period)
    where n.id = start_call.conversation_id
    returning c.* into strict v_call;
    insert into parley.call_participant (conversation_id, call_id, user_id, state, device_id, joined_at)
    values (v_call.conversation_id, v_call.id, v_user_id, 'accepted', start_call.device_id, v_now);
    insert into parley.call_participant (conversation_id, call_id, user_id, state)
    select v_call.conversation_id, v_call.id, u.id, 'ringing'
    from unnest(v_callees) as u (id);
    perform parley.append_call_event(v_call, 'call:ring', v_user_id, null);
    return parley.call_json(v_call);
end;
$$;
comment on function parley.start_call is
'Calls the other participants, or in a group those invited. Where a call is open it is joined: see initiator_id. The same client_call_id again returns the first call.';
grant execute on function parley.start_call to authenticated;
