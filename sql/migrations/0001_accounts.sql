-- Who may do what: tiers with their entitlements and limits, accounts, tenants, settings.
-- Plans are rows: a change to one of these tables is obeyed by the next statement.
-- A user is the uuid in the `sub` claim of the token. There is no foreign key to the host's user table.

create table parley.setting (
    name text not null,
    value text not null,
    description text not null,
    updated_at timestamptz not null default now(),
    constraint setting_pkey primary key (name),
    constraint setting_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$')
);
comment on table parley.setting is 'Choices of this deployment, one row each.';
comment on column parley.setting.name is 'Name used in documentation and errors.';
comment on column parley.setting.value is 'The value, as text.';
comment on column parley.setting.description is 'What it changes and which values it takes.';
comment on column parley.setting.updated_at is 'When the value was last changed.';

create table parley.tier (
    name text not null,
    rank bigint not null,
    description text not null,
    max_content_length bigint,
    send_amount bigint,
    send_period_seconds bigint,
    send_burst bigint,
    constraint tier_pkey primary key (name),
    constraint tier_rank_key unique (rank),
    constraint tier_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$')
);
comment on table parley.tier is 'Plans an account can be on.';
comment on column parley.tier.name is 'Name of the tier, as in account.tier_name.';
comment on column parley.tier.rank is 'Order of the tiers, the lowest first.';
comment on column parley.tier.description is 'One sentence for people.';
comment on column parley.tier.max_content_length
is 'What tier_limit says of max_content_length. This and the three below are copies, kept by a trigger on tier_limit: every send reads them, in the one lookup of its tier.';
comment on column parley.tier.send_amount is 'What tier_limit says of messages_per_minute: its amount. Null: no limit.';
comment on column parley.tier.send_period_seconds is 'The same: its period.';
comment on column parley.tier.send_burst is 'The same: its burst.';

create table parley.tier_entitlement (
    tier_name text not null,
    name text not null,
    granted boolean not null,
    constraint tier_entitlement_pkey primary key (tier_name, name),
    constraint tier_entitlement_tier_fkey foreign key (tier_name) references parley.tier (name)
    on update cascade on delete cascade,
    constraint tier_entitlement_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$')
);
comment on table parley.tier_entitlement is 'What a tier may do at all. A missing row means no.';
comment on column parley.tier_entitlement.tier_name is 'The tier.';
comment on column parley.tier_entitlement.name is 'The entitlement, for example can_initiate_direct_messages.';
comment on column parley.tier_entitlement.granted is 'True if the tier has it.';

create table parley.tier_limit (
    tier_name text not null,
    name text not null,
    amount bigint,
    period_seconds bigint,
    burst bigint,
    constraint tier_limit_pkey primary key (tier_name, name),
    constraint tier_limit_tier_fkey foreign key (tier_name) references parley.tier (name)
    on update cascade on delete cascade,
    constraint tier_limit_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint tier_limit_amount_check check (amount >= 0),
    constraint tier_limit_period_check check (period_seconds > 0),
    constraint tier_limit_burst_check check (burst >= 1),
    -- only a rate has a bucket
    constraint tier_limit_burst_is_of_a_rate_check check (burst is null or period_seconds is not null)
);
comment on table parley.tier_limit is 'How much a tier may do. A missing row, or a null amount, means unlimited.';
comment on column parley.tier_limit.tier_name is 'The tier.';
comment on column parley.tier_limit.name is 'The limit, for example messages_per_minute or max_content_length.';
comment on column parley.tier_limit.amount is 'The limit itself. Null: unlimited.';
comment on column parley.tier_limit.period_seconds
is 'For a rate: amount is refilled over this many seconds. Null: a plain maximum.';
comment on column parley.tier_limit.burst is 'For a rate: capacity of the token bucket. Null: equal to amount.';

create table parley.account (
    id uuid not null,
    display_name text,
    tier_name text not null,
    message_privacy text not null default 'everyone',
    read_receipts boolean not null default true,
    show_presence boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    suspended_at timestamptz,
    suspended_reason text,
    tokens_valid_after timestamptz,
    deleted_at timestamptz,
    constraint account_pkey primary key (id),
    constraint account_tier_fkey foreign key (tier_name) references parley.tier (name) on update cascade,
    constraint account_display_name_check check (char_length(display_name) between 1 and 255),
    constraint account_message_privacy_check
    check (message_privacy in ('everyone', 'friends', 'following', 'no_one')),
    constraint account_suspended_reason_check
    check (suspended_reason is null or suspended_at is not null)
);
create index account_tier_idx on parley.account (tier_name);
comment on table parley.account
is 'What messaging needs to know of a user. Never deleted, only anonymised: messages keep pointing to it.';
comment on column parley.account.id is 'The user: the sub claim of the token.';
comment on column parley.account.display_name is 'Name shown to other participants.';
comment on column parley.account.tier_name is 'The plan the user is on.';
comment on column parley.account.message_privacy is 'Who may start a conversation with the user.';
comment on column parley.account.read_receipts is 'False: other participants do not learn what the user has read.';
comment on column parley.account.show_presence is 'False: others do not see the user online.';
comment on column parley.account.created_at is 'When messaging first knew of the user.';
comment on column parley.account.updated_at is 'When any of this was last changed.';
comment on column parley.account.suspended_at is 'Set: the user may not use messaging.';
comment on column parley.account.suspended_reason is 'Why, for moderators. Never shown to other users.';
comment on column parley.account.tokens_valid_after is 'Tokens issued before this moment are refused.';
comment on column parley.account.deleted_at is 'Set: the user was erased and is shown as a deleted user.';

create table parley.tenant (
    id uuid not null default gen_random_uuid(),
    name text not null,
    created_at timestamptz not null default now(),
    constraint tenant_pkey primary key (id),
    constraint tenant_name_check check (char_length(name) between 1 and 255)
);
comment on table parley.tenant is 'A store, club or organisation whose members may message only one another.';
comment on column parley.tenant.id is 'The tenant.';
comment on column parley.tenant.name is 'Name for people.';
comment on column parley.tenant.created_at is 'When it was created.';

create table parley.tenant_member (
    tenant_id uuid not null,
    user_id uuid not null,
    role text not null default 'member',
    joined_at timestamptz not null default now(),
    constraint tenant_member_pkey primary key (tenant_id, user_id),
    constraint tenant_member_tenant_fkey foreign key (tenant_id) references parley.tenant (id) on delete cascade,
    constraint tenant_member_account_fkey foreign key (user_id) references parley.account (id),
    constraint tenant_member_role_check check (role in ('owner', 'manager', 'moderator', 'member'))
);
create index tenant_member_user_idx on parley.tenant_member (user_id, tenant_id);
comment on table parley.tenant_member is 'Membership decides the tenant boundary; nothing a client sends does.';
comment on column parley.tenant_member.tenant_id is 'The tenant.';
comment on column parley.tenant_member.user_id is 'The member.';
comment on column parley.tenant_member.role is 'owner and manager may start conversations on any tier; moderators see reports.';
comment on column parley.tenant_member.joined_at is 'When the user became a member.';

-- Unlogged: written by every rate-limited call, and a crash may refill every bucket.
create unlogged table parley.rate_bucket (
    user_id uuid not null,
    name text not null,
    tokens double precision not null,
    refilled_at timestamptz not null,
    constraint rate_bucket_pkey primary key (user_id, name)
) with (fillfactor = 50);
comment on table parley.rate_bucket is 'Token buckets, one per user and rate limit. Lost in a crash, by choice.';
comment on column parley.rate_bucket.user_id is 'Whose bucket.';
comment on column parley.rate_bucket.name is 'The limit, as in tier_limit.name.';
comment on column parley.rate_bucket.tokens is 'Tokens left at refilled_at.';
comment on column parley.rate_bucket.refilled_at is 'When tokens was computed.';

alter table parley.setting enable row level security;
alter table parley.tier enable row level security;
alter table parley.tier_entitlement enable row level security;
alter table parley.tier_limit enable row level security;
alter table parley.account enable row level security;
alter table parley.tenant enable row level security;
alter table parley.tenant_member enable row level security;
alter table parley.rate_bucket enable row level security;
