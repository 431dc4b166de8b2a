-- Messages: for the current participants of their conversation, from where the viewer's history starts, as far back as
-- the viewer's tier reaches, and without what has expired or the viewer has hidden.

create policy message_select_mine on parley_wanted.message
for select to authenticated
using (
    conversation_id = any(array(select parley.my_conversation_ids()))
    -- verdict: readable, tombstone unless expired
    -- of message for caller
    and message.seq >= coalesce(
        ((select parley.my_history_floors()) ->> message.conversation_id::text)::bigint, 1
    )
    and (message.expires_at is null or message.expires_at > now())
    and message.retired_at is null
    and message.id >= (select parley.my_message_floor())
    and not exists (
        select from parley.message_hidden as h
        where
            h.conversation_id = message.conversation_id
            and h.user_id = (select parley.current_user_id())
            and h.seq = message.seq
    )
    -- end verdict
);
comment on policy message_select_mine on parley_wanted.message is 'The access rule for messages, the same as in the functions.';

create policy message_select_service on parley_wanted.message
for select to service_role
using (true);
comment on policy message_select_service on parley_wanted.message is 'The service role sees all, also where it has no BYPASSRLS.';

grant select (
    id, conversation_id, seq, sender_id, sender_role, type, content, metadata, mentions, reply_to_id,
    client_message_id, edited_at, deleted_at, expires_at, created_at, mentions_all, has_attachments, forward_count,
    pinned_at
) on table parley_wanted.message to authenticated, service_role;
