-- The caller's devices.

create or replace function parley.list_devices()
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
    v_user_id uuid := parley.require_caller();
begin
    return (
        select coalesce(jsonb_agg(parley.push_device_json(d) order by d.registered_at desc, d.id), '[]')
        from parley.push_device as d
        where d.user_id = v_user_id
    );
end;
$$;
comment on function parley.list_devices is
'The caller''s devices, the one that registered last first. dropped says why one is not sent to any more: its app registers anew.';
grant execute on function parley.list_devices to authenticated;

create or replace function parley.update_device(
    device_id uuid,
    enabled boolean default null,
    privacy text default null,
    locale text default null,
    name text default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_device parley.push_device;
begin
    perform parley.require_push_privacy(update_device.privacy);
    perform parley.require_name(update_device.name, 'name', 100);
    if update_device.locale !~ '^[A-Za-z0-9_@.-]{2,64}$' then
        raise exception using errcode = 'PT400', message = 'locale must be a language tag like en or pt-BR.';
    end if;
    perform parley.take_tier_token(v_user_id, 'settings_per_minute');
    update parley.push_device as d
    set
        enabled = coalesce(update_device.enabled, d.enabled),
        privacy = case
            when update_device.privacy is null then d.privacy
            else nullif(update_device.privacy, 'default')
        end,
        locale = coalesce(update_device.locale, d.locale),
        name = coalesce(update_device.name, d.name)
    where d.id = update_device.device_id and d.user_id = v_user_id
    returning d.* into v_device;
    if not found then
        raise exception using errcode = 'PT404', message = 'You have no such device.';
    end if;
    return parley.push_device_json(v_device);
end;
$$;
comment on function parley.update_device is
'Changes what the caller wants on one device; what is left out stays. enabled: whether it is sent to. privacy: full, sender or id at most, or default for what the user''s settings say.';
grant execute on function parley.update_device to authenticated;

create or replace function parley.remove_device(device_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
begin
    perform from parley.push_device as d
    where d.id = remove_device.device_id and d.user_id = v_user_id
    for update;
    if not found then
        raise exception using errcode = 'PT404', message = 'You have no such device.';
    end if;
    perform parley.delete_push_device(remove_device.device_id, 'device_removed');
    return jsonb_build_object('device_id', remove_device.device_id, 'removed', true);
end;
$$;
comment on function parley.remove_device is
'Forgets a device of the caller, as at sign-out: nothing that waits for it is sent any more.';
grant execute on function parley.remove_device to authenticated;
