-- Who is in a conversation, and what they have begun to write in it.

-- Domains, where a row is updated by every send or read: a check constraint of the table is parsed again by each
-- statement that touches the row (2 us each), a domain only when its column is assigned.
create domain parley.participant_role as text
constraint participant_role_check check (value in ('owner', 'admin', 'member'));
comment on domain parley.participant_role is 'Permission role in a conversation.';

create domain parley.app_role as text
constraint app_role_check check (value ~ '^[a-z][a-z0-9_]{0,62}$');
comment on domain parley.app_role is 'Role in the host application: lower-case letters, digits and underscores.';

create domain parley.notification_level as text
constraint notification_level_check check (value in ('all', 'mentions', 'none'));
comment on domain parley.notification_level is 'Which messages notify.';

create domain parley.inbox_folder as text
constraint inbox_folder_check check (value in ('inbox', 'requests'));
comment on domain parley.inbox_folder is 'Where a participant finds a conversation.';

create table parley.participant (
    conversation_id uuid not null,
    user_id uuid not null,
    last_read_seq bigint not null default 0,
    last_delivered_seq bigint not null default 0,
    own_unread bigint not null default 0,
    history_from_seq bigint not null default 1,
    history_from_event_seq bigint not null default 1,
    joined_at timestamptz not null default now(),
    last_read_at timestamptz,
    left_at timestamptz,
    left_event_seq bigint,
    muted_until timestamptz,
    pinned_at timestamptz,
    archived_at timestamptz,
    added_by uuid,
    marked_unread boolean not null default false,
    has_draft boolean not null default false,
    role parley.participant_role not null default 'member',
    app_role parley.app_role,
    notification_level parley.notification_level not null default 'all',
    folder parley.inbox_folder not null default 'inbox',
    deleted_seq bigint,
    constraint participant_pkey primary key (conversation_id, user_id),
    constraint participant_conversation_fkey foreign key (conversation_id)
    references parley.conversation (id) on delete cascade,
    constraint participant_account_fkey foreign key (user_id) references parley.account (id)
) with (fillfactor = 80);
-- who is not to be shown an event that is rendered after they left; few rows
create index participant_left_idx on parley.participant (conversation_id, left_event_seq)
where left_event_seq is not null;
-- who is not to be shown messages of before they deleted the conversation for themselves; few rows
create index participant_deleted_idx on parley.participant (conversation_id, deleted_seq)
where deleted_seq is not null;
-- left_at is included so that "my current conversations" is answered by this index alone
create index participant_user_idx on parley.participant (user_id, conversation_id) include (left_at);
comment on table parley.participant
is 'Who is in a conversation, how far they have read, and their own settings for it. The one source of the access rule.';
comment on column parley.participant.conversation_id is 'The conversation.';
comment on column parley.participant.user_id is 'The participant.';
comment on column parley.participant.last_read_seq is 'Everything up to this seq has been read. Only moves forward.';
comment on column parley.participant.last_delivered_seq is 'Everything up to this seq has reached a device. Only moves forward.';
comment on column parley.participant.own_unread
is 'How many messages after last_read_seq the participant sent; they do not count as unread.';
comment on column parley.participant.history_from_seq is 'seq of the first message the participant may see.';
comment on column parley.participant.history_from_event_seq
is 'event_seq of the first event the participant may see; who was in the conversation before, and what they read, is not theirs to know.';
comment on column parley.participant.joined_at is 'When the participant joined, the last time.';
comment on column parley.participant.last_read_at is 'When last_read_seq last moved.';
comment on column parley.participant.left_event_seq
is 'The participant:left event of the last departure. Events before it, rendered after it, are not for this user.';
comment on column parley.participant.left_at is 'Set: no longer a participant, and nothing is visible any more.';
comment on column parley.participant.muted_until is 'No notifications until then; infinity: for good.';
comment on column parley.participant.pinned_at is 'Set: shown before all others in the inbox.';
comment on column parley.participant.archived_at is 'Set: shown only in the archive.';
comment on column parley.participant.added_by is 'Who added the participant.';
comment on column parley.participant.marked_unread is 'The participant marked the conversation as unread, until it is next read.';
comment on column parley.participant.has_draft
is 'There is a draft of the participant: a send, which reads this row anyway, then looks for it.';
comment on column parley.participant.role is 'Permission role: owner, admin or member.';
comment on column parley.participant.app_role is 'Role in the host application: buyer, seller, artist...';
comment on column parley.participant.notification_level is 'Which messages notify: all, mentions or none.';
comment on column parley.participant.folder is 'inbox, or requests: not yet accepted by the participant.';
comment on column parley.participant.deleted_seq
is 'Set: the participant deleted the conversation for themselves when this was its last seq. The inbox leaves it out until the next message.';

create table parley.draft (
    conversation_id uuid not null,
    user_id uuid not null,
    reply_to_id uuid,
    updated_at timestamptz not null default now(),
    content text,
    metadata jsonb,
    constraint draft_pkey primary key (conversation_id, user_id),
    constraint draft_participant_fkey foreign key (conversation_id, user_id)
    references parley.participant (conversation_id, user_id) on delete cascade,
    constraint draft_metadata_check check (jsonb_typeof(metadata) = 'object'),
    constraint draft_is_not_empty_check check (content is not null or metadata is not null)
);
create index draft_user_idx on parley.draft (user_id);
comment on table parley.draft
is 'What a participant has begun to write, for their own devices only. Goes when it is emptied, when they send a message, leave or delete the conversation, with the conversation and with the account.';
comment on column parley.draft.conversation_id is 'The conversation.';
comment on column parley.draft.user_id is 'Who writes.';
comment on column parley.draft.reply_to_id is 'The message it will answer.';
comment on column parley.draft.updated_at is 'When it was last saved.';
comment on column parley.draft.content is 'The text so far.';
comment on column parley.draft.metadata is 'Free JSON object of the client.';

alter table parley.participant enable row level security;
alter table parley.draft enable row level security;
