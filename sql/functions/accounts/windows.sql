-- With another plan a user may see further back.

create or replace function parley.note_growth()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into parley.window_growth as g (user_id)
    values (new.id)
    on conflict on constraint window_growth_pkey do update
    set changed_at = excluded.changed_at, after_conversation_id = excluded.after_conversation_id;
    return null;
end;
$$;
comment on function parley.note_growth is
'Trigger: the job return_messages looks at the conversations of an account whose plan has changed.';

create trigger account_window_trigger
after update of tier_name, plan_tier_name on parley_wanted.account
for each row
when ((old.tier_name, old.plan_tier_name) is distinct from (new.tier_name, new.plan_tier_name))
execute function parley.note_growth();
comment on trigger account_window_trigger on parley_wanted.account is
'Retired messages come back with a plan that reaches them.';
