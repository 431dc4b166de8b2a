-- Rates: a bucket of tokens for each user and limit. A call that fails gives its token back with its transaction.

create or replace function parley.take_token(
    user_id uuid, limit_name text, amount bigint, period_seconds bigint, burst bigint, tokens double precision default 1
)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
    -- A bucket from beyond was filled before the clock was set back: a full one, or it stays dry until the clock is there
    -- again. Up to here it was only somebody who looked at the clock before and waited for the row.
    v_ahead timestamptz := v_now + interval '1 minute';
    v_rate double precision := amount::double precision / period_seconds::double precision;
    v_capacity double precision := greatest(coalesce(burst, amount), 0)::double precision;
    v_tokens double precision;
begin
    if amount is null then
        return;
    end if;
    if v_capacity >= take_token.tokens then
        insert into parley.rate_bucket as b (user_id, name, tokens, refilled_at)
        values (take_token.user_id, take_token.limit_name, v_capacity - take_token.tokens, v_now)
        on conflict (user_id, name) do update
        set
            tokens = case
                when b.refilled_at > v_ahead then v_capacity
                else least(
                    v_capacity,
                    b.tokens + v_rate * greatest(0, extract(epoch from v_now - b.refilled_at)::double precision)
                )
            end - take_token.tokens,
            refilled_at = case when b.refilled_at > v_ahead then v_now else greatest(b.refilled_at, v_now) end
        where b.refilled_at > v_ahead
            or b.tokens + v_rate * greatest(0, extract(epoch from v_now - b.refilled_at)::double precision)
                >= take_token.tokens;
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
                    then greatest(1, ceil((take_token.tokens - coalesce(v_tokens, 0)) / v_rate))::bigint
                else period_seconds
            end
        ),
        hint = (
            select format(
                'This plan allows %s %s %s: see %s in get_entitlements().',
                amount,
                k.unit,
                case period_seconds
                    when 60 then 'a minute'
                    when 3600 then 'an hour'
                    when 86400 then 'a day'
                    else format('in %s seconds', period_seconds)
                end,
                k.name
            )
            from parley.limit_kind as k
            where k.name = take_token.limit_name
        );
end;
$$;
comment on function parley.take_token is
'Takes a token, or several, from a bucket of the user, or fails with PT429 and Retry-After. A call that fails later gives the token back.';

create or replace function parley.take_tier_token(user_id uuid, limit_name text, tokens bigint default 1)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit parley.tier_limit := parley.user_limit(take_tier_token.user_id, limit_name);
begin
    if tokens > 0 then
        perform parley.take_token(
            take_tier_token.user_id, limit_name, v_limit.amount, v_limit.period_seconds, v_limit.burst, tokens
        );
    end if;
end;
$$;
comment on function parley.take_tier_token is 'Takes tokens for a rate limit as it holds for the user.';

create or replace function parley.tokens_left(user_id uuid, rate parley.tier_limit)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_capacity double precision := coalesce(rate.burst, rate.amount);
    v_bucket parley.rate_bucket;
begin
    if rate.amount is null then
        return null;
    end if;
    select b.* into v_bucket
    from parley.rate_bucket as b
    where b.user_id = tokens_left.user_id and b.name = rate.name;
    return floor(greatest(0, least(
        v_capacity,
        coalesce(
            v_bucket.tokens + rate.amount::double precision / rate.period_seconds
            * greatest(0, extract(epoch from clock_timestamp() - v_bucket.refilled_at)::double precision),
            v_capacity
        )
    )))::bigint;
end;
$$;
comment on function parley.tokens_left is 'How often the user may do something of that rate at once, now. Null: unlimited.';
