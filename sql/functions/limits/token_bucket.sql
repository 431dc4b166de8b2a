-- Rates: a bucket of tokens for each user and limit. A call that fails gives its token back with its transaction.

create or replace function parley.take_token(
    user_id uuid, limit_name text, amount bigint, period_seconds bigint, burst bigint
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
    if v_capacity >= 1 then
        insert into parley.rate_bucket as b (user_id, name, tokens, refilled_at)
        values (take_token.user_id, take_token.limit_name, v_capacity - 1, v_now)
        on conflict (user_id, name) do update
        set
            tokens = case
                when b.refilled_at > v_ahead then v_capacity
                else least(
                    v_capacity,
                    b.tokens + v_rate * greatest(0, extract(epoch from v_now - b.refilled_at)::double precision)
                )
            end - 1,
            refilled_at = case when b.refilled_at > v_ahead then v_now else greatest(b.refilled_at, v_now) end
        where b.refilled_at > v_ahead
            or b.tokens + v_rate * greatest(0, extract(epoch from v_now - b.refilled_at)::double precision) >= 1;
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
'Takes one token from a bucket of the user, or fails with PT429 and Retry-After. A call that fails later gives the token back.';

create or replace function parley.take_tier_token(user_id uuid, limit_name text)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_limit parley.tier_limit := parley.tier_limit_of(parley.tier_of(take_tier_token.user_id), limit_name);
begin
    perform parley.take_token(
        take_tier_token.user_id, limit_name, v_limit.amount, v_limit.period_seconds, v_limit.burst
    );
end;
$$;
comment on function parley.take_tier_token is 'Takes one token for a rate limit of the user''s tier.';
