-- Registering a device: an app does so whenever it starts, with the token it has then.

create or replace function parley.caller_session_id()
returns text
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select left(nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'session_id', ''), 255)
$$;
comment on function parley.caller_session_id is 'The session of the calling token. Null: it says none.';

create or replace function parley.push_device_json(device parley.push_device)
returns jsonb
language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'id', device.id,
        'provider', device.provider,
        'app_id', device.app_id,
        'environment', device.environment,
        'kind', device.kind,
        'platform', device.platform,
        'locale', device.locale,
        'name', device.name,
        'enabled', device.enabled,
        'privacy', device.privacy,
        'this_session', coalesce(device.session_id = parley.caller_session_id(), false),
        'registered_at', device.registered_at,
        'dropped_at', device.dropped_at,
        'dropped', device.dropped_reason
    );
end;
$$;
comment on function parley.push_device_json is 'A device as its user sees it: never its token.';

create or replace function parley.check_push_device(
    provider text, app_id text, environment text, kind text, platform text, locale text
)
returns void
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    if provider is null or provider not in ('apns', 'fcm', 'webpush') then
        raise exception using errcode = 'PT400', message = 'provider must be apns, fcm or webpush.';
    end if;
    if app_id is null or app_id !~ '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,254}$' then
        raise exception using
            errcode = 'PT400',
            message = 'app_id must be the name of the app among the credentials of the workers.';
    end if;
    if environment not in ('production', 'sandbox') or environment is null then
        raise exception using errcode = 'PT400', message = 'environment must be production or sandbox.';
    end if;
    if kind <> all (
        case provider when 'apns' then array['alert', 'voip'] when 'fcm' then array['token', 'fid'] else array['alert'] end
    ) then
        raise exception using
            errcode = 'PT400',
            message = 'This provider has no devices of this kind.',
            hint = 'Of apns there are alert and voip, of fcm token and fid, of webpush alert.';
    end if;
    if platform !~ '^[a-z0-9_-]{1,32}$' then
        raise exception using errcode = 'PT400', message = 'platform must be a word like ios, android or web.';
    end if;
    if locale !~ '^[A-Za-z0-9_@.-]{2,64}$' then
        raise exception using errcode = 'PT400', message = 'locale must be a language tag like en or pt-BR.';
    end if;
end;
$$;
comment on function parley.check_push_device is 'PT400 unless there can be such a device.';

create or replace function parley.register_device(
    provider text,
    app_id text,
    token text,
    environment text default 'production',
    kind text default null,
    keys jsonb default null,
    locale text default null,
    name text default null,
    platform text default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_user_id uuid;
    v_kind constant text := coalesce(register_device.kind, case when provider = 'fcm' then 'token' else 'alert' end);
    v_session_id constant text := parley.caller_session_id();
    v_token text;
    v_keys jsonb;
    v_hash bytea;
    v_sealed bytea;
    v_route text;
    v_former_id uuid;
    v_most bigint;
    v_device parley.push_device;
    v_old record;
begin
    perform parley.check_push_device(
        register_device.provider, register_device.app_id, register_device.environment, v_kind,
        register_device.platform, register_device.locale
    );
    perform parley.require_name(register_device.name, 'name', 100);
    v_token := parley.push_token(register_device.provider, register_device.token);
    v_keys := parley.push_keys(register_device.provider, register_device.keys);
    v_hash := parley.push_token_hash(
        register_device.provider, register_device.app_id, register_device.environment, v_kind, v_token, v_keys
    );
    v_user_id := parley.provision_caller();
    perform parley.take_tier_token(v_user_id, 'settings_per_minute');
    if not exists (
        select from parley.push_device as d
        where d.token_hash = v_hash and d.user_id = v_user_id and d.dropped_at is null
    ) then
        perform parley.take_tier_token(v_user_id, 'devices_per_hour');
    end if;
    v_sealed := parley.seal_push_token(v_token, v_keys);
    v_route := parley.push_route(
        register_device.provider, register_device.app_id, register_device.environment, v_token
    );

    -- one registration of a user at a time: they count and replace each other
    perform from parley.account as a where a.id = v_user_id for no key update;
    -- the app has another user now: what waits for the former one is not for this one's eyes
    for v_old in
        select d.id, d.user_id from parley.push_device as d
        where d.token_hash = v_hash and d.user_id is distinct from v_user_id
        for update
    loop
        perform parley.delete_push_device(v_old.id, 'handed_over');
        perform parley.tell_device_dropped(v_old.user_id, v_old.id, 'handed_over');
    end loop;
    -- a session has one token of each kind: the newest, on the same device
    select d.id into v_former_id
    from parley.push_device as d
    where d.user_id = v_user_id
        and d.session_id = v_session_id
        and d.provider = register_device.provider
        and d.app_id = register_device.app_id
        and d.environment = register_device.environment
        and d.kind = v_kind
        and not exists (select from parley.push_device as o where o.token_hash = v_hash)
    order by d.registered_at desc
    limit 1;
    if found then
        -- jobs before their device, as who settles them
        perform parley.move_push_jobs(v_former_id, v_former_id, v_route, v_sealed is not null);
        begin
            update parley.push_device as d set token_hash = v_hash where d.id = v_former_id;
        exception
            -- two users with one token, at the same time: see below
            when unique_violation then null;
        end;
    end if;
    insert into parley.push_device as d (
        id, user_id, provider, kind, environment, app_id, route, platform, session_id, locale, name,
        token_hash, token, token_sealed, keys
    )
    values (
        parley.uuid_v7(), v_user_id, register_device.provider, v_kind, register_device.environment,
        register_device.app_id,
        v_route, register_device.platform,
        v_session_id, register_device.locale, register_device.name, v_hash,
        case when v_sealed is null then v_token end, v_sealed, case when v_sealed is null then v_keys end
    )
    on conflict on constraint push_device_token_key do update
    set
        registered_at = excluded.registered_at,
        session_id = excluded.session_id,
        platform = coalesce(excluded.platform, d.platform),
        locale = coalesce(excluded.locale, d.locale),
        name = coalesce(excluded.name, d.name),
        token = excluded.token,
        token_sealed = excluded.token_sealed,
        keys = excluded.keys,
        kind = excluded.kind,
        route = excluded.route,
        -- an app that was installed anew shows none, one that starts anew what it has shown
        last_badge = case when d.last_badge is not null then -1 end,
        dropped_at = null,
        dropped_reason = null
    where d.user_id = v_user_id
    returning d.* into v_device;
    if not found then
        -- two users with one token, at the same time
        raise exception using
            errcode = '40001', message = 'The token was just registered by another user.', hint = 'Try again.';
    end if;

    -- where the token had a device already, of another session, the former one of this session goes
    if v_session_id is not null then
        perform parley.replace_push_device(d, v_device)
        from parley.push_device as d
        where d.user_id = v_user_id
            and d.session_id = v_session_id
            and d.provider = v_device.provider
            and d.app_id = v_device.app_id
            and d.environment = v_device.environment
            and d.kind = v_device.kind
            and d.id <> v_device.id;
    end if;
    v_most := greatest(1, least(1000, parley.setting_number('push_devices_per_user', 20)))::bigint;
    perform parley.drop_push_device(d.id, 'too_many')
    from (
        select x.id
        from parley.push_device as x
        where x.user_id = v_user_id and x.dropped_at is null
        order by x.registered_at desc, x.id desc
        offset v_most
    ) as d;
    -- of those that were dropped so many are told
    delete from parley.push_device as d
    where d.id = any (array(
        select x.id
        from parley.push_device as x
        where x.user_id = v_user_id and x.dropped_at is not null
        order by x.dropped_at desc, x.id desc
        offset 20
    ));
    return parley.push_device_json(v_device);
end;
$$;
comment on function parley.register_device is
'Tells where the caller''s app is reached: provider apns, fcm or webpush (token: the endpoint, with keys). An app calls it whenever it starts. A token of another user''s changes hands; a new one takes the place of the former one of the session, on the same device. kind: alert or voip of apns, token or fid of fcm.';
grant execute on function parley.register_device to authenticated;
