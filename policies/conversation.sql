-- Conversations, their profiles and their participants: readable by current participants, writable through functions
-- only.

create policy conversation_select_mine on parley_wanted.conversation
for select to authenticated
using (id = any(array(select parley.my_conversation_ids())));
comment on policy conversation_select_mine on parley_wanted.conversation is 'A user sees the conversations they are in.';

create policy conversation_select_service on parley_wanted.conversation
for select to service_role
using (true);
comment on policy conversation_select_service on parley_wanted.conversation is 'The service role sees all, also where it has no BYPASSRLS.';

grant select (id, last_seq, last_event_seq, last_activity_at) on table parley_wanted.conversation
to authenticated, service_role;
