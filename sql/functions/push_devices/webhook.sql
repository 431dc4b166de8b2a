-- A gateway of the host among the devices: for e-mail, a bot, or a provider of its own.

create or replace function parley.set_push_webhook(app_id text, user_id uuid default null, enabled boolean default true)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_hash constant bytea := parley.push_token_hash(
        'webhook', set_push_webhook.app_id, 'production', 'alert', coalesce(set_push_webhook.user_id::text, '*')
    );
    v_device parley.push_device;
begin
    if set_push_webhook.app_id is null or set_push_webhook.app_id !~ '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,254}$' then
        raise exception using
            errcode = 'PT400', message = 'app_id must be the name of a webhook among the settings of the workers.';
    end if;
    if set_push_webhook.user_id is not null then
        perform parley.require_accounts(array[set_push_webhook.user_id]);
    end if;
    insert into parley.push_device as d (
        id, user_id, provider, kind, environment, app_id, route, enabled, token_hash, token
    )
    values (
        parley.uuid_v7(), set_push_webhook.user_id, 'webhook', 'alert', 'production', set_push_webhook.app_id,
        set_push_webhook.app_id, coalesce(set_push_webhook.enabled, true), v_hash,
        coalesce(set_push_webhook.user_id::text, '*')
    )
    on conflict on constraint push_device_token_key do update
    set
        enabled = excluded.enabled,
        registered_at = excluded.registered_at,
        token = excluded.token,
        dropped_at = null,
        dropped_reason = null
    returning d.* into v_device;
    return parley.push_device_json(v_device);
end;
$$;
comment on function parley.set_push_webhook is
'Has notifications of a user, or without one of every user, go to a webhook of the workers'' settings; enabled false ends it. What it calls the device is the id of the user.';
grant execute on function parley.set_push_webhook to service_role;
