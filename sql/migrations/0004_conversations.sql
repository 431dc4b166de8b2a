-- Conversations, and what makes each the only one. What a send updates is one narrow row without secondary indexes,
-- so that the update stays HOT; everything people read about a conversation lies beside it.

create table parley.conversation (
    id uuid not null,
    last_seq bigint not null default 0,
    last_event_seq bigint not null default 0,
    last_activity_at timestamptz not null default now(),
    last_event_at timestamptz not null default now(),
    restricted boolean not null default false,
    constraint conversation_pkey primary key (id)
) with (fillfactor = 70);
comment on table parley.conversation
is 'The hot row of a conversation. Its row lock orders every durable change of the conversation. No index on what a send updates.';
comment on column parley.conversation.id is 'The conversation, a UUIDv7.';
comment on column parley.conversation.last_seq is 'seq of the newest message; messages are numbered 1, 2, 3 without gaps.';
comment on column parley.conversation.last_event_seq is 'event_seq of the newest event; dense like seq.';
comment on column parley.conversation.last_activity_at is 'When the newest message was sent, or the conversation was created.';
comment on column parley.conversation.last_event_at
is 'created_at of the newest event. No later one is earlier, also when the clock was set back.';
comment on column parley.conversation.restricted
is 'A send must look at the profile, under the lock: it is locked or archived, only admins may send, or messages disappear.';

create table parley.conversation_profile (
    conversation_id uuid not null,
    type text not null,
    status text not null default 'active',
    title text,
    description text,
    icon_url text,
    who_can_send text not null default 'everyone',
    who_can_add text not null default 'everyone',
    who_can_remove text not null default 'admins_only',
    who_can_change_settings text not null default 'admins_only',
    who_can_delete text not null default 'admins_only',
    history_visible text not null default 'joined',
    max_members bigint,
    message_ttl_seconds bigint,
    settings jsonb not null default '{}',
    context_type text,
    context_id text,
    created_by uuid,
    tenant_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    archived_at timestamptz,
    constraint conversation_profile_pkey primary key (conversation_id),
    constraint conversation_profile_conversation_fkey foreign key (conversation_id)
    references parley.conversation (id) on delete cascade,
    constraint conversation_profile_created_by_fkey foreign key (created_by) references parley.account (id),
    constraint conversation_profile_tenant_fkey foreign key (tenant_id) references parley.tenant (id),
    constraint conversation_profile_type_check
    check (type in ('direct', 'group', 'project', 'support', 'announcement')),
    constraint conversation_profile_status_check check (status in ('active', 'archived', 'locked')),
    constraint conversation_profile_title_check check (char_length(title) between 1 and 255),
    constraint conversation_profile_description_check check (char_length(description) <= 2000),
    constraint conversation_profile_icon_url_check check (char_length(icon_url) <= 2000),
    constraint conversation_profile_who_can_send_check check (who_can_send in ('everyone', 'admins_only')),
    constraint conversation_profile_who_can_add_check check (who_can_add in ('everyone', 'admins_only')),
    constraint conversation_profile_who_can_remove_check check (who_can_remove in ('everyone', 'admins_only')),
    constraint conversation_profile_who_can_change_settings_check
    check (who_can_change_settings in ('everyone', 'admins_only')),
    constraint conversation_profile_who_can_delete_check check (who_can_delete in ('everyone', 'admins_only')),
    constraint conversation_profile_history_visible_check check (history_visible in ('joined', 'start')),
    constraint conversation_profile_max_members_check check (max_members between 2 and 1000000),
    constraint conversation_profile_message_ttl_seconds_check check (message_ttl_seconds between 1 and 31622400),
    constraint conversation_profile_settings_check check (jsonb_typeof(settings) = 'object'),
    constraint conversation_profile_context_type_check check (context_type ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint conversation_profile_context_id_check check (char_length(context_id) between 1 and 255),
    constraint conversation_profile_context_is_both_or_none_check
    check ((context_type is null) = (context_id is null))
);
create index conversation_profile_context_idx on parley.conversation_profile (context_type, context_id)
where context_type is not null;
create index conversation_profile_created_by_idx on parley.conversation_profile (created_by);
create index conversation_profile_tenant_idx on parley.conversation_profile (tenant_id) where tenant_id is not null;
create index conversation_profile_status_idx on parley.conversation_profile (status, updated_at, conversation_id);
comment on index parley.conversation_profile_status_idx is 'Conversations of one status, the last changed first.';
comment on table parley.conversation_profile is 'What people see and decide of a conversation; seldom written.';
comment on column parley.conversation_profile.conversation_id is 'The conversation.';
comment on column parley.conversation_profile.type is 'direct (two people), group, project, support or announcement.';
comment on column parley.conversation_profile.status is 'active; archived and locked refuse new messages.';
comment on column parley.conversation_profile.title is 'Title or group name.';
comment on column parley.conversation_profile.description is 'Group description.';
comment on column parley.conversation_profile.icon_url is 'Group icon.';
comment on column parley.conversation_profile.who_can_send is 'everyone, or owners and admins only.';
comment on column parley.conversation_profile.who_can_add is 'everyone, or owners and admins only.';
comment on column parley.conversation_profile.who_can_remove is 'Who may take others out: everyone, or owners and admins only.';
comment on column parley.conversation_profile.who_can_change_settings
is 'Who may change title, description, icon, settings, pinned messages and disappearing messages.';
comment on column parley.conversation_profile.who_can_delete
is 'Who may delete messages of others for everyone: everyone, or owners and admins only.';
comment on column parley.conversation_profile.history_visible
is 'What a new member sees: messages since they joined, or all from the start.';
comment on column parley.conversation_profile.max_members
is 'How many may be in it at most. Null: what the tier of its creator allows, which is never exceeded.';
comment on column parley.conversation_profile.message_ttl_seconds
is 'New messages disappear after so many seconds, unless they say otherwise. Null: they stay.';
comment on column parley.conversation_profile.settings is 'Free settings of the host application.';
comment on column parley.conversation_profile.context_type is 'What the conversation is about: listing, project, booking...';
comment on column parley.conversation_profile.context_id is 'Id of that thing in the host application.';
comment on column parley.conversation_profile.created_by is 'The user who started it. Null: the host application.';
comment on column parley.conversation_profile.tenant_id is 'The tenant all participants share, resolved when it was started.';
comment on column parley.conversation_profile.created_at is 'When it was started.';
comment on column parley.conversation_profile.updated_at is 'When a column of this row was last changed.';
comment on column parley.conversation_profile.archived_at is 'When it was archived for all. Null: it is not.';

create table parley.direct_conversation (
    user_low uuid not null,
    user_high uuid not null,
    context_type text not null default '',
    context_id text not null default '',
    conversation_id uuid not null,
    constraint direct_conversation_pkey primary key (user_low, user_high, context_type, context_id),
    constraint direct_conversation_conversation_key unique (conversation_id),
    -- deferred: the pair is claimed before the conversation is made, so that of two racing calls one makes nothing
    constraint direct_conversation_conversation_fkey foreign key (conversation_id)
    references parley.conversation (id) on delete cascade deferrable initially deferred,
    constraint direct_conversation_pair_is_sorted_check check (user_low < user_high)
);
comment on table parley.direct_conversation
is 'Makes a direct conversation unique per pair of users, and per context where the deployment threads by context.';
comment on column parley.direct_conversation.user_low is 'The smaller of the two user ids.';
comment on column parley.direct_conversation.user_high is 'The greater of the two user ids.';
comment on column parley.direct_conversation.context_type is 'Context of the thread; empty without one.';
comment on column parley.direct_conversation.context_id is 'Context of the thread; empty without one.';
comment on column parley.direct_conversation.conversation_id is 'Their conversation.';

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

alter table parley.conversation enable row level security;
alter table parley.conversation_profile enable row level security;
alter table parley.direct_conversation enable row level security;
alter table parley.conversation_context enable row level security;
alter table parley.context_conversation enable row level security;
alter table parley.conversation_key enable row level security;
