-- The rows every deployment starts with. They belong to the deployment from then on; no upgrade overwrites them.

insert into parley.setting (name, value, description) values
-- accounts and conversations
('default_tier', 'free', 'Tier of an account that messaging meets for the first time. A name from parley.tier.'),
('unknown_users', 'refuse', 'Writing to a user without an account: refuse it, or create the account.'),
(
    'direct_threading', 'pair_and_context',
    'Direct conversations are unique per pair (one thread for two people) or per pair_and_context (one per listing).'
),
(
    'unique_context_types', '',
    'Types of conversations, separated by commas, of which there is one per context: another start returns the first.'
),
(
    'client_app_roles', 'buyer,seller,customer,artist',
    'Application roles that users may give when they start a conversation or add somebody; the host may give any.'
),
(
    'initiating_app_roles', '',
    'Application roles (separated by commas) that may start a direct conversation, for example buyer. Empty: any.'
),
-- messages
(
    'who_can_mention_all', 'everyone',
    'The users who may mention everybody in a conversation at once: everyone in it, or admins.'
),
(
    'notices_count', 'false',
    'true: what the server says of changes (joined, left, renamed, call ended) is unread and the preview, too.'
),
('max_pinned_messages', '50', 'How many messages of a conversation can be pinned at a time.'),
(
    'search_language', 'simple',
    'Language of the message search: simple finds words as written, english (german...) also other forms of them.'
),
-- what is kept how long
(
    'event_retention_days', '90',
    'How long events are kept for replay, in days. A client away for longer loads its inbox afresh.'
),
(
    'audit_retention_days', '365',
    'How long entries of the audit log are kept, in days. Nobody can change or delete a younger one.'
),
-- calls
('call_ring_seconds', '45', 'How long a call rings before it is missed, in seconds, 5 to 600.'),
(
    'call_max_seconds', '28800',
    'The longest a call lasts, in seconds after the answer, 60 to 86400. A forgotten call ends then.'
),
('stun_urls', '', 'STUN servers for calls, separated by commas: stun:stun.example.com:3478.'),
(
    'turn_urls', '',
    'TURN servers for calls, by commas: turn:turn.example.com:3478?transport=udp. Secret: parley.set_turn_secret().'
),
(
    'turn_ttl_seconds', '43200',
    'How long TURN credentials are good, in seconds, 60 to 86400: a relay ends with them, so longer than a call.'
);

-- 366 bits from the server's strong random source, which core PostgreSQL offers only in the form of uuids
insert into parley.secret (name, value)
select
    'cursor_key',
    sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

insert into parley.tier (name, rank, description) values
('free', 1, 'May answer, but not start direct conversations.'),
('privileged', 2, 'May start conversations; half a year of history.'),
('privileged_plus', 3, 'May start conversations; a year of history.');

insert into parley.message_type (
    name, client_may_send, requires_content, requires_attachment, attachment_kinds, description
) values
('text', true, true, false, null, 'Plain text.'),
('image', true, false, false, '{image}', 'One or more pictures.'),
('images', true, false, false, '{image}', 'One or more pictures; the same as image.'),
('video', true, false, false, '{video}', 'One or more videos.'),
('media', true, false, false, '{image,video}', 'Pictures and videos together.'),
('voice', true, false, true, '{voice}', 'A voice message.'),
('file', true, false, false, null, 'Documents.'),
('location', true, false, false, '{}', 'A place; its coordinates are in the metadata.'),
(
    'encrypted', true, false, false, null,
    'Encrypted by the clients: without content, the envelope is in the metadata.'
),
('poll', false, true, false, null, 'A question to vote on; create_poll sends it.'),
('system', false, true, false, '{}', 'Written by the server: member changes, settings, events of the host.');

insert into parley.attachment_kind (name, description) values
('image', 'A picture.'),
('video', 'A video: duration_ms is required.'),
('voice', 'A voice message: duration_ms and waveform are required.'),
('audio', 'A sound file.'),
('file', 'A document.');

-- no type that a browser would run: no HTML, no SVG, no script
insert into parley.media_type (kind_name, content_type) values
('image', 'image/gif'), ('image', 'image/heic'), ('image', 'image/heif'), ('image', 'image/jpeg'),
('image', 'image/png'), ('image', 'image/webp'),
('video', 'video/mp4'), ('video', 'video/quicktime'), ('video', 'video/webm'),
('voice', 'audio/aac'), ('voice', 'audio/mp4'), ('voice', 'audio/mpeg'), ('voice', 'audio/ogg'),
('voice', 'audio/wav'), ('voice', 'audio/webm'),
('audio', 'audio/aac'), ('audio', 'audio/flac'), ('audio', 'audio/mp4'), ('audio', 'audio/mpeg'),
('audio', 'audio/ogg'), ('audio', 'audio/wav'), ('audio', 'audio/webm'),
('file', 'application/msword'), ('file', 'application/pdf'), ('file', 'application/rtf'),
('file', 'application/vnd.ms-excel'), ('file', 'application/vnd.ms-powerpoint'),
('file', 'application/vnd.oasis.opendocument.spreadsheet'), ('file', 'application/vnd.oasis.opendocument.text'),
('file', 'application/vnd.openxmlformats-officedocument.presentationml.presentation'),
('file', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'),
('file', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'),
('file', 'application/zip'), ('file', 'image/jpeg'), ('file', 'image/png'), ('file', 'text/csv'),
('file', 'text/plain');

insert into parley.log_state (system_identifier) select system_identifier from pg_control_system();

-- the first rebuilding is due
insert into parley.search_state (language, rebuild_after) values ('simple', '00000000-0000-0000-0000-000000000000');

insert into parley.job (name, period_seconds, description) values
('maintain', 60, 'Message partitions ahead of time, the purge of the log, workers that are gone.'),
('send_due_messages', 1, 'Sends scheduled messages whose time has come.'),
('purge_scheduled_messages', 3600, 'Forgets scheduled messages that were sent, cancelled or given up a month ago.'),
('settle_closings', 5, 'Membership follows accounts that were suspended, erased or opened again.'),
('expire_messages', 5, 'Removes the content of expired messages.'),
('index_messages', 1, 'Brings new, edited and deleted messages into the search index.'),
('close_due_polls', 5, 'Closes polls whose time has come.'),
('remove_orphaned_attachments', 3600, 'Forgets attachments that were declared a day ago and are part of no message.'),
('expire_calls', 2, 'Ends calls that have rung, or lasted, long enough.'),
('purge_audit_log', 3600, 'Deletes entries of the audit log that are older than audit_retention_days.');
