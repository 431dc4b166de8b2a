-- Messages to be sent later.

create table parley.scheduled_message (
    id uuid not null,
    conversation_id uuid not null,
    sender_id uuid not null,
    client_message_id uuid not null,
    request_hash bytea not null,
    send_at timestamptz not null,
    time_zone text,
    attempt_at timestamptz not null,
    attempts bigint not null default 0,
    status text not null default 'pending',
    error_code text,
    message_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    finished_at timestamptz,
    mentions_all boolean not null default false,
    type text not null,
    content text,
    metadata jsonb,
    mentions uuid[],
    reply_to_id uuid,
    attachment_ids uuid[],
    expires_in interval,
    constraint scheduled_message_pkey primary key (id, conversation_id),
    constraint scheduled_message_conversation_fkey foreign key (conversation_id)
    references parley.conversation (id) on delete cascade,
    constraint scheduled_message_client_message_id_key unique (conversation_id, sender_id, client_message_id),
    constraint scheduled_message_status_check check (status in ('pending', 'held', 'sent', 'cancelled', 'failed')),
    constraint scheduled_message_finished_check check ((status in ('pending', 'held')) = (finished_at is null)),
    constraint scheduled_message_error_code_check check ((error_code is null) or status in ('pending', 'failed')),
    constraint scheduled_message_message_id_check check ((message_id is not null) = (status = 'sent')),
    constraint scheduled_message_has_no_copy_check
    check (status not in ('sent', 'cancelled') or (content is null and metadata is null))
);
create index scheduled_message_due_idx on parley.scheduled_message (attempt_at, send_at, created_at)
where status = 'pending';
create index scheduled_message_sender_idx on parley.scheduled_message (sender_id, status, send_at, id);
create index scheduled_message_finished_idx on parley.scheduled_message (finished_at) where finished_at is not null;
comment on table parley.scheduled_message
is 'Messages to be sent later. Nobody but the author sees one. What was sent or cancelled keeps no text here, and the row goes a month later; with the account or the conversation all of it goes.';
comment on column parley.scheduled_message.id is 'The scheduled message; the message it becomes has another id.';
comment on column parley.scheduled_message.conversation_id is 'Where it will be sent.';
comment on column parley.scheduled_message.sender_id is 'The author.';
comment on column parley.scheduled_message.client_message_id
is 'Sent with it: the send happens once, and scheduling again with the same id returns this row.';
comment on column parley.scheduled_message.request_hash
is 'Fingerprint of what was asked: the same client_message_id with another request is a conflict.';
comment on column parley.scheduled_message.send_at is 'When it is to be sent.';
comment on column parley.scheduled_message.time_zone
is 'The zone whose clock the author set it by, as in pg_timezone_names. Null: it was a moment.';
comment on column parley.scheduled_message.attempt_at
is 'When it is tried next: send_at, or later after a failure that may pass.';
comment on column parley.scheduled_message.attempts is 'Tries that failed so far.';
comment on column parley.scheduled_message.status
is 'pending, held (the sessions of the author were revoked, and the author has not confirmed it), sent, cancelled or failed.';
comment on column parley.scheduled_message.error_code is 'SQLSTATE of the last failed try, the reason if the status is failed.';
comment on column parley.scheduled_message.message_id is 'The message it became.';
comment on column parley.scheduled_message.created_at is 'When it was scheduled.';
comment on column parley.scheduled_message.updated_at is 'When the author last changed or confirmed it.';
comment on column parley.scheduled_message.finished_at is 'When it was sent or cancelled, or given up.';
comment on column parley.scheduled_message.type is 'As in message_type.name.';
comment on column parley.scheduled_message.content is 'The text.';
comment on column parley.scheduled_message.metadata is 'Free JSON object of the client.';
comment on column parley.scheduled_message.mentions is 'Participants named in it.';
comment on column parley.scheduled_message.mentions_all is 'True: it mentions everybody.';
comment on column parley.scheduled_message.reply_to_id is 'The message it will answer.';
comment on column parley.scheduled_message.attachment_ids is 'Attachments it will carry.';
comment on column parley.scheduled_message.expires_in is 'How long after the sending it expires.';

alter table parley.scheduled_message enable row level security;
