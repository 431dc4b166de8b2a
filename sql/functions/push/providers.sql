-- Which credentials the workers have. While they have any, push is a durable consumer of the log.

create or replace function parley.settle_push_providers()
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- workers say it again every hour
    delete from parley.push_provider as p where p.seen_at < clock_timestamp() - interval '7 days';
    if exists (select from parley.push_provider) then
        perform parley.create_consumer('push');
        return true;
    end if;
    delete from parley.consumer as c where c.name = 'push';
    return false;
end;
$$;
comment on function parley.settle_push_providers is
'Makes the consumer of push if a worker has credentials, or takes it away; returns whether there is one.';

create or replace function parley.configure_push(providers jsonb, worker text default '')
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if jsonb_typeof(providers) is distinct from 'array' then
        raise exception using errcode = 'PT400', message = 'providers must be a list of {provider, app_id, public_key}.';
    end if;
    -- two that start at once
    perform pg_advisory_xact_lock(hashtextextended('parley:configure_push', 0));
    delete from parley.push_provider as p where p.worker = configure_push.worker;
    insert into parley.push_provider (worker, provider, app_id, public_key)
    select distinct on (p.provider, coalesce(p.app_id, ''))
        configure_push.worker,
        p.provider,
        coalesce(p.app_id, ''),
        p.public_key
    from jsonb_to_recordset(providers) as p (provider text, app_id text, public_key text);
    return parley.settle_push_providers();
end;
$$;
comment on function parley.configure_push is
'A worker says which credentials it has: [{provider, app_id, public_key}], public_key of webpush; an empty list for none. Workers with names of their own add up. Returns whether anything is queued from now on.';
grant execute on function parley.configure_push to parley_worker;

create or replace function parley.has_push_provider(provider text, app_id text)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- browsers subscribe with the key of the deployment, whatever the web app is called
    return exists (
        select from parley.push_provider as p
        where p.provider = has_push_provider.provider
            and (p.app_id = has_push_provider.app_id or p.provider = 'webpush')
    );
end;
$$;
comment on function parley.has_push_provider is 'True if a worker can send to devices of that app.';

create or replace function parley.get_web_push_key()
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.require_caller();
    return jsonb_build_object(
        'public_key',
        (
            select p.public_key
            from parley.push_provider as p
            where p.provider = 'webpush' and p.public_key is not null
            order by p.seen_at desc, p.worker, p.app_id
            limit 1
        )
    );
end;
$$;
comment on function parley.get_web_push_key is
'{public_key}: the applicationServerKey with which browsers subscribe, in base64url. Null: there is no Web Push.';
grant execute on function parley.get_web_push_key to authenticated;
