-- Erasure of users, and what they may take with them: the ledger, what becomes of each column that names a user,
-- exports and the consent of the others. New tables only; no lock on one that is in use.

-- Its rows belong to the release: functions/erasure/user_references.sql brings them up to date by every installation.
create table parley.user_reference (
    table_name text not null,
    column_name text not null,
    action text not null,
    exported boolean not null default false,
    constraint user_reference_pkey primary key (table_name, column_name),
    constraint user_reference_action_check check (action in ('delete', 'clear', 'keep', 'code', 'none'))
);
comment on table parley.user_reference is
'What an erasure does with each column that may refer to a user. A test fails while a column of type uuid, uuid[] or jsonb, or one of parley.account, is not here.';
comment on column parley.user_reference.table_name is 'The table. *: any, for columns that never name a user.';
comment on column parley.user_reference.column_name is 'The column.';
comment on column parley.user_reference.action is
'delete: rows of the user go. clear: it becomes null. keep: the id stays, as that of a deleted user. code: the functions of folder erasure see to it. none: it names no user.';
comment on column parley.user_reference.exported is 'True: export_my_data tells the user of these rows.';

create table parley.erasure (
    user_id uuid not null,
    requested_at timestamptz not null default clock_timestamp(),
    tried_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    exported_at timestamptz,
    after_conversation_id uuid not null default '00000000-0000-0000-0000-000000000000',
    after_seq bigint not null default 0,
    messages bigint not null default 0,
    held_since timestamptz,
    left_over boolean not null default false,
    held boolean not null default false,
    content text not null,
    reason text not null,
    constraint erasure_pkey primary key (user_id),
    constraint erasure_content_check check (content in ('keep', 'remove')),
    constraint erasure_reason_check check (char_length(reason) between 1 and 1000)
) with (fillfactor = 50);
create index erasure_open_idx on parley.erasure (tried_at) where finished_at is null;
comment on table parley.erasure is
'The ledger of erasures: ids and reasons. Export it outside the database (parley.erasure_ledger), and apply it again to a backup that is restored (parley.reapply_erasures).';
comment on column parley.erasure.user_id is 'The user, of whom nothing but the id is left.';
comment on column parley.erasure.requested_at is 'When it was asked for.';
comment on column parley.erasure.tried_at is 'When the last step ended.';
comment on column parley.erasure.finished_at is 'When all was gone. Null: it goes on, or waits for a hold to end.';
comment on column parley.erasure.exported_at
is 'When parley.erasure_ledger first told of it. Null: a backup that is restored would bring the user back, and parley doctor warns.';
comment on column parley.erasure.after_conversation_id is 'It is through with the conversations up to this one.';
comment on column parley.erasure.after_seq is 'And in the next one with the messages up to this seq.';
comment on column parley.erasure.messages is 'Messages that were emptied or removed.';
comment on column parley.erasure.held_since is 'The last round ended here with something held: the next begins when a hold is released.';
comment on column parley.erasure.left_over
is 'Something was held, or in use, since the first conversation: there will be another round.';
comment on column parley.erasure.held is 'Something of that was held.';
comment on column parley.erasure.content is 'keep: what the user said stays, as said by a deleted user. remove: it goes.';
comment on column parley.erasure.reason is 'Why, for people.';

create table parley.export (
    id uuid not null,
    user_id uuid not null,
    conversation_id uuid,
    created_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    expires_at timestamptz not null,
    rows_written bigint not null default 0,
    bytes_written bigint not null default 0,
    pages bigint not null default 0,
    position jsonb not null default '{}',
    state text not null default 'pending',
    format text not null,
    writer text,
    claimed_until timestamptz,
    constraint export_pkey primary key (id),
    constraint export_account_fkey foreign key (user_id) references parley.account (id),
    constraint export_conversation_fkey foreign key (conversation_id)
    references parley.conversation (id) on delete cascade,
    constraint export_state_check check (state in ('pending', 'ready', 'expired')),
    constraint export_format_check check (format in ('jsonl', 'csv')),
    constraint export_position_check check (jsonb_typeof(position) = 'object')
);
create index export_user_idx on parley.export (user_id, created_at);
create index export_conversation_idx on parley.export (conversation_id);
create index export_pending_idx on parley.export (created_at) where state = 'pending';
create index export_expires_idx on parley.export (expires_at) where state <> 'expired';
comment on table parley.export is
'Exports: all about a user, or the history of one conversation, written page by page to a file by a worker. The position and the length of the file change together, so a writer that was cut off goes on where it was.';
comment on column parley.export.id is 'The export, a UUIDv7.';
comment on column parley.export.user_id is 'Who asked for it.';
comment on column parley.export.conversation_id is 'The conversation. Null: all about the user.';
comment on column parley.export.created_at is 'When it was asked for.';
comment on column parley.export.finished_at is 'When it was written.';
comment on column parley.export.expires_at is 'When its file is deleted.';
comment on column parley.export.rows_written is 'Lines so far.';
comment on column parley.export.bytes_written is 'How long the file is: a writer that begins anew cuts it here.';
comment on column parley.export.pages is 'Pages so far.';
comment on column parley.export.position is 'What comes next: the part, and where in it.';
comment on column parley.export.state is 'pending, ready or expired.';
comment on column parley.export.format is 'jsonl: JSON Lines. csv.';
comment on column parley.export.writer is 'Who writes it: a machine and its folder. The file is named by the id.';
comment on column parley.export.claimed_until is 'Until then nobody else begins it anew.';

create table parley.export_consent (
    conversation_id uuid not null,
    requester_id uuid not null,
    user_id uuid not null,
    requested_at timestamptz not null default clock_timestamp(),
    answered_at timestamptz,
    withdrawn_at timestamptz,
    given boolean,
    constraint export_consent_pkey primary key (conversation_id, requester_id, user_id),
    constraint export_consent_conversation_fkey foreign key (conversation_id)
    references parley.conversation (id) on delete cascade,
    constraint export_consent_answer_check check ((given is null) = (answered_at is null)),
    constraint export_consent_withdrawn_check check (withdrawn_at is null or given)
);
create index export_consent_user_idx on parley.export_consent (user_id);
comment on table parley.export_consent is
'Whether somebody else may export what a participant has said in a conversation: asked, given or refused, and withdrawn.';
comment on column parley.export_consent.conversation_id is 'The conversation.';
comment on column parley.export_consent.requester_id is 'Who wants to export it.';
comment on column parley.export_consent.user_id is 'Who is asked.';
comment on column parley.export_consent.requested_at is 'When.';
comment on column parley.export_consent.answered_at is 'When the answer came. Null: not yet.';
comment on column parley.export_consent.withdrawn_at is 'When it was taken back.';
comment on column parley.export_consent.given is 'The answer.';

alter table parley.user_reference enable row level security;
alter table parley.erasure enable row level security;
alter table parley.export enable row level security;
alter table parley.export_consent enable row level security;

insert into parley.setting (name, value, description) values
(
    'erased_content', 'keep',
    'What becomes of the messages of an erased user: keep shows them as of "[Deleted User]", remove deletes them.'
),
('export_retention_days', '7', 'How long the file of an export is kept, in days.'),
(
    'log_ids', 'plain',
    'How the server''s log names users, conversations and messages: plain, or hashed with a salt that is forgotten.'
),
(
    'log_salt_days', '30',
    'How long hashes in the log can be compared with one another, in days: then comes another salt.'
);

insert into parley.secret (name, value) values
('log_salt', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

insert into parley.job (name, period_seconds, description) values
('rotate_log_salt', 3600, 'Forgets the salt of hashes in the log when it is log_salt_days old.'),
('erase_users', 5, 'Goes on with erasures: conversation by conversation, and where a hold has ended.');
