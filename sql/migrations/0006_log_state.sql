-- What the log must remember besides its rows: which cluster wrote them, how far they have been purged, and the key
-- that signs the cursors clients hold.

create table parley.log_state (
    system_identifier bigint not null,
    floor_id bigint not null default 0,
    purged_id bigint not null default 0,
    purged_at timestamptz,
    is_the_only_row boolean not null default true,
    constraint log_state_pkey primary key (is_the_only_row),
    constraint log_state_is_one_row_check check (is_the_only_row),
    constraint log_state_floor_id_check check (floor_id >= 0),
    constraint log_state_purged_id_check check (purged_id >= 0)
) with (fillfactor = 50);
comment on table parley.log_state is 'One row: what the event log must remember besides its events.';
comment on column parley.log_state.system_identifier
is 'The cluster whose transaction ids the events above floor_id carry. Another one: the database was restored from a dump.';
comment on column parley.log_state.floor_id
is 'Events up to here came with a dump: all are committed, and their xid means nothing in this cluster.';
comment on column parley.log_state.purged_id is 'Events up to here have been purged; a cursor before it must start afresh.';
comment on column parley.log_state.purged_at is 'When the youngest event that was purged had been written. Null: none was purged.';
comment on column parley.log_state.is_the_only_row is 'Always true: there is one row.';

create table parley.secret (
    name text not null,
    value bytea not null,
    created_at timestamptz not null default now(),
    constraint secret_pkey primary key (name),
    constraint secret_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint secret_value_check check (octet_length(value) >= 32)
);
comment on table parley.secret is 'Keys made at installation. No role but the owner reads them; a dump contains them.';
comment on column parley.secret.name is 'What the key is for.';
comment on column parley.secret.value is 'The key.';
comment on column parley.secret.created_at is 'When it was made.';

alter table parley.log_state enable row level security;
alter table parley.secret enable row level security;

insert into parley.log_state (system_identifier) select system_identifier from pg_control_system();

-- 366 bits from the server's strong random source, which core PostgreSQL offers only in the form of uuids
insert into parley.secret (name, value)
select
    'cursor_key',
    sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

insert into parley.setting (name, value, description) values
(
    'event_retention_days', '90',
    'How long events are kept for replay, in days. A client away for longer loads its inbox afresh.'
);
