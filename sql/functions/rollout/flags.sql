-- Flags that change are told to everybody's devices, a thousand users at a time.

create or replace function parley.tell_listed_user()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id constant uuid := case when tg_op = 'DELETE' then old.user_id else new.user_id end;
begin
    perform parley.append_event(
        null, 'flags:updated', null, null, null, v_user_id, jsonb_build_object('flags', parley.flags_json(v_user_id))
    );
    return null;
end;
$$;
comment on function parley.tell_listed_user is 'Trigger: who is listed for a flag, or no longer, is told at once.';

create trigger feature_flag_user_trigger
after insert or delete on parley_wanted.feature_flag_user
for each row execute function parley.tell_listed_user();
comment on trigger feature_flag_user_trigger on parley_wanted.feature_flag_user is 'Tells the user.';

create or replace function parley.tell_listed_tenant()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update parley.feature_flag as f
    set announce_after = '00000000-0000-0000-0000-000000000000'
    where f.name = case when tg_op = 'DELETE' then old.flag_name else new.flag_name end;
    return null;
end;
$$;
comment on function parley.tell_listed_tenant is 'Trigger: users are told when a tenant is listed for a flag, or no longer.';

create trigger feature_flag_tenant_trigger
after insert or delete on parley_wanted.feature_flag_tenant
for each row execute function parley.tell_listed_tenant();
comment on trigger feature_flag_tenant_trigger on parley_wanted.feature_flag_tenant is 'Has users told.';

create or replace function parley.announce_flags()
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := clock_timestamp();
    v_flag parley.feature_flag;
    v_ids uuid[];
begin
    -- what has begun or ended since it was last told of
    update parley.feature_flag as f
    set announce_after = '00000000-0000-0000-0000-000000000000', announced_at = v_now
    where f.announce_after is null
        and (f.starts_at > f.announced_at and f.starts_at <= v_now or f.ends_at > f.announced_at and f.ends_at <= v_now);
    select f.* into v_flag
    from parley.feature_flag as f
    where f.announce_after is not null
    order by f.changed_at
    limit 1
    for update skip locked;
    if not found then
        return false;
    end if;
    v_ids := array(
        select a.id
        from parley.account as a
        where a.id > v_flag.announce_after and a.deleted_at is null
        order by a.id
        limit 1000
    );
    perform parley.append_event(
        null, 'flags:updated', null, null, null, u.id, jsonb_build_object('flags', parley.flags_json(u.id))
    )
    from unnest(v_ids) as u (id);
    update parley.feature_flag as f
    set
        announce_after = case when cardinality(v_ids) = 1000 then v_ids[1000] end,
        announced_at = case when cardinality(v_ids) = 1000 then f.announced_at else v_now end
    where f.name = v_flag.name;
    return cardinality(v_ids) = 1000 or exists (select from parley.feature_flag as f where f.announce_after is not null);
end;
$$;
comment on function parley.announce_flags is
'A job: tells users of flags that were changed, or have begun or ended. True: there is more.';

create or replace function parley.set_feature_flag(
    name text,
    state text default null,
    percentage integer default null,
    starts_at text default null,
    ends_at text default null,
    description text default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_starts_at constant timestamptz := parley.parse_moment(set_feature_flag.starts_at, 'starts_at');
    v_ends_at constant timestamptz := parley.parse_moment(set_feature_flag.ends_at, 'ends_at');
    v_flag parley.feature_flag;
begin
    if set_feature_flag.name is null or set_feature_flag.name !~ '^[a-z][a-z0-9_]{0,62}$' then
        raise exception using
            errcode = 'PT400',
            message = 'name must be a lower-case word of at most 63 letters, digits and underscores.';
    end if;
    if set_feature_flag.state not in ('off', 'on', 'some')
        or set_feature_flag.percentage not between 0 and 100
        or v_ends_at <= v_starts_at
        or char_length(set_feature_flag.description) > 1000
    then
        raise exception using
            errcode = 'PT400',
            message = 'state must be off, on or some, percentage between 0 and 100, and ends_at after starts_at.';
    end if;
    insert into parley.feature_flag as f (name, description, announce_after)
    values (set_feature_flag.name, coalesce(set_feature_flag.description, set_feature_flag.name), null)
    on conflict on constraint feature_flag_pkey do nothing;
    update parley.feature_flag as f
    set
        state = coalesce(set_feature_flag.state, f.state),
        percentage = coalesce(set_feature_flag.percentage, f.percentage),
        starts_at = v_starts_at,
        ends_at = v_ends_at,
        description = coalesce(set_feature_flag.description, f.description)
    where f.name = set_feature_flag.name
    returning f.* into v_flag;
    perform parley.audit(
        'set_feature_flag', format('%s: %s', v_flag.name, v_flag.state), parley.current_role_name(),
        detail => jsonb_build_object('flag', v_flag.name, 'state', v_flag.state, 'percentage', v_flag.percentage)
    );
    return to_jsonb(v_flag) - '{announced_at,announce_after}'::text[];
end;
$$;
comment on function parley.set_feature_flag is
'Makes or changes a feature flag; state, percentage and description stay where they are not given, starts_at and ends_at end. The next statement obeys it. Audited. Returns the flag.';
grant execute on function parley.set_feature_flag to service_role;
