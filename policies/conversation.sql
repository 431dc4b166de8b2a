-- Conversations, their profiles and their participants: readable by current participants, writable through functions
-- only.

drop policy if exists conversation_select_mine on parley.conversation;
create policy conversation_select_mine on parley.conversation
for select to authenticated
using (id = any(array(select parley.my_conversation_ids())));
comment on policy conversation_select_mine on parley.conversation is 'A user sees the conversations they are in.';

drop policy if exists conversation_select_service on parley.conversation;
create policy conversation_select_service on parley.conversation
for select to service_role
using (true);
comment on policy conversation_select_service on parley.conversation is 'The service role sees all, also where it has no BYPASSRLS.';

revoke all on table parley.conversation from public;
grant select (id, last_seq, last_event_seq, last_activity_at) on table parley.conversation
to authenticated, service_role;
