-- Attachments: for whoever may see their message, by the rule of parley.message, which is repeated here on the columns
-- that came with the message; and one that is not part of a message yet, for who declared it.

create policy attachment_select_mine on parley_wanted.attachment
for select to authenticated
using (
    conversation_id = any(array(select parley.my_conversation_ids()))
    and state <> 'removed'
    and (
        (message_id is null and owner_id = (select parley.current_user_id()))
        or (
            scan_state <> 'infected'
            -- verdict: readable
            -- of attachment for caller
            and attachment.message_seq >= coalesce(
                ((select parley.my_history_floors()) ->> attachment.conversation_id::text)::bigint, 1
            )
            and (attachment.expires_at is null or attachment.expires_at > now())
            and attachment.retired_at is null
            and attachment.message_id >= (select parley.my_message_floor())
            and not exists (
                select from parley.message_hidden as h
                where
                    h.conversation_id = attachment.conversation_id
                    and h.user_id = (select parley.current_user_id())
                    and h.seq = attachment.message_seq
            )
            -- end verdict
        )
    )
);
comment on policy attachment_select_mine on parley_wanted.attachment
is 'Who may see a message sees its attachments, unless they are infected; who declared one sees what became of it.';

create policy attachment_select_service on parley_wanted.attachment
for select to service_role
using (true);
comment on policy attachment_select_service on parley_wanted.attachment
is 'The service role sees all, also where it has no BYPASSRLS.';

grant select (
    id, conversation_id, message_id, message_seq, position, owner_id, kind, state, scan_state, file_name, content_type,
    byte_size, width, height, duration_ms, waveform, variants, url, metadata, failure, declared_at, uploaded_at,
    attached_at, expires_at
) on table parley_wanted.attachment to authenticated, service_role;
