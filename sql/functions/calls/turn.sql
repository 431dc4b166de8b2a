-- Credentials for TURN servers, by the convention of the TURN REST API (draft-uberti-behave-turn-rest), as coturn
-- checks them with use-auth-secret: the user name is <expiry>:<user>, the password is
-- base64(HMAC-SHA1(secret, user name)). Made in the database, so that the gateway, PostgREST and plain SQL give the
-- same. Core PostgreSQL has no SHA-1; the few blocks of a password take a millisecond here, and nothing but TURN needs
-- it.

create or replace function parley.set_turn_secret(secret text)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if secret is null then
        delete from parley.secret as s where s.name = 'turn_secret';
        return;
    end if;
    if octet_length(convert_to(secret, 'UTF8')) < 32 then
        raise exception using
            errcode = 'PT400',
            message = 'The secret must have at least 32 bytes.',
            hint = 'For example: openssl rand -hex 32. The TURN server has the same as static-auth-secret.';
    end if;
    insert into parley.secret as s (name, value)
    values ('turn_secret', convert_to(secret, 'UTF8'))
    on conflict (name) do update
    set value = excluded.value, created_at = now();
end;
$$;
comment on function parley.set_turn_secret is
'Sets the secret shared with the TURN servers (static-auth-secret of coturn); null removes it. For the owner of the schema.';

create or replace function parley.get_turn_credentials()
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_urls text[] := parley.setting_list('turn_urls');
    v_stun_urls text[] := parley.setting_list('stun_urls');
    v_ttl bigint := extract(epoch from parley.setting_seconds('turn_ttl_seconds', 43200, 60, 86400))::bigint;
    v_secret bytea := (select s.value from parley.secret as s where s.name = 'turn_secret');
    v_username text;
    v_credential text;
begin
    if v_secret is null or cardinality(v_urls) = 0 then
        raise exception using
            errcode = 'PT503',
            message = 'No TURN server is configured.',
            hint = 'The operator sets turn_urls in parley.setting, and the secret with parley.set_turn_secret().';
    end if;
    perform parley.take_tier_token(v_user_id, 'turn_credentials_per_hour');
    v_username := format('%s:%s', extract(epoch from clock_timestamp())::bigint + v_ttl, v_user_id);
    v_credential := encode(parley.hmac_sha1(v_secret, convert_to(v_username, 'UTF8')), 'base64');
    return jsonb_build_object(
        'username', v_username,
        'credential', v_credential,
        'ttl', v_ttl,
        'urls', to_jsonb(v_urls),
        -- ready for RTCPeerConnection
        'ice_servers', case
            when cardinality(v_stun_urls) > 0
                then jsonb_build_array(jsonb_build_object('urls', to_jsonb(v_stun_urls)))
            else '[]'
        end || jsonb_build_array(
            jsonb_build_object('urls', to_jsonb(v_urls), 'username', v_username, 'credential', v_credential)
        )
    );
end;
$$;
comment on function parley.get_turn_credentials is
'The caller''s credentials for the TURN servers: {username, credential, ttl, urls, ice_servers}; PT503 if none is configured.';
grant execute on function parley.get_turn_credentials to authenticated;
