-- Who may reach whom: whom a user follows, has blocked or restricted, and requests of strangers with their answers.

-- The other user of these three has no foreign key: whether there is such a user is not told.
create table parley.follow (
    follower_id uuid not null,
    followed_id uuid not null,
    created_at timestamptz not null default now(),
    constraint follow_pkey primary key (follower_id, followed_id),
    constraint follow_follower_fkey foreign key (follower_id) references parley.account (id) on delete cascade,
    constraint follow_is_of_another_check check (follower_id <> followed_id)
);
create index follow_followed_idx on parley.follow (followed_id, follower_id);
comment on table parley.follow
is 'Who follows whom, unless the setting follow_function names a function of the host that knows.';
comment on column parley.follow.follower_id is 'Who follows.';
comment on column parley.follow.followed_id is 'Whom.';
comment on column parley.follow.created_at is 'Since when.';

create table parley.block (
    blocker_id uuid not null,
    blocked_id uuid not null,
    created_at timestamptz not null default now(),
    constraint block_pkey primary key (blocker_id, blocked_id),
    constraint block_blocker_fkey foreign key (blocker_id) references parley.account (id) on delete cascade,
    constraint block_is_of_another_check check (blocker_id <> blocked_id)
);
create index block_blocked_idx on parley.block (blocked_id, blocker_id);
comment on table parley.block is 'Who has blocked whom. Nobody but the blocker learns of it.';
comment on column parley.block.blocker_id is 'Who wants to hear no more.';
comment on column parley.block.blocked_id is 'Of whom.';
comment on column parley.block.created_at is 'Since when.';

create table parley.restriction (
    restricter_id uuid not null,
    restricted_id uuid not null,
    created_at timestamptz not null default now(),
    constraint restriction_pkey primary key (restricter_id, restricted_id),
    constraint restriction_restricter_fkey foreign key (restricter_id) references parley.account (id)
    on delete cascade,
    constraint restriction_is_of_another_check check (restricter_id <> restricted_id)
);
create index restriction_restricted_idx on parley.restriction (restricted_id, restricter_id);
comment on table parley.restriction
is 'Whose messages land in the requests of whom. Nobody but the one who restricts learns of it.';
comment on column parley.restriction.restricter_id is 'Who keeps the other at a distance.';
comment on column parley.restriction.restricted_id is 'The other.';
comment on column parley.restriction.created_at is 'Since when.';

create table parley.message_request (
    conversation_id uuid not null,
    recipient_id uuid not null,
    sender_id uuid not null,
    sent_count bigint not null default 0,
    created_at timestamptz not null default clock_timestamp(),
    answered_at timestamptz,
    status text not null default 'pending',
    purged boolean not null default false,
    constraint message_request_pkey primary key (conversation_id, recipient_id),
    constraint message_request_recipient_fkey foreign key (recipient_id) references parley.account (id),
    constraint message_request_sender_fkey foreign key (sender_id) references parley.account (id),
    constraint message_request_status_check check (status in ('pending', 'accepted', 'declined', 'expired')),
    constraint message_request_answered_at_check check ((status = 'pending') = (answered_at is null)),
    constraint message_request_sent_count_check check (sent_count >= 0)
);
create index message_request_recipient_idx on parley.message_request (recipient_id, status, created_at);
create index message_request_pair_idx on parley.message_request (sender_id, recipient_id);
create index message_request_pending_idx on parley.message_request (created_at) where status = 'pending';
create index message_request_purged_idx on parley.message_request (answered_at) where purged;
comment on table parley.message_request
is 'What a stranger asks for by writing: one row for each recipient of a conversation. Goes with the conversation, unless it was declined.';
comment on column parley.message_request.conversation_id is 'The conversation.';
comment on column parley.message_request.recipient_id is 'Who finds it among the requests.';
comment on column parley.message_request.sender_id is 'The stranger.';
comment on column parley.message_request.sent_count is 'Messages of the stranger since it was made: request_messages bounds them.';
comment on column parley.message_request.created_at is 'When it was made, or made anew.';
comment on column parley.message_request.answered_at is 'When it was accepted, declined or expired. Null: it is pending.';
comment on column parley.message_request.purged
is 'True: the conversation is gone, and the decline is kept for request_decline_days.';
comment on column parley.message_request.status
is 'pending, accepted, declined or expired. For request_decline_days after a decline the sender is as blocked.';

alter table parley.participant add column shown_read_seq bigint;
comment on column parley.participant.shown_read_seq
is 'Set while the participant blocks the other of a direct conversation: what the other sees instead of last_read_seq.';
alter table parley.participant add column quiet_since timestamptz;
comment on column parley.participant.quiet_since
is 'Set: all that came to the direct conversation since has been hidden from the participant, whose inbox shows this as its last activity.';
alter table parley.message_hidden add column suppressed boolean not null default false;
comment on column parley.message_hidden.suppressed
is 'True: the user had blocked or declined the sender when it was sent. Nothing brings it back.';
-- whom a message never reached, to be asked without knowing whom; few rows, of a table that is small itself
-- squawk-ignore require-concurrent-index-creation
create index message_hidden_suppressed_idx on parley.message_hidden (conversation_id, seq) where suppressed;

alter table parley.follow enable row level security;
alter table parley.block enable row level security;
alter table parley.restriction enable row level security;
alter table parley.message_request enable row level security;

insert into parley.setting (name, value, description) values
(
    'stranger_messages', 'inbox',
    'Where messages of strangers land: inbox, or requests, apart from the inbox and unseen until they are accepted.'
),
(
    'followers_reach_inbox', 'true',
    'With stranger_messages = requests: true lets whoever follows a user reach the inbox of that user.'
),
(
    'follow_function', '',
    'A function of the host, schema.name(follower uuid, followed uuid) returns boolean. Empty: the table parley.follow.'
),
('request_expiry_days', '30', 'After how many days a request that nobody answered expires, 1 to 3650.'),
(
    'request_decline_days', '30',
    'For how many days after a decline the sender is as blocked, 1 to 3650.'
);

insert into parley.job (name, period_seconds, description) values
('expire_requests', 600, 'Puts away requests of strangers that nobody has answered for request_expiry_days.');
