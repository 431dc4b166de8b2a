-- A flag that changes is to be told of.

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
comment on trigger feature_flag_note_trigger on parley_wanted.feature_flag is 'Users are told of a flag that is changed.';
