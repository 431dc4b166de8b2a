-- Tokens of devices, sealed with a public key where the deployment has set one: then nobody who reads the tables, a
-- backup or a replica can send to a device. The private key is with the workers, who pass it to claim_push_jobs.

create or replace function parley.pgcrypto_schema()
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_schema text := (
        select e.extnamespace::regnamespace::text from pg_catalog.pg_extension as e where e.extname = 'pgcrypto'
    );
begin
    if v_schema is null then
        raise exception using
            errcode = 'PT500',
            message = 'The setting push_public_key needs the extension pgcrypto.',
            hint = 'The DBA installs it: create extension pgcrypto.';
    end if;
    return v_schema;
end;
$$;
comment on function parley.pgcrypto_schema is 'The schema of the extension pgcrypto, quoted; an error without it.';

create or replace function parley.seal_push_token(token text, keys jsonb)
returns bytea
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_key text := nullif(btrim(parley.setting_value('push_public_key')), '');
    v_schema text;
    v_sealed bytea;
begin
    if v_key is null then
        return null;
    end if;
    v_schema := parley.pgcrypto_schema();
    begin
        execute format('select %1$s.pgp_pub_encrypt($1, %1$s.dearmor($2))', v_schema)
        into v_sealed
        using jsonb_build_object('token', seal_push_token.token, 'keys', seal_push_token.keys)::text, v_key;
    exception
        when external_routine_invocation_exception then
            raise exception using
                errcode = 'PT500',
                message = 'The setting push_public_key is no OpenPGP public key that can encrypt.',
                hint = 'Set it to the armored public key of an RSA pair: gpg --armor --export KEY.';
    end;
    return v_sealed;
end;
$$;
comment on function parley.seal_push_token is 'A token and its keys, sealed with push_public_key. Null: none is set.';

create or replace function parley.open_push_token(sealed bytea, secret text)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_schema text := parley.pgcrypto_schema();
    v_opened text;
begin
    execute format('select %1$s.pgp_pub_decrypt($1, %1$s.dearmor($2))', v_schema)
    into v_opened
    using open_push_token.sealed, open_push_token.secret;
    return v_opened::jsonb;
exception
    when external_routine_invocation_exception then
        return null;
end;
$$;
comment on function parley.open_push_token is
'{token, keys} of a sealed device, with the armored private key. Null: the key does not open it.';

create or replace function parley.seal_push_devices(batch integer default 10000)
returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_device record;
    v_sealed bytea;
    v_count bigint := 0;
begin
    for v_device in
        select d.id, d.token, d.keys
        from parley.push_device as d
        where d.token is not null and d.provider <> 'webhook'
        limit seal_push_devices.batch
        for update skip locked
    loop
        v_sealed := parley.seal_push_token(v_device.token, v_device.keys);
        exit when v_sealed is null;
        update parley.push_device as d
        set token = null, keys = null, token_sealed = v_sealed
        where d.id = v_device.id;
        update parley.push_job as j
        set is_sealed = true
        where j.device_id = v_device.id and j.state = 'queued';
        v_count := v_count + 1;
    end loop;
    return v_count;
end;
$$;
comment on function parley.seal_push_devices is
'For the DBA, after push_public_key was set: seals the tokens that were stored before. Returns how many; call it until there are none.';
