-- The mark beside each tier that makes a send ask for the flag messaging only while that is not simply on.

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

create or replace function parley.mark_sends()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update parley.tier as t
    set send_flagged = parley.messaging_is_flagged()
    where t.send_flagged <> parley.messaging_is_flagged();
    return null;
end;
$$;
comment on function parley.mark_sends is 'Trigger: keeps the mark in parley.tier.';

create trigger feature_flag_mark_trigger
after insert or update or delete on parley_wanted.feature_flag
for each statement execute function parley.mark_sends();

create trigger tier_flagged_trigger
after insert on parley_wanted.tier
for each statement execute function parley.mark_sends();

create or replace function parley.note_flag()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if (new.state, new.percentage, new.starts_at, new.ends_at)
        is distinct from (old.state, old.percentage, old.starts_at, old.ends_at)
    then
        new.changed_at := clock_timestamp();
        new.announce_after := '00000000-0000-0000-0000-000000000000';
    end if;
    return new;
end;
$$;
comment on function parley.note_flag is 'Trigger: users are told of a flag that is changed.';

create trigger feature_flag_note_trigger
before update on parley_wanted.feature_flag
for each row execute function parley.note_flag();
