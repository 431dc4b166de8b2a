-- What every send asks of its tier stands beside the tier. The row of tier_limit is the truth; its writer holds it
-- locked, so two changes of one limit reach the copy in their order.

create or replace function parley.set_tier_limit_copy(
    tier_name text, limit_name text, amount bigint, period_seconds bigint, burst bigint
)
returns void
language plpgsql volatile security definer
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
comment on function parley.set_tier_limit_copy is
'Writes one limit into the columns of parley.tier that hold it; nothing for the limits that have none.';

create or replace function parley.copy_tier_limit()
returns trigger
language plpgsql security definer
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
comment on function parley.copy_tier_limit is 'Trigger: keeps the copies in parley.tier.';

create trigger tier_limit_copy_trigger
after insert or update or delete on parley_wanted.tier_limit
for each row execute function parley.copy_tier_limit();
comment on trigger tier_limit_copy_trigger on parley_wanted.tier_limit is 'Keeps the copies in parley.tier.';
