-- Who read what when. The horizons themselves are columns of parley.participant.

create table parley.read_marker (
    conversation_id uuid not null,
    user_id uuid not null,
    seq bigint not null,
    after_seq bigint not null,
    read_at timestamptz not null default now(),
    is_private boolean not null default false,
    constraint read_marker_pkey primary key (conversation_id, user_id, seq),
    constraint read_marker_moves_forward_check check (seq > after_seq)
);
-- the same columns as the primary key: of the two a lookup may choose from, neither is the longer way
create index read_marker_user_idx on parley.read_marker (user_id, conversation_id, seq);
comment on index parley.read_marker_user_idx is 'The receipts of one user in all their conversations.';
comment on table parley.read_marker
is 'One row per advance of a read horizon: message n was read by user u at the read_at of the marker with after_seq < n <= seq. No marker: it was sent by u, or while u was not in the conversation.';
comment on column parley.read_marker.conversation_id is 'The conversation.';
comment on column parley.read_marker.user_id is 'The reader.';
comment on column parley.read_marker.seq is 'The new read horizon.';
comment on column parley.read_marker.after_seq is 'The read horizon before. Joining again moves it without a marker, so it is not always the seq of the last one.';
comment on column parley.read_marker.read_at is 'When it got there.';
comment on column parley.read_marker.is_private
is 'True: the reader kept receipts to themselves at the time, and when it was read is for nobody else, ever. That it was read shows in the horizon once the reader shares receipts again.';

alter table parley.read_marker enable row level security;
