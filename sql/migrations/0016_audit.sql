-- The trace that people with power leave, and what a conversation must remember to be shown as it once was.

create table parley.audit_log (
    id bigint generated always as identity,
    created_at timestamptz not null default clock_timestamp(),
    tenant_id uuid,
    conversation_id uuid,
    message_id uuid,
    actor_id uuid,
    target_id uuid,
    actor_role text not null,
    session_role text not null default session_user,
    action text not null,
    reason text not null,
    detail jsonb,
    -- not every action is about a conversation, so it cannot stand in the key
    constraint audit_log_pkey primary key (id),
    constraint audit_log_action_check check (action ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint audit_log_reason_check check (char_length(reason) between 1 and 1000),
    constraint audit_log_detail_check check (jsonb_typeof(detail) = 'object')
);
create index audit_log_conversation_idx on parley.audit_log (conversation_id, id) where conversation_id is not null;
create index audit_log_tenant_idx on parley.audit_log (tenant_id, id) where tenant_id is not null;
create index audit_log_actor_idx on parley.audit_log (actor_id, id) where actor_id is not null;
create index audit_log_target_idx on parley.audit_log (target_id, id) where target_id is not null;
comment on table parley.audit_log
is 'Who used a power over others'' conversations, on what, when and why. Append-only: rows go when they are older than the setting audit_retention_days, and with no conversation, message or account; they hold ids and reasons, never what was seen.';
comment on column parley.audit_log.id is 'The entry.';
comment on column parley.audit_log.created_at is 'When.';
comment on column parley.audit_log.tenant_id is 'The tenant whose office was used, or that it concerns.';
comment on column parley.audit_log.conversation_id is 'The conversation it concerns.';
comment on column parley.audit_log.message_id is 'The message it concerns.';
comment on column parley.audit_log.actor_id is 'The user who did it. Null: the application, which names its user in the reason.';
comment on column parley.audit_log.target_id is 'The user it was done to.';
comment on column parley.audit_log.actor_role is 'By what right: owner or moderator of the tenant, or the role of the token.';
comment on column parley.audit_log.session_role is 'The login of the database connection.';
comment on column parley.audit_log.action is 'The function that was called.';
comment on column parley.audit_log.reason is 'Why, in the words of whoever did it.';
comment on column parley.audit_log.detail is 'The other arguments.';

create table parley.conversation_revision (
    conversation_id uuid not null,
    event_seq bigint not null,
    revision bigint generated always as identity,
    user_id uuid,
    replaced_at timestamptz not null default clock_timestamp(),
    was jsonb not null,
    constraint conversation_revision_pkey primary key (conversation_id, event_seq, revision),
    constraint conversation_revision_conversation_fkey foreign key (conversation_id)
    references parley.conversation (id) on delete cascade,
    constraint conversation_revision_event_seq_check check (event_seq >= 1),
    constraint conversation_revision_was_check check (jsonb_typeof(was) = 'object')
);
comment on table parley.conversation_revision
is 'What a conversation''s profile, or a participant''s role, was before each change, for conversation_as_of. Goes with the conversation.';
comment on column parley.conversation_revision.conversation_id is 'The conversation.';
comment on column parley.conversation_revision.event_seq is 'The event of the change: it was so until the one before.';
comment on column parley.conversation_revision.revision is 'Order of changes that share an event.';
comment on column parley.conversation_revision.user_id is 'The participant whose role changed. Null: the profile did.';
comment on column parley.conversation_revision.replaced_at is 'When.';
comment on column parley.conversation_revision.was is 'The columns that changed, as they were.';

alter table parley.audit_log enable row level security;
alter table parley.conversation_revision enable row level security;
