-- Polls, which are messages that are voted on and may close at a time.

create table parley.poll (
    conversation_id uuid not null,
    message_id uuid not null,
    multiple boolean not null,
    anonymous boolean not null,
    closes_at timestamptz,
    closed_at timestamptz,
    closed_by uuid,
    options text[] not null,
    constraint poll_pkey primary key (conversation_id, message_id),
    constraint poll_conversation_fkey foreign key (conversation_id)
    references parley.conversation (id) on delete cascade,
    constraint poll_options_check check (cardinality(options) between 2 and 12),
    constraint poll_closed_by_check check (closed_by is null or closed_at is not null)
);
create index poll_closes_idx on parley.poll (closes_at) where closed_at is null and closes_at is not null;
comment on table parley.poll
is 'The poll of a message of type poll, whose content is the question. Goes, with its votes, when the message is deleted for everyone or expires, and with the conversation.';
comment on column parley.poll.conversation_id is 'The conversation.';
comment on column parley.poll.message_id is 'The message.';
comment on column parley.poll.multiple is 'True: one may vote for more than one option.';
comment on column parley.poll.anonymous is 'True: nobody is told who voted for what.';
comment on column parley.poll.closes_at is 'No vote is taken from then on. Null: until somebody closes it.';
comment on column parley.poll.closed_at is 'Set: it is closed.';
comment on column parley.poll.closed_by is 'Who closed it. Null: its time had come.';
comment on column parley.poll.options is 'What one may vote for; an option''s id is its place, from 1.';

create table parley.poll_vote (
    conversation_id uuid not null,
    message_id uuid not null,
    user_id uuid not null,
    option_id bigint not null,
    voted_at timestamptz not null default now(),
    constraint poll_vote_pkey primary key (conversation_id, message_id, user_id, option_id),
    constraint poll_vote_poll_fkey foreign key (conversation_id, message_id)
    references parley.poll (conversation_id, message_id) on delete cascade,
    constraint poll_vote_option_id_check check (option_id between 1 and 12)
);
comment on table parley.poll_vote
is 'Votes, one row per user and option. They stay counted when the voter leaves, as what the voter said stays; an erased account keeps its votes under its anonymous name.';
comment on column parley.poll_vote.conversation_id is 'The conversation.';
comment on column parley.poll_vote.message_id is 'The poll.';
comment on column parley.poll_vote.user_id is 'Who voted; in an anonymous poll only to count everybody once.';
comment on column parley.poll_vote.option_id is 'For what.';
comment on column parley.poll_vote.voted_at is 'When.';

alter table parley.poll enable row level security;
alter table parley.poll_vote enable row level security;
