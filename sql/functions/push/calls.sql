-- Calls ring on devices that are not connected, and stop ringing when they were answered elsewhere. Phones ring by
-- their VoIP tokens, on which nothing but a ringing call may be sent: the other token of the session has them stop.
-- Where a session has none, and on other devices, a notification says both.

create or replace function parley.queue_call_pushes(conversation_id uuid, call_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_tenant_id constant uuid := parley.push_tenant(queue_call_pushes.conversation_id);
    v_call parley.call;
    v_part parley.call_participant;
    v_device parley.push_device;
begin
    select c.* into v_call
    from parley.call as c
    where c.id = queue_call_pushes.call_id and c.conversation_id = queue_call_pushes.conversation_id;
    if not found or v_call.state = 'ended' or v_call.ring_expires_at <= clock_timestamp() then
        return;
    end if;
    for v_part in
        select p.*
        from parley.call_participant as p
        where p.conversation_id = queue_call_pushes.conversation_id and p.call_id = v_call.id and p.state = 'ringing'
    loop
        for v_device in
            select d.*
            from parley.push_devices_of(v_part.user_id) as d
            where d.kind = 'voip'
                or not exists (
                    select from parley.push_device as o
                    where o.user_id = d.user_id
                        and o.kind = 'voip'
                        and o.dropped_at is null
                        and o.enabled
                        and o.app_id = d.app_id
                        and d.provider = 'apns'
                        and o.session_id is not distinct from d.session_id
                )
        loop
            perform parley.queue_push(
                v_device, v_tenant_id, v_part.user_id, 'call', 'call', 'call:' || v_call.id,
                v_call.conversation_id, v_call.id, null, clock_timestamp(), v_call.ring_expires_at
            );
        end loop;
    end loop;
end;
$$;
comment on function parley.queue_call_pushes is 'Queues a call for the devices of those whom it rings.';

create or replace function parley.queue_call_ends(conversation_id uuid, call_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := clock_timestamp();
    v_part parley.call_participant;
    v_tenant_id constant uuid := parley.push_tenant(queue_call_ends.conversation_id);
    v_device parley.push_device;
begin
    for v_part in
        select p.*
        from parley.call_participant as p
        inner join parley.call as c on p.call_id = c.id and p.conversation_id = c.conversation_id
        where p.conversation_id = queue_call_ends.conversation_id
            and p.call_id = queue_call_ends.call_id
            and p.state <> 'ringing'
            and p.user_id <> c.initiator_id
            and c.created_at > v_now - interval '1 day'
            -- once
            and not exists (
                select from parley.push_job as j
                where j.user_id = p.user_id
                    and j.conversation_id = p.conversation_id
                    and j.last_seq is null
                    and j.call_id = p.call_id
                    and j.kind = 'call_end'
            )
    loop
        update parley.push_job as j
        set state = 'cancelled', reason = 'call_over', settled_at = v_now
        where j.user_id = v_part.user_id
            and j.conversation_id = v_part.conversation_id
            and j.last_seq is null
            and j.call_id = v_part.call_id
            and j.kind = 'call'
            and j.state = 'queued';
        for v_device in
            select d.* from parley.push_devices_of(v_part.user_id) as d
            where d.kind <> 'voip'
                -- whoever missed it learns of it; else only a device that was told to ring, a phone by its VoIP token
                and (
                    v_part.state = 'missed'
                    or exists (
                        select from parley.push_job as j
                        where j.user_id = v_part.user_id
                            and j.conversation_id = v_part.conversation_id
                            and j.last_seq is null
                            and j.call_id = v_part.call_id
                            and j.state in ('leased', 'retrying', 'sent')
                            and (j.device_id = d.id or j.device_id = any (array(
                                select o.id
                                from parley.push_device as o
                                where o.user_id = d.user_id
                                    and o.kind = 'voip'
                                    and o.app_id = d.app_id
                                    and d.provider = 'apns'
                                    and o.session_id is not distinct from d.session_id
                            )))
                    )
                )
        loop
            perform parley.queue_push(
                v_device, v_tenant_id, v_part.user_id, 'call_end',
                case v_part.state when 'missed' then 'message' else 'call' end,
                'call_end:' || v_part.call_id, v_part.conversation_id, v_part.call_id, null, v_now,
                v_now + case v_part.state when 'missed' then parley.push_lifetime() else interval '10 minutes' end
            );
        end loop;
    end loop;
end;
$$;
comment on function parley.queue_call_ends is
'After a call stopped ringing for somebody: ends what waits to ring, has devices that ring stop, and tells who missed it.';
