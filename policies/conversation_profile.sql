-- What people see of a conversation: for its current participants.

create policy conversation_profile_select_mine on parley_wanted.conversation_profile
for select to authenticated
using (conversation_id = any(array(select parley.my_conversation_ids())));
comment on policy conversation_profile_select_mine on parley_wanted.conversation_profile
is 'A user sees the profiles of the conversations they are in.';

create policy conversation_profile_select_service on parley_wanted.conversation_profile
for select to service_role
using (true);
comment on policy conversation_profile_select_service on parley_wanted.conversation_profile
is 'The service role sees all, also where it has no BYPASSRLS.';

grant select (
    conversation_id, type, status, title, description, icon_url, settings, who_can_send, who_can_add,
    who_can_remove, who_can_change_settings, who_can_delete, history_visible, max_members, message_ttl_seconds,
    archived_at, context_type, context_id, created_by, tenant_id, created_at, updated_at
) on table parley_wanted.conversation_profile to authenticated, service_role;
