-- Plans that change: what the row of the account says of subscriptions, and who is told. A subscription begins and ends
-- by itself: until plan_until the row is believed, from then on parley.best_tier is asked, until the job has been here.

create or replace function parley.refresh_plan(user_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_now timestamptz;
    v_account parley.account;
begin
    select a.* into v_account from parley.account as a where a.id = refresh_plan.user_id for no key update;
    if not found then
        return;
    end if;
    v_now := clock_timestamp();
    update parley.account as a
    set
        plan_tier_name = nullif(parley.best_tier(a.id, in_any => true), a.tier_name),
        plan_until = (
            select min(m.moment)
            from parley.subscription as s
            cross join lateral (values (s.starts_at), (s.ends_at)) as m (moment)
            where s.user_id = a.id and m.moment > v_now
        )
    where a.id = v_account.id;
end;
$$;
comment on function parley.refresh_plan is
'Brings the row of an account up to date: the tier that subscriptions give, and until when that is known.';

create or replace function parley.change_plan(user_id uuid, change jsonb default '{}')
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if exists (select from parley.subscription as s where s.user_id = change_plan.user_id) or exists (
        select from parley.account as a
        where a.id = change_plan.user_id and num_nonnulls(a.plan_tier_name, a.plan_until) > 0
    ) then
        perform parley.refresh_plan(change_plan.user_id);
    end if;
    perform parley.append_event(
        null, 'entitlements:changed', null, null, null, change_plan.user_id,
        jsonb_build_object('tier', parley.tier_of(change_plan.user_id)) || change
    );
end;
$$;
comment on function parley.change_plan is
'After a change of what a user may do: brings the account up to date, and tells the user''s devices and the workers.';

create or replace function parley.follow_subscription()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op <> 'INSERT' then
        perform parley.change_plan(old.user_id);
    end if;
    if tg_op <> 'DELETE' and (tg_op = 'INSERT' or old.user_id <> new.user_id) then
        perform parley.change_plan(new.user_id);
    end if;
    return null;
end;
$$;
comment on function parley.follow_subscription is 'Trigger: a subscription counts from the statement on that writes its row.';

create trigger subscription_follow_trigger
after insert or update or delete on parley_wanted.subscription
for each row execute function parley.follow_subscription();
comment on trigger subscription_follow_trigger on parley_wanted.subscription is 'The account follows its subscriptions.';

create or replace function parley.follow_tier()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.change_plan(new.id);
    return null;
end;
$$;
comment on function parley.follow_tier is 'Trigger: another tier of an account is told, whoever writes the row.';

create trigger account_tier_trigger
after update of tier_name on parley_wanted.account
for each row
when (old.tier_name <> new.tier_name)
execute function parley.follow_tier();
comment on trigger account_tier_trigger on parley_wanted.account is 'Tells of another tier.';

create or replace function parley.settle_plans()
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- a plan made while there were few accounts would read all of them ever after
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_user_id uuid;
    v_count bigint := 0;
begin
    for v_user_id in
        select a.id
        from parley.account as a
        where a.plan_until <= clock_timestamp()
        order by a.plan_until
        limit 100
        for no key update skip locked
    loop
        perform parley.change_plan(v_user_id);
        v_count := v_count + 1;
    end loop;
    return v_count = 100;
end;
$$;
comment on function parley.settle_plans is
'A job: tells users whose subscription has begun or ended. True: there are more.';

create or replace function parley.follow_rank()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.refresh_plan(u.user_id)
    from (select distinct s.user_id from parley.subscription as s order by s.user_id) as u;
    return null;
end;
$$;
comment on function parley.follow_rank is 'Trigger: with another order of the tiers another may be the highest.';

create trigger tier_rank_trigger
after update of rank on parley_wanted.tier
for each row
when (old.rank <> new.rank)
execute function parley.follow_rank();
comment on trigger tier_rank_trigger on parley_wanted.tier is 'Accounts follow the order of the tiers.';

create or replace function parley.announce_limit()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- once in a transaction, and only what workers keep to
    if exists (
        select from parley.limit_kind as k
        where k.name = coalesce(new.name, old.name) and (k.enforced_by = 'worker' or k.name = 'retention_days')
    ) and not exists (
        select from parley.event as e where e.xid = pg_current_xact_id() and e.kind = 'limits:changed'
    ) then
        perform parley.append_event(
            null, 'limits:changed', null, null, null, '00000000-0000-0000-0000-000000000000', null
        );
    end if;
    return null;
end;
$$;
comment on function parley.announce_limit is
'Trigger: workers learn, at this position of the log, that the limits they keep to are to be read again.';

create trigger tier_limit_announce_trigger
after insert or update or delete on parley_wanted.tier_limit
for each row execute function parley.announce_limit();
comment on trigger tier_limit_announce_trigger on parley_wanted.tier_limit is 'Tells the workers.';
