-- What every send asks of its tier stands beside the tier. The row of tier_limit is the truth, or the default where
-- there is none; the writer of a row holds it locked, so two changes of one limit reach the copy in their order.

create or replace function parley.set_tier_limit_copy(tier_name text, limit_name text)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_limit parley.tier_limit;
begin
    if limit_name = 'max_content_length' then
        v_limit := parley.tier_limit_of(set_tier_limit_copy.tier_name, limit_name);
        update parley.tier as t
        set max_content_length = v_limit.amount
        where t.name = set_tier_limit_copy.tier_name;
    elsif limit_name = 'messages_per_minute' then
        v_limit := parley.tier_limit_of(set_tier_limit_copy.tier_name, limit_name);
        update parley.tier as t
        set
            send_amount = v_limit.amount,
            send_period_seconds = v_limit.period_seconds,
            send_burst = v_limit.burst,
            send_young_days = v_limit.young_days
        where t.name = set_tier_limit_copy.tier_name;
    elsif limit_name = 'new_account_hours' then
        v_limit := parley.tier_limit_of(set_tier_limit_copy.tier_name, limit_name);
        update parley.tier as t
        -- a century is as good as for ever
        set new_account_hours = case when v_limit.amount > 876600 then 876600 else v_limit.amount end
        where t.name = set_tier_limit_copy.tier_name;
    end if;
end;
$$;
comment on function parley.set_tier_limit_copy is
'Writes what one limit of a tier is into the columns of parley.tier that hold it; nothing for the limits that have none.';

create or replace function parley.set_tier_limit_copies()
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- a change that is under way is waited for, so that it is not written over with what was before
    lock table parley.tier_limit in share row exclusive mode;
    perform parley.set_tier_limit_copy(t.name, n.name)
    from parley.tier as t
    cross join unnest(array['max_content_length', 'messages_per_minute', 'new_account_hours']) as n (name);
end;
$$;
comment on function parley.set_tier_limit_copies is
'Writes all the copies: an installation may have brought other defaults.';

create or replace function parley.copy_tier_limit()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op <> 'INSERT' and (tg_op = 'DELETE' or (old.tier_name, old.name) <> (new.tier_name, new.name)) then
        perform parley.set_tier_limit_copy(old.tier_name, old.name);
    end if;
    if tg_op <> 'DELETE' then
        perform parley.set_tier_limit_copy(new.tier_name, new.name);
    end if;
    return null;
end;
$$;
comment on function parley.copy_tier_limit is 'Trigger: keeps the copies in parley.tier.';

create trigger tier_limit_copy_trigger
after insert or update or delete on parley_wanted.tier_limit
for each row execute function parley.copy_tier_limit();
comment on trigger tier_limit_copy_trigger on parley_wanted.tier_limit is 'Keeps the copies in parley.tier.';

create or replace function parley.messaging_is_flagged()
returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select exists (
        select from parley.feature_flag as f
        where f.name = 'messaging' and (f.state <> 'on' or f.starts_at is not null or f.ends_at is not null)
    )
$$;
comment on function parley.messaging_is_flagged is 'True unless the flag messaging is on for everybody and for good.';

create or replace function parley.has_text_rules()
returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select exists (select from parley.spam_rule as r where r.mode <> 'off' and r.kind in ('terms', 'pattern'))
$$;
comment on function parley.has_text_rules is 'True if a rule of spam that is not off looks at words or at a pattern.';

create or replace function parley.mark_sends()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- one after the other: each sees what the one before it has made of flags and rules
    perform pg_advisory_xact_lock(hashtextextended('parley.mark_sends', 0));
    update parley.tier as t
    set send_flagged = parley.messaging_is_flagged(), text_rules = parley.has_text_rules()
    where t.send_flagged <> parley.messaging_is_flagged() or t.text_rules <> parley.has_text_rules();
    return null;
end;
$$;
comment on function parley.mark_sends is 'Trigger: keeps the marks in parley.tier.';

create trigger feature_flag_mark_trigger
after insert or update or delete on parley_wanted.feature_flag
for each statement execute function parley.mark_sends();
comment on trigger feature_flag_mark_trigger on parley_wanted.feature_flag is 'Keeps the marks in parley.tier.';

create trigger spam_rule_mark_trigger
after insert or update or delete on parley_wanted.spam_rule
for each statement execute function parley.mark_sends();
comment on trigger spam_rule_mark_trigger on parley_wanted.spam_rule is 'Keeps the marks in parley.tier.';

create or replace function parley.begin_tier()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_rate parley.tier_limit := parley.tier_limit_of(new.name, 'messages_per_minute');
begin
    new.max_content_length := (parley.tier_limit_of(new.name, 'max_content_length')).amount;
    new.send_amount := v_rate.amount;
    new.send_period_seconds := v_rate.period_seconds;
    new.send_burst := v_rate.burst;
    new.send_young_days := v_rate.young_days;
    new.new_account_hours := (parley.tier_limit_of(new.name, 'new_account_hours')).amount;
    perform pg_advisory_xact_lock(hashtextextended('parley.mark_sends', 0));
    new.send_flagged := parley.messaging_is_flagged();
    new.text_rules := parley.has_text_rules();
    return new;
end;
$$;
comment on function parley.begin_tier is 'Trigger: the copies of a new tier, which has no rows yet, are the defaults, and the marks are as in the others.';

create trigger tier_begin_trigger
before insert on parley_wanted.tier
for each row execute function parley.begin_tier();
comment on trigger tier_begin_trigger on parley_wanted.tier is 'A new tier has the default limits.';
