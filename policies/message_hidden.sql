-- What a user has hidden: read by the policy of parley.message only, and only for the user themselves.

create policy message_hidden_select_mine on parley_wanted.message_hidden
for select to authenticated
using (user_id = (select parley.current_user_id()));
comment on policy message_hidden_select_mine on parley_wanted.message_hidden is 'A user sees what they themselves have hidden.';

grant select (conversation_id, user_id, seq) on table parley_wanted.message_hidden to authenticated;
