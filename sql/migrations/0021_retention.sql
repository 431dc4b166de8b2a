-- Retention: how long what is kept, what must not go, and the log of what went. Takes parley.message and
-- parley.attachment exclusively for a moment; nothing is rewritten or read.

alter table parley.message add column retired_at timestamptz;
comment on column parley.message.retired_at
is 'Since when no window reaches it: content kept, shown to nobody. Taken back where a window grows; purged after the grace period.';
-- a partition there is has the column, and is told what it means; one that is made later copies it
do $$
declare
    v_partition regclass;
begin
    for v_partition in
        select i.inhrelid::regclass from pg_catalog.pg_inherits as i where i.inhparent = 'parley.message'::regclass
    loop
        execute format(
            'comment on column %s.retired_at is %L',
            v_partition,
            (
                select pg_catalog.col_description(a.attrelid, a.attnum)
                from pg_catalog.pg_attribute as a
                where a.attrelid = 'parley.message'::regclass and a.attname = 'retired_at'
            )
        );
    end loop;
end;
$$;

alter table parley.attachment add column retired_at timestamptz;
comment on column parley.attachment.retired_at is 'What its message says.';

create table parley.retention_policy (
    id bigint generated always as identity,
    visible_days bigint,
    grace_days bigint,
    tenant_id uuid,
    conversation_id uuid,
    created_at timestamptz not null default now(),
    conversation_type text,
    description text not null,
    constraint retention_policy_pkey primary key (id),
    constraint retention_policy_scope_key
    unique nulls not distinct (tenant_id, conversation_type, conversation_id),
    constraint retention_policy_tenant_fkey foreign key (tenant_id) references parley.tenant (id) on delete cascade,
    constraint retention_policy_conversation_fkey foreign key (conversation_id)
    references parley.conversation (id) on delete cascade,
    constraint retention_policy_visible_days_check check (visible_days between 0 and 36500),
    constraint retention_policy_grace_days_check check (grace_days between 0 and 36500),
    constraint retention_policy_says_something_check check (num_nonnulls(visible_days, grace_days) > 0),
    constraint retention_policy_description_check check (char_length(description) between 1 and 1000)
);
create index retention_policy_conversation_idx on parley.retention_policy (conversation_id);
comment on table parley.retention_policy is
'How long messages are kept, beside what the plans say (tier_limit, retention_days). A row counts where all it names applies: a conversation, a type, a tenant, or everything. Of two that say something the more exact one counts: conversation, then type, then tenant.';
comment on column parley.retention_policy.id is 'The policy.';
comment on column parley.retention_policy.visible_days
is 'Nobody sees messages that are older, also where a plan reaches further. Null: the plans decide.';
comment on column parley.retention_policy.grace_days
is 'How long a retired message is kept before it is purged. Null: the setting retention_grace_days.';
comment on column parley.retention_policy.tenant_id is 'Conversations of this tenant. Null: of any, and of none.';
comment on column parley.retention_policy.conversation_id is 'This conversation. Null: all.';
comment on column parley.retention_policy.created_at is 'When it was made.';
comment on column parley.retention_policy.conversation_type is 'Conversations of this type. Null: of any.';
comment on column parley.retention_policy.description is 'Why, for people.';

create table parley.conversation_retention (
    conversation_id uuid not null,
    retired_seq bigint not null default 0,
    purged_seq bigint not null default 0,
    swept_seq bigint not null default 0,
    left_tier_name text,
    constraint conversation_retention_pkey primary key (conversation_id),
    constraint conversation_retention_conversation_fkey foreign key (conversation_id)
    references parley.conversation (id) on delete cascade
) with (fillfactor = 70);
comment on table parley.conversation_retention
is 'How far retention has got in a conversation. No row: nothing of it was ever retired.';
comment on column parley.conversation_retention.conversation_id is 'The conversation.';
comment on column parley.conversation_retention.retired_seq
is 'Every message up to this one is retired or purged; counts by seq begin after it.';
comment on column parley.conversation_retention.purged_seq is 'The highest seq that was purged.';
comment on column parley.conversation_retention.swept_seq
is 'What hangs on ranges of seq (receipts, events) went with the messages up to here.';
comment on column parley.conversation_retention.left_tier_name
is 'Nobody is left: the plan with the longest window among those who were the last to leave, as it was found then.';

create table parley.hold (
    id uuid not null,
    target_id uuid not null,
    placed_by uuid,
    released_by uuid,
    placed_at timestamptz not null default clock_timestamp(),
    released_at timestamptz,
    kind text not null,
    reason text not null,
    constraint hold_pkey primary key (id),
    constraint hold_kind_check check (kind in ('user', 'conversation', 'tenant')),
    constraint hold_reason_check check (char_length(reason) between 1 and 1000),
    constraint hold_released_check check (released_by is null or released_at is not null)
);
create unique index hold_target_key on parley.hold (kind, target_id) where released_at is null;
create index hold_target_idx on parley.hold (target_id);
comment on table parley.hold
is 'What must not go, whatever else says so: all conversations of a user, one conversation, or a tenant. Made by place_hold, ended by release_hold.';
comment on column parley.hold.id is 'The hold, a UUIDv7.';
comment on column parley.hold.target_id is 'The user, conversation or tenant.';
comment on column parley.hold.placed_by is 'The user who placed it. Null: the application or the DBA.';
comment on column parley.hold.released_by is 'The user who ended it.';
comment on column parley.hold.placed_at is 'Since when.';
comment on column parley.hold.released_at is 'Until when. Null: it holds.';
comment on column parley.hold.kind is 'user: every conversation the user is or was in. conversation. tenant: every conversation of it.';
comment on column parley.hold.reason is 'Why, for people; also in the audit log.';

create table parley.retention_run (
    id bigint generated always as identity,
    as_of timestamptz not null,
    started_at timestamptz not null default clock_timestamp(),
    stepped_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    after_conversation_id uuid not null default '00000000-0000-0000-0000-000000000000',
    steps bigint not null default 0,
    retired bigint not null default 0,
    returned bigint not null default 0,
    purged bigint not null default 0,
    purged_bytes bigint not null default 0,
    files bigint not null default 0,
    checksum bigint not null default 0,
    constraint retention_run_pkey primary key (id)
) with (fillfactor = 50);
create unique index retention_run_open_key on parley.retention_run ((ended_at is null)) where ended_at is null;
comment on table parley.retention_run
is 'The log of retention: what each pass over all conversations retired, took back and purged. It proves what went, and holds no ids.';
comment on column parley.retention_run.id is 'The pass.';
comment on column parley.retention_run.as_of is 'The moment it decides by.';
comment on column parley.retention_run.started_at is 'When it began.';
comment on column parley.retention_run.stepped_at is 'When its last step ended.';
comment on column parley.retention_run.ended_at is 'When it was through. Null: it goes on with the next step.';
comment on column parley.retention_run.after_conversation_id is 'It is through with the conversations up to this one.';
comment on column parley.retention_run.steps is 'Transactions so far.';
comment on column parley.retention_run.retired is 'Messages it retired.';
comment on column parley.retention_run.returned is 'Messages it took back because a window grew.';
comment on column parley.retention_run.purged is 'Messages it deleted.';
comment on column parley.retention_run.purged_bytes is 'Their size as rows.';
comment on column parley.retention_run.files is 'Attachments that went with them.';
comment on column parley.retention_run.checksum
is 'Of the ids that were purged, in any order: bit_xor(hashtextextended(id::text, 0)). retention_preview tells it before.';

create table parley.purged_key (
    conversation_id uuid not null,
    sender_id uuid not null,
    client_message_id uuid not null,
    delete_after timestamptz not null,
    constraint purged_key_pkey primary key (conversation_id, sender_id, client_message_id)
);
create index purged_key_delete_after_idx on parley.purged_key (delete_after);
comment on table parley.purged_key
is 'Keys in message_key whose message was purged before they may go: a send that is repeated within 90 days is told so.';
comment on column parley.purged_key.conversation_id is 'The conversation.';
comment on column parley.purged_key.sender_id is 'The sender.';
comment on column parley.purged_key.client_message_id is 'The client''s id.';
comment on column parley.purged_key.delete_after is 'From then on the key goes.';

create table parley.window_growth (
    user_id uuid not null,
    changed_at timestamptz not null default clock_timestamp(),
    after_conversation_id uuid not null default '00000000-0000-0000-0000-000000000000',
    constraint window_growth_pkey primary key (user_id)
);
create index window_growth_changed_idx on parley.window_growth (changed_at);
comment on table parley.window_growth
is 'Users whose plan has changed: the job return_messages brings back what their windows reach again.';
comment on column parley.window_growth.user_id is 'The user.';
comment on column parley.window_growth.changed_at is 'When the plan changed.';
comment on column parley.window_growth.after_conversation_id is 'The job is through with the conversations up to this one.';

alter table parley.window_growth enable row level security;
alter table parley.retention_policy enable row level security;
alter table parley.conversation_retention enable row level security;
alter table parley.hold enable row level security;
alter table parley.retention_run enable row level security;
alter table parley.purged_key enable row level security;

insert into parley.setting (name, value, description) values
(
    'retention_grace_days', '30',
    'How many days a message that nobody sees any more is kept before it is purged, so that an upgrade brings it back.'
);

insert into parley.job (name, period_seconds, description) values
('return_messages', 1, 'Takes back retired messages that a better plan reaches again.'),
('retain_messages', 3600, 'Retires messages no window reaches, and purges them after the grace period.');
