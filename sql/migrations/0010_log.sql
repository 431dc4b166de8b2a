-- The event log: every durable change appends one narrow row, in the transaction that makes the change. Rows carry ids
-- and small deltas, never message text: what clients receive is rendered when it is read. Also what the log must
-- remember besides its rows, and who reads it: durable consumers with their cursor, and the running workers whom the
-- doorbell wakes.

-- Its rows belong to the release: functions/log_append/event_kinds.sql brings them up to date by every installation.
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

create table parley.event (
    id bigint generated always as identity (cache 1),
    xid xid8 not null default pg_current_xact_id(),
    event_seq bigint,
    message_seq bigint,
    created_at timestamptz not null default clock_timestamp(),
    conversation_id uuid,
    user_id uuid,
    actor_id uuid,
    message_id uuid,
    kind text not null,
    data jsonb,
    constraint event_pkey primary key (id),
    constraint event_conversation_event_seq_key unique (conversation_id, event_seq)
) with (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 10000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_vacuum_cost_delay = 0
);
create index event_xid_idx on parley.event (xid);
create index event_user_idx on parley.event (user_id, id) where conversation_id is null;
comment on table parley.event
is 'Append-only log of every durable change. Read it by snapshot cursor only (read_log): id order is not commit order.';
comment on column parley.event.id
is 'Drawn after the conversation''s row lock is taken, so within one conversation id order is event_seq order. Sequence cache must be 1.';
comment on column parley.event.xid is 'The transaction that wrote it.';
comment on column parley.event.event_seq is 'Position in the conversation''s log: dense, 1, 2, 3.';
comment on column parley.event.message_seq is 'seq of the message it is about; hides it from those whose history starts later.';
comment on column parley.event.created_at is 'When it was written, under the conversation''s lock: rises with event_seq.';
comment on column parley.event.conversation_id is 'The conversation. Null: the event is for user_id alone.';
comment on column parley.event.user_id is 'Without a conversation the addressee; otherwise the user the event is about, if any.';
comment on column parley.event.actor_id is 'Who did it. Null: the system.';
comment on column parley.event.message_id is 'The message it is about.';
comment on column parley.event.kind is 'message:new, participant:left, ...';
comment on column parley.event.data is 'Small delta of this kind of event. Never message text.';

create type parley.rendered_event as (
    id bigint,
    xid xid8,
    conversation_id uuid,
    event_seq bigint,
    user_id uuid,
    kind text,
    actor_id uuid,
    message_id uuid,
    message_seq bigint,
    history_from_seq bigint,
    payload text,
    revoked uuid[], -- noqa: LT01
    created_at timestamptz
);
comment on type parley.rendered_event is 'An event as readers of the log receive it: its row, and what clients are told.';
comment on column parley.rendered_event.id is 'The event. 0: not an event, but what a replay says of itself.';
comment on column parley.rendered_event.xid is 'The transaction that wrote it.';
comment on column parley.rendered_event.conversation_id is 'Its conversation. Null: the event is of one user.';
comment on column parley.rendered_event.event_seq is 'Its position in the conversation.';
comment on column parley.rendered_event.user_id is 'Whom it is for, without a conversation; otherwise whom it is about.';
comment on column parley.rendered_event.kind is 'As in event_kind.name, or replay:gap and replay:end.';
comment on column parley.rendered_event.actor_id is 'Who did it. Null: the server.';
comment on column parley.rendered_event.message_id is 'The message it is about.';
comment on column parley.rendered_event.message_seq is 'The seq of that message.';
comment on column parley.rendered_event.history_from_seq is 'Of participant:joined: the first message the new participant sees.';
comment on column parley.rendered_event.payload is 'The JSON object clients receive, as of now.';
comment on column parley.rendered_event.revoked
is 'Users who must not be shown it any more; read_log alone looks for them.';
comment on column parley.rendered_event.created_at is 'When it was written.';

create table parley.log_state (
    system_identifier bigint not null,
    floor_id bigint not null default 0,
    purged_id bigint not null default 0,
    purged_at timestamptz,
    epoch uuid not null default gen_random_uuid(),
    epoch_at timestamptz not null default now(),
    epoch_reason text not null default 'installed',
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
comment on column parley.log_state.epoch is 'The name of the present epoch: parley.begin_epoch gives another one.';
comment on column parley.log_state.epoch_at is 'When it began.';
comment on column parley.log_state.epoch_reason is 'Why it began.';
comment on column parley.log_state.is_the_only_row is 'Always true: there is one row.';

create table parley.consumer (
    name text not null,
    snapshot pg_snapshot not null,
    max_id bigint not null,
    epoch text not null,
    updated_at timestamptz not null default now(),
    constraint consumer_pkey primary key (name),
    constraint consumer_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$')
) with (fillfactor = 50);
comment on table parley.consumer
is 'Durable readers of the log. The cursor advances in the transaction of its effect, which makes the effect happen once.';
comment on column parley.consumer.name is 'The consumer.';
comment on column parley.consumer.snapshot is 'Cursor: what was visible when the consumer last read.';
comment on column parley.consumer.max_id is 'Cursor: the highest event id it has seen.';
comment on column parley.consumer.epoch is 'The epoch of the log the cursor belongs to.';
comment on column parley.consumer.updated_at is 'When the cursor last moved.';

create table parley.worker (
    id bigint generated always as identity,
    lock_key bigint not null,
    started_at timestamptz not null default now(),
    beat_at timestamptz not null default now(),
    name text not null,
    version text not null,
    constraint worker_pkey primary key (id),
    constraint worker_lock_key_key unique (lock_key)
) with (fillfactor = 50);
comment on table parley.worker is 'Running workers. Every writer looks at each row: a worker that sleeps is woken.';
comment on column parley.worker.id is 'The worker.';
comment on column parley.worker.lock_key is 'Advisory lock the worker holds while it sleeps.';
comment on column parley.worker.started_at is 'When it started.';
comment on column parley.worker.beat_at is 'Its last sign of life; rows without one for a minute are removed.';
comment on column parley.worker.name is 'Name for people, as configured.';
comment on column parley.worker.version is 'Version of the worker.';

alter table parley.event_kind enable row level security;
alter table parley.event enable row level security;
alter table parley.log_state enable row level security;
alter table parley.consumer enable row level security;
alter table parley.worker enable row level security;
