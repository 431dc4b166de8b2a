-- Settings, entitlements, limits and token buckets: all read from rows at the moment they matter.

create or replace function parley.setting_value(name text)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select s.value from parley.setting as s where s.name = setting_value.name
    );
end;
$$;
comment on function parley.setting_value(text) is 'Value of a setting. Null: there is no such setting.';
revoke all on function parley.setting_value(text) from public;

create or replace function parley.tier_of(user_id uuid)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select coalesce(
            (select a.tier_name from parley.account as a where a.id = tier_of.user_id),
            parley.setting_value('default_tier')
        )
    );
end;
$$;
comment on function parley.tier_of(uuid) is 'The tier of a user, or of a user messaging has not met yet.';
revoke all on function parley.tier_of(uuid) from public;

create or replace function parley.is_entitled(user_id uuid, entitlement text)
returns boolean
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select coalesce(
            (
                select e.granted
                from parley.tier_entitlement as e
                where e.tier_name = parley.tier_of(is_entitled.user_id) and e.name = is_entitled.entitlement
            ),
            false
        )
    );
end;
$$;
comment on function parley.is_entitled(uuid, text) is 'True if the tier of the user has the entitlement.';
revoke all on function parley.is_entitled(uuid, text) from public;

create or replace function parley.limit_of(user_id uuid, limit_name text)
returns bigint
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select l.amount
        from parley.tier_limit as l
        where l.tier_name = parley.tier_of(limit_of.user_id) and l.name = limit_of.limit_name
    );
end;
$$;
comment on function parley.limit_of(uuid, text) is 'A limit of the user''s tier. Null: unlimited.';
revoke all on function parley.limit_of(uuid, text) from public;

create or replace function parley.member_limit(creator_id uuid, caller_id uuid, max_members bigint)
returns bigint
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_max bigint := parley.limit_of(coalesce(creator_id, caller_id), 'max_group_size');
begin
    -- the application may go beyond a tier by saying so; who uses it may not
    return case when caller_id is null then coalesce(max_members, v_max) else least(v_max, max_members) end;
end;
$$;
comment on function parley.member_limit(uuid, uuid, bigint) is
'How many may be in a conversation, by the tier of who made it and its own max_members; for the host (no caller) max_members decides alone. Null: unlimited.';
revoke all on function parley.member_limit(uuid, uuid, bigint) from public;

create or replace function parley.take_token(
    user_id uuid, limit_name text, amount bigint, period_seconds bigint, burst bigint
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
    v_rate double precision := amount::double precision / coalesce(period_seconds, 60)::double precision;
    v_capacity double precision := greatest(coalesce(burst, amount), 0)::double precision;
    v_tokens double precision;
begin
    if amount is null then
        return;
    end if;
    if v_capacity >= 1 then
        insert into parley.rate_bucket as b (user_id, name, tokens, refilled_at)
        values (take_token.user_id, take_token.limit_name, v_capacity - 1, v_now)
        on conflict (user_id, name) do update
        set
            tokens = least(
                v_capacity,
                b.tokens + v_rate * greatest(0, extract(epoch from v_now - b.refilled_at)::double precision)
            ) - 1,
            refilled_at = greatest(b.refilled_at, v_now)
        where b.tokens + v_rate * greatest(0, extract(epoch from v_now - b.refilled_at)::double precision) >= 1;
        if found then
            return;
        end if;
    end if;

    select b.tokens + v_rate * greatest(0, extract(epoch from v_now - b.refilled_at)::double precision)
    into v_tokens
    from parley.rate_bucket as b
    where b.user_id = take_token.user_id and b.name = take_token.limit_name;
    raise exception using
        errcode = 'PT429',
        message = 'Too many requests: the limit of this plan is reached.',
        detail = format(
            'Retry-After: %s',
            case
                when v_rate > 0
                    then greatest(1, ceil((1 - coalesce(v_tokens, 0)) / v_rate))::bigint
                else coalesce(period_seconds, 60)
            end
        ),
        hint = format('%s allows %s in %s seconds.', limit_name, amount, coalesce(period_seconds, 60));
end;
$$;
comment on function parley.take_token(uuid, text, bigint, bigint, bigint) is
'Takes one token from a bucket of the user, or fails with PT429 and Retry-After. A call that fails later gives the token back.';
revoke all on function parley.take_token(uuid, text, bigint, bigint, bigint) from public;

create or replace function parley.take_token(user_id uuid, limit_name text)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
    select parley.take_token(take_token.user_id, l.name, l.amount, l.period_seconds, l.burst)
    from parley.tier_limit as l
    where l.tier_name = parley.tier_of(take_token.user_id) and l.name = take_token.limit_name
$$;
comment on function parley.take_token(uuid, text) is 'Takes one token for a rate limit of the user''s tier.';
revoke all on function parley.take_token(uuid, text) from public;

create or replace function parley.get_entitlements()
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.require_caller();
    v_tier text := parley.tier_of(v_user_id);
begin
    return jsonb_build_object(
        'user_id', v_user_id,
        'tier', v_tier,
        'entitlements', coalesce(
            (
                select jsonb_object_agg(e.name, e.granted)
                from parley.tier_entitlement as e
                where e.tier_name = v_tier
            ),
            '{}'
        ),
        'limits', coalesce(
            (
                select jsonb_object_agg(
                    l.name,
                    jsonb_build_object('amount', l.amount, 'period_seconds', l.period_seconds, 'burst', l.burst)
                )
                from parley.tier_limit as l
                where l.tier_name = v_tier
            ),
            '{}'
        )
    );
end;
$$;
comment on function parley.get_entitlements() is 'The caller''s tier, what it grants, and its limits (a null amount is unlimited).';
revoke all on function parley.get_entitlements() from public;
grant execute on function parley.get_entitlements() to authenticated;

-- What every send asks of its tier stands beside the tier. The row of tier_limit is the truth; its writer holds it
-- locked, so two changes of one limit reach the copy in their order.
create or replace function parley.copy_tier_limit()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op <> 'INSERT' and (tg_op = 'DELETE' or (old.tier_name, old.name) <> (new.tier_name, new.name)) then
        perform parley.set_tier_limit_copy(old.tier_name, old.name, null, null, null);
    end if;
    if tg_op <> 'DELETE' then
        perform parley.set_tier_limit_copy(new.tier_name, new.name, new.amount, new.period_seconds, new.burst);
    end if;
    return null;
end;
$$;
comment on function parley.copy_tier_limit() is 'Trigger: keeps the copies in parley.tier.';
revoke all on function parley.copy_tier_limit() from public;

create or replace function parley.set_tier_limit_copy(
    tier_name text, limit_name text, amount bigint, period_seconds bigint, burst bigint
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if limit_name = 'max_content_length' then
        update parley.tier as t
        set max_content_length = set_tier_limit_copy.amount
        where t.name = set_tier_limit_copy.tier_name;
    elsif limit_name = 'messages_per_minute' then
        update parley.tier as t
        set
            send_amount = set_tier_limit_copy.amount,
            send_period_seconds = set_tier_limit_copy.period_seconds,
            send_burst = set_tier_limit_copy.burst
        where t.name = set_tier_limit_copy.tier_name;
    end if;
end;
$$;
comment on function parley.set_tier_limit_copy(text, text, bigint, bigint, bigint) is
'Writes one limit into the columns of parley.tier that hold it; nothing for the limits that have none.';
revoke all on function parley.set_tier_limit_copy(text, text, bigint, bigint, bigint) from public;

create or replace trigger tier_limit_copy_trigger
after insert or update or delete on parley.tier_limit
for each row execute function parley.copy_tier_limit();
comment on trigger tier_limit_copy_trigger on parley.tier_limit is 'Keeps the copies in parley.tier.';

-- rows from before the trigger
select parley.set_tier_limit_copy(l.tier_name, l.name, l.amount, l.period_seconds, l.burst)
from parley.tier_limit as l
where l.name in ('max_content_length', 'messages_per_minute');
