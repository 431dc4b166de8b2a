-- Who may do what: tiers with their entitlements and limits, and how much of each rate is used up.
-- Plans are rows: a change to one of these tables is obeyed by the next statement. The rows of limit_kind belong to the
-- release: functions/limits/limit_kinds.sql brings them up to date by every installation, and gives a new kind its
-- first rows in tier_limit and tier_entitlement, which belong to the deployment.

create table parley.tier (
    name text not null,
    rank bigint not null,
    description text not null,
    max_content_length bigint,
    send_amount bigint,
    send_period_seconds bigint,
    send_burst bigint,
    partitions_from timestamptz,
    partitions_until timestamptz,
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
comment on column parley.tier.partitions_from
is 'From here to partitions_until parley.message has its partitions. ensure_partitions writes both into every tier, where a send reads them at no cost. Null: not known, so the send looks.';
comment on column parley.tier.partitions_until is 'The end of the last month that has its partition.';

create table parley.limit_kind (
    name text not null,
    kind text not null,
    unit text not null,
    meaning text not null,
    default_amount bigint,
    default_period_seconds bigint,
    default_burst bigint,
    doors text[] not null,
    since text,
    constraint limit_kind_pkey primary key (name),
    constraint limit_kind_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint limit_kind_kind_check check (kind in ('limit', 'rate', 'entitlement')),
    constraint limit_kind_amount_check check (default_amount >= 0),
    constraint limit_kind_period_check
    check (default_period_seconds > 0 and (kind = 'rate') = (default_period_seconds is not null)),
    constraint limit_kind_burst_check check (default_burst >= 1 and (default_burst is null or kind = 'rate')),
    constraint limit_kind_entitlement_check check (kind <> 'entitlement' or default_amount is null),
    constraint limit_kind_since_check check (since ~ '^\d+\.\d+\.\d+$')
);
comment on table parley.limit_kind
is 'The catalogue of limits and entitlements. What it does not name is an error; what a tier does not say has the default here.';
comment on column parley.limit_kind.name is 'As in tier_limit.name or tier_entitlement.name.';
comment on column parley.limit_kind.kind
is 'limit: a plain maximum. rate: so many in a period, from a token bucket. entitlement: yes or no, by default no.';
comment on column parley.limit_kind.unit is 'What the amount counts: messages, bytes, minutes.';
comment on column parley.limit_kind.meaning is 'What it limits, or what it allows.';
comment on column parley.limit_kind.default_amount
is 'The amount for a tier without a row. Null: unlimited; for an entitlement always null.';
comment on column parley.limit_kind.default_period_seconds
is 'For a rate: its period, for a tier without a row or whose row has none.';
comment on column parley.limit_kind.default_burst is 'For a rate: its burst, for a tier without a row. Null: equal to the amount.';
comment on column parley.limit_kind.doors
is 'The functions that enforce it: those of parley_api, and jobs. A test tries each of them.';
comment on column parley.limit_kind.since is 'The version that brought it. Null: a kind of this deployment; installations leave it alone.';

create table parley.tier_entitlement (
    tier_name text not null,
    name text not null,
    granted boolean not null,
    constraint tier_entitlement_pkey primary key (tier_name, name),
    constraint tier_entitlement_tier_fkey foreign key (tier_name) references parley.tier (name)
    on update cascade on delete cascade,
    constraint tier_entitlement_kind_fkey foreign key (name) references parley.limit_kind (name) on delete cascade,
    constraint tier_entitlement_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$')
);
-- for the keys, when a kind goes
create index tier_entitlement_name_idx on parley.tier_entitlement (name);
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
    constraint tier_limit_kind_fkey foreign key (name) references parley.limit_kind (name) on delete cascade,
    constraint tier_limit_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint tier_limit_amount_check check (amount >= 0),
    constraint tier_limit_period_check check (period_seconds > 0),
    constraint tier_limit_burst_check check (burst >= 1),
    -- only a rate has a bucket
    constraint tier_limit_burst_is_of_a_rate_check check (burst is null or period_seconds is not null)
);
create index tier_limit_name_idx on parley.tier_limit (name);
comment on table parley.tier_limit
is 'How much a tier may do, where that differs from the default of limit_kind. Only a null amount means unlimited.';
comment on column parley.tier_limit.tier_name is 'The tier.';
comment on column parley.tier_limit.name is 'The limit, for example messages_per_minute or max_content_length.';
comment on column parley.tier_limit.amount is 'The limit itself. Null: unlimited.';
comment on column parley.tier_limit.period_seconds
is 'For a rate: amount is refilled over this many seconds. Null: a plain maximum.';
comment on column parley.tier_limit.burst is 'For a rate: capacity of the token bucket. Null: equal to amount.';

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

alter table parley.tier enable row level security;
alter table parley.limit_kind enable row level security;
alter table parley.tier_entitlement enable row level security;
alter table parley.tier_limit enable row level security;
alter table parley.rate_bucket enable row level security;
