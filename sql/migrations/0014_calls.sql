-- Voice and video calls: who called whom, when and how it ended, and what the devices of an open call say to one
-- another. Media go from device to device; messaging sets the call up and remembers it. The call functions have the
-- states.

create table parley.call (
    id uuid not null,
    conversation_id uuid not null,
    initiator_id uuid not null,
    client_call_id uuid,
    event_seq bigint not null,
    created_at timestamptz not null,
    due_at timestamptz,
    ring_expires_at timestamptz not null,
    answered_at timestamptz,
    ended_at timestamptz,
    duration_seconds bigint generated always as (
        case when ended_at is not null then trunc(extract(epoch from ended_at - answered_at))::bigint end
    ) stored,
    kind text not null,
    state text not null,
    outcome text,
    constraint call_pkey primary key (id, conversation_id),
    constraint call_conversation_fkey foreign key (conversation_id)
    references parley.conversation (id) on delete cascade,
    constraint call_initiator_fkey foreign key (initiator_id) references parley.account (id),
    constraint call_kind_check check (kind in ('voice', 'video')),
    constraint call_state_check check (state in ('ringing', 'active', 'ended')),
    constraint call_outcome_check
    check (outcome in ('completed', 'missed', 'declined', 'cancelled', 'busy', 'failed')),
    constraint call_ended_check
    check ((state = 'ended') = (ended_at is not null) and (state = 'ended') = (outcome is not null)),
    constraint call_open_is_due_check check ((state = 'ended') = (due_at is null)),
    constraint call_active_was_answered_check check (state <> 'active' or answered_at is not null),
    constraint call_ringing_is_not_answered_check check (state <> 'ringing' or answered_at is null),
    constraint call_answered_is_completed_check
    check (state <> 'ended' or (answered_at is not null) = (outcome in ('completed', 'failed')))
);
-- history of a conversation, the newest first; ids rise with time
create index call_conversation_idx on parley.call (conversation_id, id);
create index call_initiator_idx on parley.call (initiator_id, id);
create unique index call_open_key on parley.call (conversation_id) where ended_at is null;
create unique index call_client_call_key on parley.call (conversation_id, initiator_id, client_call_id)
where client_call_id is not null;
create index call_due_idx on parley.call (due_at) where due_at is not null;
comment on table parley.call is
'One row per call, kept as its record. At most one call of a conversation is open. Goes with its conversation; of an erased account it keeps the id.';
comment on column parley.call.id is 'The call, a UUIDv7.';
comment on column parley.call.conversation_id is 'The conversation whose participants it is among.';
comment on column parley.call.initiator_id is 'Who called.';
comment on column parley.call.client_call_id is 'Id given by the client: starting again with it returns this call.';
comment on column parley.call.event_seq is 'event_seq of its call:ring; hides it from those whose history starts later.';
comment on column parley.call.created_at is 'When it began to ring.';
comment on column parley.call.due_at is 'When expire_calls has to look at it: ringing has lasted long enough, or the call. Null: it has ended.';
comment on column parley.call.ring_expires_at is 'Until when devices ring.';
comment on column parley.call.answered_at is 'When the first one accepted. Null: nobody has.';
comment on column parley.call.ended_at is 'When it ended.';
comment on column parley.call.duration_seconds is 'From the answer to the end, in whole seconds. Null: not answered, or not ended.';
comment on column parley.call.kind is 'voice or video: what was asked for. What is sent is negotiated by the devices.';
comment on column parley.call.state is 'ringing, active (somebody accepted) or ended.';
comment on column parley.call.outcome is
'completed, failed (answered, but no connection), missed, declined, busy or cancelled. Null: it has not ended.';

create table parley.call_participant (
    conversation_id uuid not null,
    call_id uuid not null,
    user_id uuid not null,
    signals bigint not null default 0,
    joined_at timestamptz,
    left_at timestamptz,
    state text not null,
    device_id text,
    constraint call_participant_pkey primary key (conversation_id, call_id, user_id),
    constraint call_participant_call_fkey foreign key (call_id, conversation_id)
    references parley.call (id, conversation_id) on delete cascade,
    constraint call_participant_account_fkey foreign key (user_id) references parley.account (id),
    constraint call_participant_state_check
    check (state in ('ringing', 'accepted', 'declined', 'busy', 'missed', 'left')),
    constraint call_participant_device_id_check check (device_id ~ '^[A-Za-z0-9._:-]{1,64}$'),
    constraint call_participant_accepted_has_a_device_check
    check (state <> 'accepted' or (device_id is not null and joined_at is not null))
);
create index call_participant_user_idx on parley.call_participant (user_id, call_id);
comment on table parley.call_participant is
'Who was called or took part, with the one device of theirs that is in the call. Goes with its call.';
comment on column parley.call_participant.conversation_id is 'The conversation.';
comment on column parley.call_participant.call_id is 'The call.';
comment on column parley.call_participant.user_id is 'The user.';
comment on column parley.call_participant.signals is 'How many signals the user has sent in this call.';
comment on column parley.call_participant.joined_at is 'When the user accepted, the last time.';
comment on column parley.call_participant.left_at is 'When the user hung up, or the call ended for them.';
comment on column parley.call_participant.state is
'ringing, accepted (in the call), declined, busy, missed (it stopped ringing) or left.';
comment on column parley.call_participant.device_id is 'The device that answered, as it calls itself. Null: none did.';

create table parley.call_signal (
    conversation_id uuid not null,
    call_id uuid not null,
    id bigint generated always as identity,
    from_user_id uuid not null,
    to_user_id uuid not null,
    created_at timestamptz not null default now(),
    from_device_id text not null,
    to_device_id text,
    kind text not null,
    payload jsonb not null,
    constraint call_signal_pkey primary key (conversation_id, call_id, id),
    constraint call_signal_call_fkey foreign key (call_id, conversation_id)
    references parley.call (id, conversation_id) on delete cascade,
    constraint call_signal_kind_check check (kind in ('offer', 'answer', 'ice', 'renegotiate'))
);
comment on table parley.call_signal is
'Session descriptions and ICE candidates on their way between the devices of an open call; the log refers to them. They tell network addresses, so all of a call are deleted when it ends.';
comment on column parley.call_signal.conversation_id is 'The conversation.';
comment on column parley.call_signal.call_id is 'The call.';
comment on column parley.call_signal.id is 'The signal; rises in the order of one sender.';
comment on column parley.call_signal.from_user_id is 'Who sent it.';
comment on column parley.call_signal.to_user_id is 'Whom it is for.';
comment on column parley.call_signal.created_at is 'When it was sent.';
comment on column parley.call_signal.from_device_id is 'The sending device.';
comment on column parley.call_signal.to_device_id is 'The device it is for. Null: any of that user.';
comment on column parley.call_signal.kind is 'offer, answer, ice or renegotiate.';
comment on column parley.call_signal.payload is 'What the devices say; not looked into.';

alter table parley.call enable row level security;
alter table parley.call_participant enable row level security;
alter table parley.call_signal enable row level security;
