-- Two catalogues, each fact once: what events there are, and what limits and entitlements. Their rows belong to the
-- release: functions/log_append/event_kinds.sql and functions/limits/limit_kinds.sql bring them up to date by every
-- installation. The rows of a deployment are those of tier_limit and tier_entitlement.

create table parley.event_kind (
    name text not null,
    audience text[] not null,
    durable boolean not null,
    payload text not null,
    since text not null,
    constraint event_kind_pkey primary key (name),
    constraint event_kind_name_check check (name ~ '^[a-z]+:[a-z_]+$'),
    constraint event_kind_audience_check
    check (cardinality(audience) > 0 and audience <@ array['conversation', 'user', 'moderators']),
    constraint event_kind_since_check check (since ~ '^\d+\.\d+\.\d+$')
);
comment on table parley.event_kind
is 'The catalogue of events. The log takes these kinds and no other; no client broadcasts under one of these names.';
comment on column parley.event_kind.name is 'The kind, as in event.kind and as clients receive it.';
comment on column parley.event_kind.audience
is 'Whom an event of this kind is for: all of a conversation, one user, the moderators of a tenant. Of two, each event has one.';
comment on column parley.event_kind.durable is 'True: rows of the log. False: the worker sends it, and it is written nowhere.';
comment on column parley.event_kind.payload
is 'What its payload carries. A durable one also has conversation_id, event_seq, actor_id and at.';
comment on column parley.event_kind.since is 'The version that brought it.';

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

-- The installation writes the rows anew that a deployment begins with, because all kinds are new to it. Meanwhile both
-- tables are empty: an index and a key take no time.
delete from parley.tier_limit;
delete from parley.tier_entitlement;
-- squawk-ignore require-concurrent-index-creation
create index tier_limit_name_idx on parley.tier_limit (name);
-- squawk-ignore require-concurrent-index-creation
create index tier_entitlement_name_idx on parley.tier_entitlement (name);
alter table parley.tier_limit
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
add constraint tier_limit_kind_fkey foreign key (name) references parley.limit_kind (name) on delete cascade;
alter table parley.tier_entitlement
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
add constraint tier_entitlement_kind_fkey foreign key (name) references parley.limit_kind (name) on delete cascade;
comment on table parley.tier_limit
is 'How much a tier may do, where that differs from the default of limit_kind. Only a null amount means unlimited.';
comment on table parley.tier_entitlement is 'What a tier may do at all. A missing row means no.';
comment on table parley.attachment_kind
is 'The kinds of attachments of this deployment. A kind is limited by max_<kind>_bytes and max_<kind>_seconds where limit_kind has them, and otherwise by max_file_bytes.';

alter table parley.event_kind enable row level security;
alter table parley.limit_kind enable row level security;
