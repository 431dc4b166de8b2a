-- A conversation that says something about sending is marked, so that the others are not asked.

-- A send looks at the profile only if it says something about sending. That it does stands in the conversation's
-- own row, which every send locks and reads; a trigger keeps it true, whoever writes the profile.
create or replace function parley.set_restricted()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_restricted boolean := new.status <> 'active'
        or new.type = 'announcement'
        or new.who_can_send <> 'everyone'
        or new.message_ttl_seconds is not null
        or new.severed_at is not null;
begin
    update parley.conversation as c
    set restricted = v_restricted
    where c.id = new.conversation_id and c.restricted <> v_restricted;
    return null;
end;
$$;
comment on function parley.set_restricted is
'Trigger: conversation.restricted says whether the profile restricts sending, or makes messages disappear.';

create trigger conversation_profile_restricted_trigger
after insert or update of type, status, who_can_send, message_ttl_seconds, severed_at
on parley_wanted.conversation_profile
for each row execute function parley.set_restricted();
comment on trigger conversation_profile_restricted_trigger on parley_wanted.conversation_profile is
'Keeps conversation.restricted true.';
