-- Who may do what: tiers with their entitlements and limits, and how much of each rate is used up.
-- Plans are rows: a change to one of these tables is obeyed by the next statement.

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
alter table parley.tier_entitlement enable row level security;
alter table parley.tier_limit enable row level security;
alter table parley.rate_bucket enable row level security;
