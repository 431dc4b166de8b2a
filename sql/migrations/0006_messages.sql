-- Messages and what each was before. `message` is partitioned by month on its UUIDv7, so that retention can drop
-- whole months; that is why nothing has a foreign key into it. The rows of a send reference neither the conversation
-- nor the account: the send holds the conversation's row lock and has just read both, and the checks would cost more
-- than the inserts.

create table parley.message_type (
    name text not null,
    client_may_send boolean not null,
    requires_content boolean not null,
    requires_attachment boolean not null default false,
    attachment_kinds text[],
    description text not null,
    constraint message_type_pkey primary key (name),
    constraint message_type_name_check check (name ~ '^[a-z][a-z0-9_]{0,31}$')
);
comment on table parley.message_type is 'The message types of this deployment. New types are rows, not schema changes.';
comment on column parley.message_type.name is 'As in message.type.';
comment on column parley.message_type.client_may_send is 'False: only the server sends it.';
comment on column parley.message_type.requires_content is 'True: content may not be empty, unless there is an attachment.';
comment on column parley.message_type.requires_attachment is 'True: it must have an attachment.';
comment on column parley.message_type.attachment_kinds
is 'Kinds of attachments (attachment_kind.name) it may have. Null: any; empty: none.';
comment on column parley.message_type.description is 'One sentence for people.';

create table parley.message (
    id uuid not null,
    conversation_id uuid not null,
    seq bigint not null,
    sender_id uuid,
    reply_to_id uuid,
    client_message_id uuid,
    created_at timestamptz not null,
    edited_at timestamptz,
    deleted_at timestamptz,
    expires_at timestamptz,
    sender_role text,
    type text not null,
    content text,
    metadata jsonb,
    mentions uuid[],
    pinned_at timestamptz,
    -- null, unlike zero, costs a plain message nothing
    forward_count integer,
    has_attachments boolean not null default false,
    mentions_all boolean not null default false,
    -- by id alone; the conversation stands in every key so that the tables can be distributed by it
    constraint message_pkey primary key (id, conversation_id),
    constraint message_deleted_has_no_content_check
    check (deleted_at is null or (content is null and metadata is null))
) partition by range (id);
-- few messages expire: unread counts look here for those that have
create index message_expires_idx on parley.message (conversation_id, seq) where expires_at is not null;
-- so do counts of unread mentions for those that mention somebody
create index message_mentions_idx on parley.message (conversation_id, seq) where mentions is not null or mentions_all;
-- what has expired and still says something, the longest since first
create index message_expired_idx on parley.message (expires_at) where expires_at is not null and deleted_at is null;
-- Each partition also gets a unique index on (conversation_id, seq) when it is made (ensure_partitions): the parent
-- cannot have one that does not contain id. Across partitions the conversation's row lock makes seq unique.
comment on table parley.message
is 'The messages. Partitioned by month on id; a deleted message stays as a tombstone without content, so seq stays dense.';
comment on column parley.message.id is 'UUIDv7 made by the server when the send began; created_at is when it got its seq.';
comment on column parley.message.conversation_id is 'The conversation.';
comment on column parley.message.seq is 'Position in the conversation: 1, 2, 3 without gaps.';
comment on column parley.message.sender_id is 'The sender. Null: the system.';
comment on column parley.message.reply_to_id is 'The message of the same conversation that this one answers.';
comment on column parley.message.client_message_id is 'Id given by the client; sending it again returns this message.';
comment on column parley.message.created_at is 'When it was sent; rises with seq.';
comment on column parley.message.edited_at is 'When it was last edited.';
comment on column parley.message.deleted_at is 'When it was deleted for everyone.';
comment on column parley.message.expires_at is 'From then on it is not shown, and is purged.';
comment on column parley.message.sender_role is 'The sender''s role when sending: the application role if there is one, else the permission role.';
comment on column parley.message.type is 'As in message_type.name.';
comment on column parley.message.content is 'The text.';
comment on column parley.message.metadata is 'Free JSON object of the client. Null: empty.';
comment on column parley.message.mentions is 'Participants named in the message. Null: none.';
comment on column parley.message.pinned_at is 'When it was pinned, if it is (message_pin).';
comment on column parley.message.forward_count
is 'How many times its text had been passed on when it got here: 1 for a copy of an original, 2 for a copy of that. Null: an original.';
comment on column parley.message.has_attachments is 'True if parley.attachment has rows of it.';
comment on column parley.message.mentions_all is 'True if everybody in the conversation is mentioned.';

create table parley.message_key (
    conversation_id uuid not null,
    sender_id uuid not null,
    client_message_id uuid not null,
    message_id uuid not null,
    request_hash bytea not null,
    constraint message_key_pkey primary key (conversation_id, sender_id, client_message_id)
);
comment on table parley.message_key
is 'Makes a send happen once: inserted first, so that racing retries wait on it and take no seq.';
comment on column parley.message_key.conversation_id is 'The conversation.';
comment on column parley.message_key.sender_id is 'The sender.';
comment on column parley.message_key.client_message_id is 'The client''s id for this send.';
comment on column parley.message_key.message_id is 'The message it became.';
comment on column parley.message_key.request_hash is 'Fingerprint of what was asked: the same id with another request is a conflict.';

create table parley.message_revision (
    conversation_id uuid not null,
    message_id uuid not null,
    revision bigint not null,
    event_seq bigint not null,
    replaced_at timestamptz not null default now(),
    replaced_by uuid,
    expires_at timestamptz,
    reason text not null,
    content text,
    metadata jsonb,
    mentions uuid[],
    mentions_all boolean not null default false,
    constraint message_revision_pkey primary key (conversation_id, message_id, revision),
    constraint message_revision_revision_check check (revision >= 1),
    constraint message_revision_reason_check check (reason in ('edited', 'deleted'))
);
create index message_revision_expires_idx on parley.message_revision (expires_at) where expires_at is not null;
comment on table parley.message_revision
is 'What a message said before each edit, and before it was deleted for everyone (for moderation).';
comment on column parley.message_revision.conversation_id is 'The conversation.';
comment on column parley.message_revision.message_id is 'The message.';
comment on column parley.message_revision.revision is '1 is the text as sent.';
comment on column parley.message_revision.event_seq is 'The event of the change: it said so until the one before.';
comment on column parley.message_revision.replaced_at is 'When it stopped being current.';
comment on column parley.message_revision.replaced_by is 'Who edited or deleted it.';
comment on column parley.message_revision.expires_at
is 'When the message expires: what it said before, and what was deleted of it, goes then, too.';
comment on column parley.message_revision.reason is 'edited or deleted.';
comment on column parley.message_revision.content is 'The text.';
comment on column parley.message_revision.metadata is 'The metadata.';
comment on column parley.message_revision.mentions is 'The users it mentioned. Null: none.';
comment on column parley.message_revision.mentions_all is 'True: it mentioned everybody.';

create table parley.message_uncounted (
    conversation_id uuid not null,
    seq bigint not null,
    message_id uuid not null,
    sender_id uuid,
    deleted_at timestamptz,
    deleted_by uuid,
    is_notice boolean not null default false,
    constraint message_uncounted_pkey primary key (conversation_id, seq),
    constraint message_uncounted_reason_check check (is_notice or deleted_at is not null),
    constraint message_uncounted_sender_check check (not is_notice or sender_id is null)
);
comment on table parley.message_uncounted
is 'Messages that are unread for nobody: notices, and those deleted for everyone. Lets unread counts leave them out without looking through the partitions.';
comment on column parley.message_uncounted.conversation_id is 'The conversation.';
comment on column parley.message_uncounted.seq is 'seq of the message.';
comment on column parley.message_uncounted.message_id is 'The message.';
comment on column parley.message_uncounted.sender_id
is 'Who had sent it or, for a counted system message, caused it: theirs was not unread before. A notice never was, for anybody: null.';
comment on column parley.message_uncounted.deleted_at is 'When it was deleted. Null: a notice that is still there.';
comment on column parley.message_uncounted.deleted_by is 'Who deleted it.';
comment on column parley.message_uncounted.is_notice is 'True: the server''s word about a change, which is also no preview.';

create table parley.message_hidden (
    conversation_id uuid not null,
    user_id uuid not null,
    seq bigint not null,
    message_id uuid not null,
    hidden_at timestamptz not null default now(),
    own boolean not null,
    constraint message_hidden_pkey primary key (conversation_id, user_id, seq)
);
-- of all keys a lookup by user may choose from, none may be a longer way than another: hence the rest of the columns
create index message_hidden_user_idx on parley.message_hidden (user_id, conversation_id, seq);
comment on table parley.message_hidden is 'Messages a user deleted for themselves.';
comment on column parley.message_hidden.conversation_id is 'The conversation.';
comment on column parley.message_hidden.user_id is 'Who does not want to see it.';
comment on column parley.message_hidden.seq is 'seq of the message.';
comment on column parley.message_hidden.message_id is 'The message.';
comment on column parley.message_hidden.hidden_at is 'Since when.';
comment on column parley.message_hidden.own is 'True if that user had sent it; own messages never count as unread.';

alter table parley.message_type enable row level security;
alter table parley.message enable row level security;
alter table parley.message_key enable row level security;
alter table parley.message_revision enable row level security;
alter table parley.message_uncounted enable row level security;
alter table parley.message_hidden enable row level security;
