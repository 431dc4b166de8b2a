-- What a device token may look like.

create or replace function parley.push_token(provider text, token text)
returns text
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_token text := case when push_token.provider = 'apns' then lower(push_token.token) else push_token.token end;
begin
    if (case push_token.provider
        when 'apns' then octet_length(v_token) between 32 and 400 and v_token ~ '^([0-9a-f]{2})+$'
        when 'fcm' then octet_length(v_token) between 10 and 4096 and v_token ~ '^[!-~]+$'
        when 'webpush' then
            octet_length(v_token) <= 2048
            and v_token ~ '^https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?/[!-~]+$'
        else false
    end) is not true then
        raise exception using
            errcode = 'PT400',
            message = 'token is not a device token of this provider.',
            hint = case push_token.provider
                when 'apns' then 'Send the bytes of the device token as hexadecimal digits.'
                when 'webpush' then 'Send the endpoint of the subscription, an https URL.'
                else 'Send the registration token, or the installation id with kind fid.'
            end;
    end if;
    return v_token;
end;
$$;
comment on function parley.push_token is 'The token as it is stored, or PT400.';

create or replace function parley.push_keys(provider text, keys jsonb)
returns jsonb
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_point text := rtrim(translate(push_keys.keys ->> 'p256dh', '+/', '-_'), '=');
    v_auth text := rtrim(translate(push_keys.keys ->> 'auth', '+/', '-_'), '=');
begin
    if push_keys.provider <> 'webpush' then
        return null;
    end if;
    -- an uncompressed point has 65 bytes, the first is 4; the secret 16
    if v_point ~ '^B[A-P][A-Za-z0-9_-]{85}$' and v_auth ~ '^[A-Za-z0-9_-]{22}$' then
        return jsonb_build_object('p256dh', v_point, 'auth', v_auth);
    end if;
    raise exception using
        errcode = 'PT400',
        message = 'keys must be the p256dh and the auth of the subscription.',
        hint = 'In a browser: subscription.toJSON().keys.';
end;
$$;
comment on function parley.push_keys is 'The keys of a browser''s subscription as they are stored, or PT400; null for others.';

create or replace function parley.push_route(provider text, app_id text, environment text, token text)
returns text
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select case
        when provider = 'webpush' then regexp_replace(substring(token from '^https://[^/]+'), ':443$', '')
        when provider = 'apns' and environment = 'sandbox' then app_id || ' sandbox'
        else app_id
    end
$$;
comment on function parley.push_route is 'What of a provider can fail as a whole: the app, apart from it "<app> sandbox", or the origin of a push service.';

create or replace function parley.push_token_hash(
    provider text, app_id text, environment text, kind text, token text, keys jsonb default null
)
returns bytea
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- an endpoint is no secret of its browser, the auth of its keys is: who knows the endpoint alone is another device
    select sha256(convert_to(
        jsonb_build_array(
            provider, app_id, environment, case when provider <> 'fcm' then kind end, token, keys ->> 'auth'
        )::text,
        'UTF8'
    ))
$$;
comment on function parley.push_token_hash is 'What makes a device the only one with its token, and of webpush with its secret.';
