-- Feature flags: what is switched on for whom, while it is being rolled out. Takes parley.tier exclusively for a
-- moment.

create table parley.feature_flag (
    name text not null,
    state text not null default 'off',
    percentage numeric(5, 2) not null default 0,
    starts_at timestamptz,
    ends_at timestamptz,
    changed_at timestamptz not null default clock_timestamp(),
    announced_at timestamptz not null default clock_timestamp(),
    announce_after uuid,
    description text not null,
    constraint feature_flag_pkey primary key (name),
    constraint feature_flag_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint feature_flag_state_check check (state in ('off', 'on', 'some')),
    constraint feature_flag_percentage_check check (percentage between 0 and 100),
    constraint feature_flag_times_check check (ends_at > starts_at)
);
comment on table parley.feature_flag is
'Feature flags. The one that Parley itself obeys is messaging: without it nobody sends, starts or calls; reading goes on. Others are for the host and its clients.';
comment on column parley.feature_flag.name is 'The flag.';
comment on column parley.feature_flag.state
is 'off: for nobody. on: for everybody. some: for users listed in feature_flag_user, members of tenants in feature_flag_tenant, and a percentage of all.';
comment on column parley.feature_flag.percentage
is 'Of all users, by a hash of flag and user: the same users each time, and with a greater percentage those and more.';
comment on column parley.feature_flag.starts_at is 'Before that it is off. Null: it has begun.';
comment on column parley.feature_flag.ends_at is 'From then on it is off. Null: it does not end.';
comment on column parley.feature_flag.changed_at is 'When it was last changed.';
comment on column parley.feature_flag.announced_at is 'When users were last told of it.';
comment on column parley.feature_flag.announce_after is 'Users up to this one have been told of the last change. Null: all.';
comment on column parley.feature_flag.description is 'One sentence for people.';

create table parley.feature_flag_user (
    flag_name text not null,
    user_id uuid not null,
    constraint feature_flag_user_pkey primary key (flag_name, user_id),
    constraint feature_flag_user_flag_fkey foreign key (flag_name) references parley.feature_flag (name)
    on update cascade on delete cascade,
    constraint feature_flag_user_account_fkey foreign key (user_id) references parley.account (id)
);
create index feature_flag_user_user_idx on parley.feature_flag_user (user_id);
comment on table parley.feature_flag_user is 'Users for whom a flag is on, beside the percentage: testers.';
comment on column parley.feature_flag_user.flag_name is 'The flag.';
comment on column parley.feature_flag_user.user_id is 'The user.';

create table parley.feature_flag_tenant (
    flag_name text not null,
    tenant_id uuid not null,
    constraint feature_flag_tenant_pkey primary key (flag_name, tenant_id),
    constraint feature_flag_tenant_flag_fkey foreign key (flag_name) references parley.feature_flag (name)
    on update cascade on delete cascade,
    constraint feature_flag_tenant_tenant_fkey foreign key (tenant_id) references parley.tenant (id) on delete cascade
);
create index feature_flag_tenant_tenant_idx on parley.feature_flag_tenant (tenant_id);
comment on table parley.feature_flag_tenant is 'Tenants for whose members a flag is on.';
comment on column parley.feature_flag_tenant.flag_name is 'The flag.';
comment on column parley.feature_flag_tenant.tenant_id is 'The tenant.';

alter table parley.tier add column send_flagged boolean not null default false;
comment on column parley.tier.send_flagged
is 'The flag messaging is not simply on: a send, which reads this row anyway, then asks it. Kept by triggers, alike in all tiers.';

alter table parley.feature_flag enable row level security;
alter table parley.feature_flag_user enable row level security;
alter table parley.feature_flag_tenant enable row level security;

insert into parley.feature_flag (name, state, description) values
('messaging', 'on', 'The switch for messaging as a whole: off stops all sends at once, some rolls it out.');

insert into parley.job (name, period_seconds, description) values
('announce_flags', 2, 'Tells users of feature flags that were changed, or have begun or ended.');
