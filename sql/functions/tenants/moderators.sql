-- Who no longer moderates a tenant loses its channel, whoever writes the row.

-- A moderator's place is lost by whoever writes the row: a function here, the host, or a tenant that is deleted. The
-- open subscription must end at that position of the log, and no other of that user with it.
create or replace function parley.end_moderation()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.append_event(
        null, 'moderation:revoked', null, null, null, old.user_id, jsonb_build_object('tenant_id', old.tenant_id)
    );
    return null;
end;
$$;
comment on function parley.end_moderation is
'Trigger: a user who stops being a moderator of a tenant loses the topic tenant:<id>:moderation by the event this writes.';

create trigger tenant_member_removed_trigger
after delete on parley_wanted.tenant_member
for each row
when (old.role <> 'member')
execute function parley.end_moderation();
comment on trigger tenant_member_removed_trigger on parley_wanted.tenant_member is 'Closes the moderation topic to a removed moderator.';

create trigger tenant_member_demoted_trigger
after update on parley_wanted.tenant_member
for each row
when (
    old.role <> 'member'
    and (new.role = 'member' or new.tenant_id <> old.tenant_id or new.user_id <> old.user_id)
)
execute function parley.end_moderation();
comment on trigger tenant_member_demoted_trigger on parley_wanted.tenant_member is 'Closes the moderation topic to a demoted moderator.';
