-- Views for reading over REST. They run with the caller's rights, so the row policies of the tables decide what they
-- show.

create or replace view parley_api.conversations
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
comment on view parley_api.conversations is 'The conversations the caller is in.';
comment on column parley_api.conversations.id is 'The conversation.';
comment on column parley_api.conversations.type is 'direct, group, project, support or announcement.';
comment on column parley_api.conversations.status is 'active, archived or locked.';
comment on column parley_api.conversations.title is 'Title or group name.';
comment on column parley_api.conversations.description is 'Group description.';
comment on column parley_api.conversations.icon_url is 'Group icon.';
comment on column parley_api.conversations.settings is 'Free settings of the host application.';
comment on column parley_api.conversations.who_can_send is 'everyone or admins_only.';
comment on column parley_api.conversations.who_can_add is 'everyone or admins_only.';
comment on column parley_api.conversations.context_type is 'What it is about.';
comment on column parley_api.conversations.context_id is 'Id of that thing.';
comment on column parley_api.conversations.created_by is 'Who started it.';
comment on column parley_api.conversations.tenant_id is 'The tenant its participants share.';
comment on column parley_api.conversations.created_at is 'When it was started.';
comment on column parley_api.conversations.updated_at is 'When its description last changed.';
comment on column parley_api.conversations.last_seq is 'seq of the newest message.';
comment on column parley_api.conversations.last_event_seq is 'event_seq of the newest event.';
comment on column parley_api.conversations.last_activity_at is 'When the newest message was sent.';
comment on column parley_api.conversations.who_can_remove is 'everyone or admins_only.';
comment on column parley_api.conversations.who_can_change_settings is 'everyone or admins_only.';
comment on column parley_api.conversations.who_can_delete is 'Messages of others: everyone or admins_only.';
comment on column parley_api.conversations.history_visible is 'For new members: joined or start.';
comment on column parley_api.conversations.max_members is 'How many may be in it.';
comment on column parley_api.conversations.message_ttl_seconds is 'After how long new messages disappear.';
comment on column parley_api.conversations.archived_at is 'When it was archived for all.';
revoke all on table parley_api.conversations from public;
grant select on table parley_api.conversations to authenticated, service_role;

create or replace view parley_api.participants
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
comment on view parley_api.participants is 'Who is in the caller''s conversations.';
comment on column parley_api.participants.conversation_id is 'The conversation.';
comment on column parley_api.participants.user_id is 'The participant.';
comment on column parley_api.participants.role is 'owner, admin or member.';
comment on column parley_api.participants.app_role is 'Role in the host application.';
comment on column parley_api.participants.joined_at is 'When they joined.';
revoke all on table parley_api.participants from public;
grant select on table parley_api.participants to authenticated, service_role;

create or replace view parley_api.messages
with (security_invoker = true)
as
select
    m.id,
    m.conversation_id,
    m.seq,
    m.sender_id,
    m.sender_role,
    m.type,
    m.content,
    m.metadata,
    m.mentions,
    m.reply_to_id,
    m.client_message_id,
    m.edited_at,
    m.deleted_at,
    m.expires_at,
    m.created_at
from parley.message as m;
comment on view parley_api.messages is 'The messages the caller may see. One deleted for everyone has no content.';
comment on column parley_api.messages.id is 'The message.';
comment on column parley_api.messages.conversation_id is 'The conversation.';
comment on column parley_api.messages.seq is 'Position in the conversation.';
comment on column parley_api.messages.sender_id is 'The sender; null: the system.';
comment on column parley_api.messages.sender_role is 'The senders role when sending.';
comment on column parley_api.messages.type is 'Message type.';
comment on column parley_api.messages.content is 'The text.';
comment on column parley_api.messages.metadata is 'Free JSON object.';
comment on column parley_api.messages.mentions is 'Users named in it.';
comment on column parley_api.messages.reply_to_id is 'The message it answers.';
comment on column parley_api.messages.client_message_id is 'The clients id for it.';
comment on column parley_api.messages.edited_at is 'When it was last edited.';
comment on column parley_api.messages.deleted_at is 'When it was deleted for everyone.';
comment on column parley_api.messages.expires_at is 'When it stops being shown.';
comment on column parley_api.messages.created_at is 'When it was sent.';
revoke all on table parley_api.messages from public;
grant select on table parley_api.messages to authenticated, service_role;
