-- Suspending or erasing an account ends its sessions, whoever writes the row.

-- An account is suspended or erased by whoever writes its row. Its open sockets must close at that position of the log,
-- so it is a trigger that says so.
create or replace function parley.end_sessions()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.append_event(null, 'session:revoked', null, null, null, new.id, null);
    return null;
end;
$$;
comment on function parley.end_sessions is
'Trigger: the open sockets of an account that is suspended or erased are closed by the event this writes.';

create trigger account_closed_trigger
after update on parley_wanted.account
for each row
when (
    (old.suspended_at is null and new.suspended_at is not null)
    or (old.deleted_at is null and new.deleted_at is not null)
)
execute function parley.end_sessions();
comment on trigger account_closed_trigger on parley_wanted.account is
'Ends the sessions of an account that is suspended or erased.';
