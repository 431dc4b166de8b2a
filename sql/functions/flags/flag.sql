-- Feature flags: rows that the next statement obeys.

create or replace function parley.flag_bucket(user_id uuid, flag text)
returns numeric
language sql immutable security invoker parallel safe
set search_path = pg_catalog, pg_temp
as $$
    -- SHA-256, so that a client or another service finds the same: the first 32 bits of it as a share of 2^32
    select ('x' || left(encode(sha256(convert_to(flag || ':' || user_id::text, 'UTF8')), 'hex'), 8))::bit(32)::bigint
    * 100::numeric / 4294967296
$$;
comment on function parley.flag_bucket is
'Where a user stands in the roll-out of a flag, from 0 to below 100: it is on for those below its percentage.';

create or replace function parley.flag_value(flag parley.feature_flag, user_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if flag.state = 'off' or flag.starts_at > clock_timestamp() or flag.ends_at <= clock_timestamp() then
        return false;
    end if;
    return flag.state = 'on'
    or parley.flag_bucket(flag_value.user_id, flag.name) < flag.percentage
    or exists (
        select from parley.feature_flag_user as u
        where u.flag_name = flag.name and u.user_id = flag_value.user_id
    )
    or exists (
        select from parley.feature_flag_tenant as t
        inner join parley.tenant_member as m on t.tenant_id = m.tenant_id
        where t.flag_name = flag.name and m.user_id = flag_value.user_id
    );
end;
$$;
comment on function parley.flag_value is 'Whether a flag is on for a user, at this moment.';

create or replace function parley.flag_for(user_id uuid, flag text)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_flag parley.feature_flag;
begin
    select f.* into v_flag from parley.feature_flag as f where f.name = flag_for.flag;
    if not found then
        raise exception using
            errcode = 'PT404',
            message = format('There is no feature flag %s.', quote_nullable(flag_for.flag)),
            hint = 'See parley.feature_flag.';
    end if;
    return parley.flag_value(v_flag, flag_for.user_id);
end;
$$;
comment on function parley.flag_for is 'Whether a feature flag is on for a user; PT404 for one that there is not.';

create or replace function parley.flags_json(user_id uuid)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select coalesce(jsonb_object_agg(f.name, parley.flag_value(f, flags_json.user_id)), '{}')
        from parley.feature_flag as f
    );
end;
$$;
comment on function parley.flags_json is 'All feature flags as they are for a user: {name: true or false}.';

create or replace function parley.require_messaging(user_id uuid)
returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_flag parley.feature_flag;
begin
    select f.* into v_flag from parley.feature_flag as f where f.name = 'messaging';
    if not found or parley.flag_value(v_flag, require_messaging.user_id) then
        return;
    end if;
    if v_flag.state = 'some'
        and coalesce(v_flag.starts_at <= clock_timestamp(), true)
        and coalesce(v_flag.ends_at > clock_timestamp(), true)
    then
        raise exception using
            errcode = 'PT403',
            message = 'Messaging is not available to you yet.',
            hint = 'It is being rolled out. get_entitlements tells when it is, as flags.messaging.';
    end if;
    raise exception using
        errcode = 'PT503',
        message = 'Messaging is switched off.',
        detail = '{"flag": "messaging"}',
        hint = 'Reading goes on. Keep what is to be sent; get_entitlements tells when it is on again, as flags.messaging.';
end;
$$;
comment on function parley.require_messaging is
'Fails while the flag messaging is not on for the user: PT503 where it is switched off, PT403 where it is being rolled out to others.';
