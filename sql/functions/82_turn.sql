-- Credentials for TURN servers, by the convention of the TURN REST API (draft-uberti-behave-turn-rest), as coturn
-- checks them with use-auth-secret: the user name is <expiry>:<user>, the password is
-- base64(HMAC-SHA1(secret, user name)). Made in the database, so that the gateway, PostgREST and plain SQL give the
-- same. Core PostgreSQL has no SHA-1; the few blocks of a password take a millisecond here, and nothing but TURN needs
-- it.

create or replace function parley.sha1(data bytea)
returns bytea
language plpgsql
immutable
strict
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_mask constant bigint := 4294967295;
    v_padded constant bytea := data || '\x80'::bytea
        || decode(repeat('00', ((119 - octet_length(data) % 64) % 64)), 'hex')
        || int8send(octet_length(data)::bigint * 8);
    v_w bigint[];
    v_h0 bigint := 1732584193;
    v_h1 bigint := 4023233417;
    v_h2 bigint := 2562383102;
    v_h3 bigint := 271733878;
    v_h4 bigint := 3285377520;
    v_a bigint;
    v_b bigint;
    v_c bigint;
    v_d bigint;
    v_e bigint;
    v_x bigint;
begin
    for v_block in 0..octet_length(v_padded) / 64 - 1 loop
        for v_i in 0..15 loop
            v_w[v_i] := (get_byte(v_padded, v_block * 64 + v_i * 4)::bigint << 24)
                | (get_byte(v_padded, v_block * 64 + v_i * 4 + 1)::bigint << 16)
                | (get_byte(v_padded, v_block * 64 + v_i * 4 + 2)::bigint << 8)
                | get_byte(v_padded, v_block * 64 + v_i * 4 + 3)::bigint;
        end loop;
        for v_i in 16..79 loop
            v_x := v_w[v_i - 3] # v_w[v_i - 8] # v_w[v_i - 14] # v_w[v_i - 16];
            v_w[v_i] := ((v_x << 1) & v_mask) | (v_x >> 31);
        end loop;
        v_a := v_h0;
        v_b := v_h1;
        v_c := v_h2;
        v_d := v_h3;
        v_e := v_h4;
        for v_i in 0..79 loop
            v_x := (((v_a << 5) & v_mask) | (v_a >> 27)) + v_e + v_w[v_i] + case
                when v_i < 20 then ((v_b & v_c) | ((v_mask # v_b) & v_d)) + 1518500249
                when v_i < 40 then (v_b # v_c # v_d) + 1859775393
                when v_i < 60 then ((v_b & v_c) | (v_b & v_d) | (v_c & v_d)) + 2400959708
                else (v_b # v_c # v_d) + 3395469782
            end;
            v_e := v_d;
            v_d := v_c;
            v_c := ((v_b << 30) & v_mask) | (v_b >> 2);
            v_b := v_a;
            v_a := v_x & v_mask;
        end loop;
        v_h0 := (v_h0 + v_a) & v_mask;
        v_h1 := (v_h1 + v_b) & v_mask;
        v_h2 := (v_h2 + v_c) & v_mask;
        v_h3 := (v_h3 + v_d) & v_mask;
        v_h4 := (v_h4 + v_e) & v_mask;
    end loop;
    return substr(int8send(v_h0), 5) || substr(int8send(v_h1), 5) || substr(int8send(v_h2), 5)
        || substr(int8send(v_h3), 5) || substr(int8send(v_h4), 5);
end;
$$;
comment on function parley.sha1(bytea) is 'SHA-1 (FIPS 180-4). For HMAC only: it no longer resists collisions.';
revoke all on function parley.sha1(bytea) from public;

create or replace function parley.hmac_sha1(key bytea, message bytea)
returns bytea
language plpgsql
immutable
strict
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_key bytea := case when octet_length(key) > 64 then parley.sha1(key) else key end;
    v_inner bytea := decode(repeat('36', 64), 'hex');
    v_outer bytea := decode(repeat('5c', 64), 'hex');
begin
    for v_i in 0..octet_length(v_key) - 1 loop
        v_inner := set_byte(v_inner, v_i, get_byte(v_key, v_i) # 54);
        v_outer := set_byte(v_outer, v_i, get_byte(v_key, v_i) # 92);
    end loop;
    return parley.sha1(v_outer || parley.sha1(v_inner || message));
end;
$$;
comment on function parley.hmac_sha1(bytea, bytea) is 'HMAC-SHA1 (RFC 2104).';
revoke all on function parley.hmac_sha1(bytea, bytea) from public;

create or replace function parley.set_turn_secret(secret text)
returns void
language plpgsql
volatile
security definer
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
comment on function parley.set_turn_secret(text) is
'Sets the secret shared with the TURN servers (static-auth-secret of coturn); null removes it. For the owner of the schema.';
revoke all on function parley.set_turn_secret(text) from public;

create or replace function parley.setting_list(name text)
returns text[]
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(array_agg(btrim(u.item) order by u.n) filter (where btrim(u.item) <> ''), '{}')
    from unnest(string_to_array(parley.setting_value(setting_list.name), ',')) with ordinality as u (item, n)
$$;
comment on function parley.setting_list(text) is 'The items of a setting that is a list separated by commas.';
revoke all on function parley.setting_list(text) from public;

create or replace function parley.get_turn_credentials()
returns jsonb
language plpgsql
volatile
security definer
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
    perform parley.take_token(v_user_id, 'turn_credentials_per_hour');
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
comment on function parley.get_turn_credentials() is
'The caller''s credentials for the TURN servers: {username, credential, ttl, urls, ice_servers}; PT503 if none is configured.';
revoke all on function parley.get_turn_credentials() from public;
grant execute on function parley.get_turn_credentials() to authenticated;
