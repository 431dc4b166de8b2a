-- Participants: visible to the current participants of the same conversation. Their own settings are granted to nobody.

create policy participant_select_mine on parley_wanted.participant
for select to authenticated
using (conversation_id = any(array(select parley.my_conversation_ids())));
comment on policy participant_select_mine on parley_wanted.participant
is 'A user sees who else is in their conversations.';

create policy participant_select_service on parley_wanted.participant
for select to service_role
using (true);
comment on policy participant_select_service on parley_wanted.participant
is 'The service role sees all, also where it has no BYPASSRLS.';

grant select (conversation_id, user_id, role, app_role, joined_at, left_at) on table parley_wanted.participant
to authenticated, service_role;
