-- Read markers: for the participants of the conversation, but for those whose reader keeps receipts to themselves. Read
-- through parley_api.message_receipts only, which joins them to the messages the viewer may see.

create policy read_marker_select_mine on parley_wanted.read_marker
for select to authenticated
using (
    conversation_id = any(array(select parley.my_conversation_ids()))
    and (
        user_id = (select parley.current_user_id())
        or (not is_private and (select parley.shares_my_receipts()))
    )
);
comment on policy read_marker_select_mine on parley_wanted.read_marker
is 'A user sees when the others in their conversations read, if those let them.';

create policy read_marker_select_service on parley_wanted.read_marker
for select to service_role
using (true);
comment on policy read_marker_select_service on parley_wanted.read_marker
is 'The service role sees all, also where it has no BYPASSRLS.';

grant select (conversation_id, user_id, seq, after_seq, read_at, is_private) on table parley_wanted.read_marker
to authenticated, service_role;
