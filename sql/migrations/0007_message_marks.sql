-- What a user may do with a message besides reading and answering it: reacting to it, pinning it, starring it,
-- passing it on.

create table parley.reaction (
    conversation_id uuid not null,
    message_id uuid not null,
    user_id uuid not null,
    emoji text not null,
    created_at timestamptz not null default now(),
    constraint reaction_pkey primary key (conversation_id, message_id, user_id, emoji),
    constraint reaction_emoji_check check (octet_length(emoji) between 1 and 64)
);
comment on table parley.reaction is 'Emoji reactions, one row per message, user and emoji.';
comment on column parley.reaction.conversation_id is 'The conversation.';
comment on column parley.reaction.message_id is 'The message.';
comment on column parley.reaction.user_id is 'Who reacted.';
comment on column parley.reaction.emoji is 'The emoji.';
comment on column parley.reaction.created_at is 'When.';

create table parley.message_pin (
    conversation_id uuid not null,
    message_id uuid not null,
    seq bigint not null,
    pinned_at timestamptz not null default clock_timestamp(),
    pinned_by uuid,
    constraint message_pin_pkey primary key (conversation_id, message_id)
);
comment on table parley.message_pin
is 'Pinned messages, at most max_pinned_messages of a conversation. A row goes when the message is unpinned, deleted for everyone or purged, and with the conversation.';
comment on column parley.message_pin.conversation_id is 'The conversation.';
comment on column parley.message_pin.message_id is 'The message.';
comment on column parley.message_pin.seq is 'Its seq.';
comment on column parley.message_pin.pinned_at is 'When it was pinned; also in message.pinned_at.';
comment on column parley.message_pin.pinned_by is 'Who pinned it. Null: the host application, or an account that was erased.';

create table parley.message_star (
    conversation_id uuid not null,
    message_id uuid not null,
    user_id uuid not null,
    starred_at timestamptz not null default clock_timestamp(),
    constraint message_star_pkey primary key (conversation_id, message_id, user_id)
);
create index message_star_user_idx on parley.message_star (user_id, starred_at, message_id);
comment on table parley.message_star
is 'Messages a user has starred, for nobody else to know. A row goes when the message is unstarred, hidden, deleted for everyone or purged, and with the account.';
comment on column parley.message_star.conversation_id is 'The conversation.';
comment on column parley.message_star.message_id is 'The message.';
comment on column parley.message_star.user_id is 'Whose star it is.';
comment on column parley.message_star.starred_at is 'When it was starred.';

create table parley.message_forward (
    conversation_id uuid not null,
    message_id uuid not null,
    user_id uuid not null,
    forward_count bigint not null default 0,
    constraint message_forward_pkey primary key (conversation_id, message_id, user_id),
    constraint message_forward_forward_count_check check (forward_count >= 0)
);
comment on table parley.message_forward
is 'How often a user has passed on a message, for the limit and for what the message tells. A row goes when the message is purged, and with the account.';
comment on column parley.message_forward.conversation_id is 'The conversation of the message.';
comment on column parley.message_forward.message_id is 'The message that was passed on.';
comment on column parley.message_forward.user_id is 'Who passed it on.';
comment on column parley.message_forward.forward_count is 'To how many conversations so far.';

alter table parley.reaction enable row level security;
alter table parley.message_pin enable row level security;
alter table parley.message_star enable row level security;
alter table parley.message_forward enable row level security;
