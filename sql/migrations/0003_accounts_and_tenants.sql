-- Who there is. A user is the uuid in the `sub` claim of the token. There is no foreign key to the host's user table.

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

create table parley.account_closing (
    user_id uuid not null,
    changed_at timestamptz not null default clock_timestamp(),
    looked_at timestamptz,
    constraint account_closing_pkey primary key (user_id),
    constraint account_closing_account_fkey foreign key (user_id) references parley.account (id) on delete cascade
);
create index account_closing_changed_idx on parley.account_closing (changed_at);
create index account_closing_looked_idx on parley.account_closing (looked_at nulls first);
comment on table parley.account_closing
is 'Accounts that were suspended, erased or opened again a short while ago: the job settle_closings looks after their conversations.';
comment on column parley.account_closing.user_id is 'The account.';
comment on column parley.account_closing.changed_at is 'When that was.';
comment on column parley.account_closing.looked_at is 'When the job last looked. Null: not yet.';

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

alter table parley.account enable row level security;
alter table parley.account_closing enable row level security;
alter table parley.tenant enable row level security;
alter table parley.tenant_member enable row level security;
