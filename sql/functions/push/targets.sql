-- Where users can be reached, and for how long something is worth it.

create or replace function parley.push_devices_of(user_id uuid)
returns setof parley.push_device
language plpgsql stable security definer
rows 3
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return query
    select d.*
    from (
        select o.* from parley.push_device as o where o.user_id = push_devices_of.user_id and o.dropped_at is null
        union all
        select w.* from parley.push_device as w where w.user_id is null and w.dropped_at is null
    ) as d
    where d.enabled
        and parley.has_push_provider(d.provider, d.app_id);
end;
$$;
comment on function parley.push_devices_of is
'Where a user can be reached now: own devices, and webhooks that are told of everybody.';

create or replace function parley.why_no_push_device(user_id uuid)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    return (
        select case
            when count(*) = 0 then 'no_device'
            when not bool_or(d.enabled) then 'device_off'
            else 'no_provider'
        end
        from parley.push_device as d
        where d.user_id = why_no_push_device.user_id and d.dropped_at is null and d.kind <> 'voip'
    );
end;
$$;
comment on function parley.why_no_push_device is 'Why there is no device on which a user could be told of a message.';

create or replace function parley.push_lifetime()
returns interval
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return make_interval(
        hours => greatest(1, least(672, parley.setting_number('push_message_hours', 24)))::integer
    );
end;
$$;
comment on function parley.push_lifetime is 'For how long the notification of a message is worth sending.';

create or replace function parley.push_tenant(conversation_id uuid)
returns uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return coalesce(
        (
            select cp.tenant_id
            from parley.conversation_profile as cp
            where cp.conversation_id = push_tenant.conversation_id
        ),
        '00000000-0000-0000-0000-000000000000'
    );
end;
$$;
comment on function parley.push_tenant is 'Whose turn a job of the conversation is: its tenant, all zeros without one.';

create or replace function parley.is_push_news(message parley.message)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    -- a call tells of its end itself
    return coalesce(message.metadata ->> 'event' <> 'call_ended', true)
        and not exists (
            select from parley.message_uncounted as t
            where t.conversation_id = message.conversation_id and t.seq = message.seq and t.is_notice
        );
end;
$$;
comment on function parley.is_push_news is 'True unless what the server says is a notice, or the summary of a call: no row tells that nobody is told.';
