-- Work that must happen at a time: the jobs and when each is due next, messages to be sent later, polls that close.

create table parley.job (
    name text not null,
    period_seconds bigint not null,
    enabled boolean not null default true,
    next_run_at timestamptz not null default now(),
    last_run_at timestamptz,
    last_ok_at timestamptz,
    last_error_at timestamptz,
    last_error_code text,
    failures bigint not null default 0,
    description text not null,
    constraint job_pkey primary key (name),
    constraint job_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint job_period_seconds_check check (period_seconds between 1 and 2678400),
    constraint job_failures_check check (failures >= 0)
) with (fillfactor = 50);
comment on table parley.job
is 'Work done again and again by whoever calls run_job: the workers, or pg_cron. A job is a row and the function parley.<name>() it names.';
comment on column parley.job.name
is 'The function of schema parley: without arguments, bounded, returns true if there is more to do at once.';
comment on column parley.job.period_seconds is 'How long after a run that left nothing to do the next one is due.';
comment on column parley.job.enabled is 'False: it is not run.';
comment on column parley.job.next_run_at is 'From then on it is due. In the past for long: nobody runs the jobs.';
comment on column parley.job.last_run_at is 'When the last run ended, well or not.';
comment on column parley.job.last_ok_at is 'When the last run that did not fail ended.';
comment on column parley.job.last_error_at is 'When the last run that failed ended.';
comment on column parley.job.last_error_code is 'SQLSTATE of that failure. Never its text, which may quote a row.';
comment on column parley.job.failures is 'Failures since the last run that went well; each doubles the wait for the next.';
comment on column parley.job.description is 'One sentence for people.';

create table parley.scheduled_message (
    id uuid not null,
    conversation_id uuid not null,
    sender_id uuid not null,
    client_message_id uuid not null,
    request_hash bytea not null,
    send_at timestamptz not null,
    time_zone text,
    attempt_at timestamptz not null,
    attempts bigint not null default 0,
    status text not null default 'pending',
    error_code text,
    message_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    finished_at timestamptz,
    mentions_all boolean not null default false,
    type text not null,
    content text,
    metadata jsonb,
    mentions uuid[],
    reply_to_id uuid,
    attachment_ids uuid[],
    expires_in interval,
    constraint scheduled_message_pkey primary key (id, conversation_id),
    constraint scheduled_message_conversation_fkey foreign key (conversation_id)
    references parley.conversation (id) on delete cascade,
    constraint scheduled_message_client_message_id_key unique (conversation_id, sender_id, client_message_id),
    constraint scheduled_message_status_check check (status in ('pending', 'sent', 'cancelled', 'failed')),
    constraint scheduled_message_finished_check check ((status = 'pending') = (finished_at is null)),
    constraint scheduled_message_error_code_check check ((error_code is null) or status in ('pending', 'failed')),
    constraint scheduled_message_message_id_check check ((message_id is not null) = (status = 'sent')),
    constraint scheduled_message_has_no_copy_check
    check (status not in ('sent', 'cancelled') or (content is null and metadata is null))
);
create index scheduled_message_due_idx on parley.scheduled_message (attempt_at, send_at, created_at)
where status = 'pending';
create index scheduled_message_sender_idx on parley.scheduled_message (sender_id, status, send_at, id);
create index scheduled_message_finished_idx on parley.scheduled_message (finished_at) where finished_at is not null;
comment on table parley.scheduled_message
is 'Messages to be sent later. Nobody but the author sees one. What was sent or cancelled keeps no text here, and the row goes a month later; with the account or the conversation all of it goes.';
comment on column parley.scheduled_message.id is 'The scheduled message; the message it becomes has another id.';
comment on column parley.scheduled_message.conversation_id is 'Where it will be sent.';
comment on column parley.scheduled_message.sender_id is 'The author.';
comment on column parley.scheduled_message.client_message_id
is 'Sent with it: the send happens once, and scheduling again with the same id returns this row.';
comment on column parley.scheduled_message.request_hash
is 'Fingerprint of what was asked: the same client_message_id with another request is a conflict.';
comment on column parley.scheduled_message.send_at is 'When it is to be sent.';
comment on column parley.scheduled_message.time_zone
is 'The zone whose clock the author set it by, as in pg_timezone_names. Null: it was a moment.';
comment on column parley.scheduled_message.attempt_at
is 'When it is tried next: send_at, or later after a failure that may pass.';
comment on column parley.scheduled_message.attempts is 'Tries that failed so far.';
comment on column parley.scheduled_message.status is 'pending, sent, cancelled or failed.';
comment on column parley.scheduled_message.error_code is 'SQLSTATE of the last failed try, the reason if the status is failed.';
comment on column parley.scheduled_message.message_id is 'The message it became.';
comment on column parley.scheduled_message.created_at is 'When it was scheduled.';
comment on column parley.scheduled_message.updated_at is 'When the author last changed it.';
comment on column parley.scheduled_message.finished_at is 'When it was sent or cancelled, or given up.';
comment on column parley.scheduled_message.type is 'As in message_type.name.';
comment on column parley.scheduled_message.content is 'The text.';
comment on column parley.scheduled_message.metadata is 'Free JSON object of the client.';
comment on column parley.scheduled_message.mentions is 'Participants named in it.';
comment on column parley.scheduled_message.mentions_all is 'True: it mentions everybody.';
comment on column parley.scheduled_message.reply_to_id is 'The message it will answer.';
comment on column parley.scheduled_message.attachment_ids is 'Attachments it will carry.';
comment on column parley.scheduled_message.expires_in is 'How long after the sending it expires.';

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

alter table parley.job enable row level security;
alter table parley.scheduled_message enable row level security;
alter table parley.poll enable row level security;
alter table parley.poll_vote enable row level security;

insert into parley.job (name, period_seconds, description) values
('maintain', 60, 'Message partitions ahead of time, the purge of the log, workers that are gone.'),
('send_due_messages', 1, 'Sends scheduled messages whose time has come.'),
('expire_messages', 5, 'Removes what expired messages said.'),
('close_due_polls', 5, 'Closes polls whose time has come.'),
('remove_orphaned_attachments', 3600, 'Forgets attachments that were declared a day ago and are part of no message.'),
('purge_scheduled_messages', 3600, 'Forgets scheduled messages that were sent, cancelled or given up a month ago.');

insert into parley.message_type (name, client_may_send, requires_content, description) values
('poll', false, true, 'A question to vote on; create_poll sends it.');

insert into parley.tier_limit (tier_name, name, amount, period_seconds, burst)
select
    tier.name,
    l.limit_name,
    l.amount,
    l.period_seconds,
    l.burst
from parley.tier
cross join (
    values
    ('max_scheduled_messages', 100, null, null),
    ('schedules_per_hour', 200, 3600, 200)
) as l (limit_name, amount, period_seconds, burst);
