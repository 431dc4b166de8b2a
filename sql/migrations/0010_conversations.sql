-- What a conversation is about and what makes it the only one, and what people have begun to write.

-- Every context of a conversation, the one it was started with and those that came to a pair's thread later.
create table parley.conversation_context (
    conversation_id uuid not null,
    context_type text not null,
    context_id text not null,
    added_by uuid,
    added_at timestamptz not null default clock_timestamp(),
    constraint conversation_context_pkey primary key (conversation_id, context_type, context_id),
    constraint conversation_context_conversation_fkey foreign key (conversation_id)
    references parley.conversation (id) on delete cascade,
    constraint conversation_context_type_check check (context_type ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint conversation_context_id_check check (char_length(context_id) between 1 and 255)
);
create index conversation_context_of_idx on parley.conversation_context (context_type, context_id, conversation_id);
comment on table parley.conversation_context
is 'All that a conversation is about: a thread of two people can serve many bookings. Goes with the conversation.';
comment on column parley.conversation_context.conversation_id is 'The conversation.';
comment on column parley.conversation_context.context_type is 'listing, project, booking...';
comment on column parley.conversation_context.context_id is 'Id of that thing in the host application.';
comment on column parley.conversation_context.added_by is 'Who came with it. Null: the host application.';
comment on column parley.conversation_context.added_at is 'When it was added.';

create table parley.context_conversation (
    type text not null,
    context_type text not null,
    context_id text not null,
    conversation_id uuid not null,
    constraint context_conversation_pkey primary key (type, context_type, context_id),
    constraint context_conversation_conversation_key unique (conversation_id),
    -- deferred: the context is claimed before the conversation is made, so that of two racing calls one makes nothing
    constraint context_conversation_conversation_fkey foreign key (conversation_id)
    references parley.conversation (id) on delete cascade deferrable initially deferred
);
comment on table parley.context_conversation
is 'Makes a conversation the only one of its type about a context. Goes with the conversation.';
comment on column parley.context_conversation.type is 'Type of the conversation: group, project, support or announcement.';
comment on column parley.context_conversation.context_type is 'listing, project, booking...';
comment on column parley.context_conversation.context_id is 'Id of that thing in the host application.';
comment on column parley.context_conversation.conversation_id is 'The one conversation.';

create table parley.conversation_key (
    creator_id uuid not null,
    client_message_id uuid not null,
    conversation_id uuid not null,
    request_hash bytea not null,
    constraint conversation_key_pkey primary key (creator_id, client_message_id),
    constraint conversation_key_conversation_key unique (conversation_id),
    constraint conversation_key_conversation_fkey foreign key (conversation_id)
    references parley.conversation (id) on delete cascade deferrable initially deferred
);
comment on table parley.conversation_key
is 'A group that is started again with the same client_message_id is the first one. Goes with the conversation.';
comment on column parley.conversation_key.creator_id
is 'Who started it; the nil uuid: the host application. An erased account leaves only its id here.';
comment on column parley.conversation_key.client_message_id is 'The client''s id of the request.';
comment on column parley.conversation_key.conversation_id is 'What it made.';
comment on column parley.conversation_key.request_hash is 'SHA-256 of what was asked for.';

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
is 'What a participant has begun to write, for their own devices only. Goes when it is emptied, when they leave or delete the conversation, with the conversation and with the account.';
comment on column parley.draft.conversation_id is 'The conversation.';
comment on column parley.draft.user_id is 'Who writes.';
comment on column parley.draft.reply_to_id is 'The message it will answer.';
comment on column parley.draft.updated_at is 'When it was last saved.';
comment on column parley.draft.content is 'The text so far.';
comment on column parley.draft.metadata is 'Free JSON object of the client.';

insert into parley.setting (name, value, description) values
(
    'unique_context_types', '',
    'Types of conversations, separated by commas, of which there is one per context: another start returns the first.'
),
(
    'initiating_app_roles', '',
    'Application roles (separated by commas) that may start a direct conversation, for example buyer. Empty: any.'
);

alter table parley.conversation_context enable row level security;
alter table parley.context_conversation enable row level security;
alter table parley.conversation_key enable row level security;
alter table parley.draft enable row level security;
