-- Views for reading over REST. They run with the caller's rights, so the row policies of the tables decide what they
-- show.

create view parley_wanted.conversations
with (security_invoker = true)
as
select
    c.id,
    cp.type,
    cp.status,
    cp.title,
    cp.description,
    cp.icon_url,
    cp.settings,
    cp.who_can_send,
    cp.who_can_add,
    cp.context_type,
    cp.context_id,
    cp.created_by,
    cp.tenant_id,
    cp.created_at,
    cp.updated_at,
    c.last_seq,
    c.last_event_seq,
    c.last_activity_at,
    cp.who_can_remove,
    cp.who_can_change_settings,
    cp.who_can_delete,
    cp.history_visible,
    cp.max_members,
    cp.message_ttl_seconds,
    cp.archived_at
from parley.conversation as c
inner join parley.conversation_profile as cp on c.id = cp.conversation_id;
comment on view parley_wanted.conversations is 'The conversations the caller is in.';
comment on column parley_wanted.conversations.id is 'The conversation.';
comment on column parley_wanted.conversations.type is 'direct, group, project, support or announcement.';
comment on column parley_wanted.conversations.status is 'active, archived or locked.';
comment on column parley_wanted.conversations.title is 'Title or group name.';
comment on column parley_wanted.conversations.description is 'Group description.';
comment on column parley_wanted.conversations.icon_url is 'Group icon.';
comment on column parley_wanted.conversations.settings is 'Free settings of the host application.';
comment on column parley_wanted.conversations.who_can_send is 'everyone or admins_only.';
comment on column parley_wanted.conversations.who_can_add is 'everyone or admins_only.';
comment on column parley_wanted.conversations.context_type is 'The thing it is about.';
comment on column parley_wanted.conversations.context_id is 'Id of that thing.';
comment on column parley_wanted.conversations.created_by is 'The user who started it.';
comment on column parley_wanted.conversations.tenant_id is 'The tenant its participants share.';
comment on column parley_wanted.conversations.created_at is 'When it was started.';
comment on column parley_wanted.conversations.updated_at is 'When its description last changed.';
comment on column parley_wanted.conversations.last_seq is 'seq of the newest message.';
comment on column parley_wanted.conversations.last_event_seq is 'event_seq of the newest event.';
comment on column parley_wanted.conversations.last_activity_at is 'When the newest message was sent.';
comment on column parley_wanted.conversations.who_can_remove is 'everyone or admins_only.';
comment on column parley_wanted.conversations.who_can_change_settings is 'everyone or admins_only.';
comment on column parley_wanted.conversations.who_can_delete is 'Messages of others: everyone or admins_only.';
comment on column parley_wanted.conversations.history_visible is 'For new members: joined or start.';
comment on column parley_wanted.conversations.max_members is 'How many may be in it.';
comment on column parley_wanted.conversations.message_ttl_seconds is 'After how long new messages disappear.';
comment on column parley_wanted.conversations.archived_at is 'When it was archived for all.';
grant select on table parley_wanted.conversations to authenticated, service_role;

create view parley_wanted.participants
with (security_invoker = true)
as
select
    p.conversation_id,
    p.user_id,
    p.role::text as role,
    p.app_role::text as app_role,
    p.joined_at
from parley.participant as p
where p.left_at is null;
comment on view parley_wanted.participants is 'Participants of the caller''s conversations.';
comment on column parley_wanted.participants.conversation_id is 'The conversation.';
comment on column parley_wanted.participants.user_id is 'The participant.';
comment on column parley_wanted.participants.role is 'owner, admin or member.';
comment on column parley_wanted.participants.app_role is 'Role in the host application.';
comment on column parley_wanted.participants.joined_at is 'When they joined.';
grant select on table parley_wanted.participants to authenticated, service_role;

create view parley_wanted.messages
with (security_invoker = true)
as
select
    m.id,
    m.conversation_id,
    m.seq,
    m.sender_id,
    m.sender_role,
    m.type,
    coalesce(m.content, case when m.type = 'system' then parley.notice_text(m.metadata) end) as content,
    m.metadata,
    m.mentions,
    m.reply_to_id,
    m.client_message_id,
    m.edited_at,
    m.deleted_at,
    m.expires_at,
    m.created_at,
    m.mentions_all,
    m.has_attachments,
    coalesce(m.forward_count, 0) as forward_count,
    m.pinned_at,
    greatest(m.created_at, m.edited_at, m.deleted_at, m.pinned_at) as updated_at
from parley.message as m;
comment on view parley_wanted.messages is 'The messages the caller may see. One deleted for everyone has no content.';
comment on column parley_wanted.messages.id is 'The message.';
comment on column parley_wanted.messages.conversation_id is 'The conversation.';
comment on column parley_wanted.messages.seq is 'Position in the conversation.';
comment on column parley_wanted.messages.sender_id is 'The sender; null: the system.';
comment on column parley_wanted.messages.sender_role is 'The senders role when sending.';
comment on column parley_wanted.messages.type is 'Message type.';
comment on column parley_wanted.messages.content is 'The text; of a notice, with the names of now.';
comment on column parley_wanted.messages.metadata is 'Free JSON object.';
comment on column parley_wanted.messages.mentions is 'Users named in it.';
comment on column parley_wanted.messages.reply_to_id is 'The message it answers.';
comment on column parley_wanted.messages.client_message_id is 'The clients id for it.';
comment on column parley_wanted.messages.edited_at is 'When it was last edited.';
comment on column parley_wanted.messages.deleted_at is 'When it was deleted for everyone.';
comment on column parley_wanted.messages.expires_at is 'When it stops being shown.';
comment on column parley_wanted.messages.created_at is 'When it was sent.';
comment on column parley_wanted.messages.mentions_all is 'True if everybody is mentioned.';
comment on column parley_wanted.messages.has_attachments is 'True if it has attachments (parley_api.attachments).';
comment on column parley_wanted.messages.forward_count
is 'How often its text had been passed on before it got here. The functions also count from here.';
comment on column parley_wanted.messages.pinned_at is 'When it was pinned, if it is.';
comment on column parley_wanted.messages.updated_at is 'When it was sent, last edited, deleted or pinned, whichever came last.';
grant select on table parley_wanted.messages to authenticated, service_role;

create view parley_wanted.attachments
with (security_invoker = true)
as
select
    a.id,
    a.conversation_id,
    a.message_id,
    a.message_seq,
    a.position,
    a.owner_id,
    a.kind,
    a.state,
    a.scan_state,
    a.file_name,
    a.content_type,
    a.byte_size,
    a.width,
    a.height,
    a.duration_ms,
    a.waveform,
    a.variants,
    a.url,
    a.metadata,
    a.failure,
    a.declared_at,
    a.uploaded_at,
    a.attached_at
from parley.attachment as a;
comment on view parley_wanted.attachments
is 'The attachments of the messages the caller may see, and those the caller has not sent yet.';
comment on column parley_wanted.attachments.id is 'The attachment.';
comment on column parley_wanted.attachments.conversation_id is 'The conversation.';
comment on column parley_wanted.attachments.message_id is 'The message it is part of; null: none yet.';
comment on column parley_wanted.attachments.message_seq is 'seq of that message.';
comment on column parley_wanted.attachments.position is 'Place among the attachments of its message.';
comment on column parley_wanted.attachments.owner_id is 'The user who declared or forwarded it.';
comment on column parley_wanted.attachments.kind is 'image, video, voice, audio or file.';
comment on column parley_wanted.attachments.state is 'declared, uploaded, attached or failed.';
comment on column parley_wanted.attachments.scan_state is 'pending, clean or infected.';
comment on column parley_wanted.attachments.file_name is 'Name of the file.';
comment on column parley_wanted.attachments.content_type is 'MIME type.';
comment on column parley_wanted.attachments.byte_size is 'Size of the file.';
comment on column parley_wanted.attachments.width is 'Width in pixels.';
comment on column parley_wanted.attachments.height is 'Height in pixels.';
comment on column parley_wanted.attachments.duration_ms is 'How long it plays.';
comment on column parley_wanted.attachments.waveform is 'Loudness over time of a voice message.';
comment on column parley_wanted.attachments.variants is 'Other sizes and formats of it.';
comment on column parley_wanted.attachments.url is 'Where to fetch it, if not from Parley''s own storage.';
comment on column parley_wanted.attachments.metadata is 'Free JSON object.';
comment on column parley_wanted.attachments.failure is 'Why the upload failed.';
comment on column parley_wanted.attachments.declared_at is 'When it was declared.';
comment on column parley_wanted.attachments.uploaded_at is 'When the file was there.';
comment on column parley_wanted.attachments.attached_at is 'When its message was sent.';
grant select on table parley_wanted.attachments to authenticated, service_role;

create view parley_wanted.message_receipts
with (security_invoker = true)
as
select
    m.id as message_id,
    m.conversation_id,
    m.seq,
    p.user_id,
    k.read_at
from parley.message as m
inner join parley.participant as p on m.conversation_id = p.conversation_id
cross join
    lateral (
        -- the marker that passed the message, if one did: one look by key
        select
            r.read_at,
            r.after_seq
        from parley.read_marker as r
        where r.conversation_id = p.conversation_id and r.user_id = p.user_id and r.seq >= m.seq
        order by r.seq
        limit 1
    ) as k
where k.after_seq < m.seq and p.user_id is distinct from m.sender_id;
comment on view parley_wanted.message_receipts is
'Exact times of reading, per message and reader, of the messages that the caller may see. Readers without read receipts are left out.';
comment on column parley_wanted.message_receipts.message_id is 'The message.';
comment on column parley_wanted.message_receipts.conversation_id is 'The conversation.';
comment on column parley_wanted.message_receipts.seq is 'seq of the message.';
comment on column parley_wanted.message_receipts.user_id is 'The reader.';
comment on column parley_wanted.message_receipts.read_at is 'When they read it.';
grant select on table parley_wanted.message_receipts to authenticated, service_role;
