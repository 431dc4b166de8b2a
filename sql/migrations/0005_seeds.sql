-- The rows every deployment starts with: settings, the three tiers with their entitlements and limits, message types.
-- They belong to the deployment from then on; no upgrade overwrites them.

insert into parley.setting (name, value, description) values
('default_tier', 'free', 'Tier of an account that messaging meets for the first time. A name from parley.tier.'),
('unknown_users', 'refuse', 'What happens when someone writes to a user without an account: refuse, or create it.'),
(
    'direct_threading', 'pair_and_context',
    'Direct conversations are unique per pair (one thread for two people) or per pair_and_context (one per listing).'
),
(
    'client_app_roles', 'buyer,seller,customer,artist',
    'Application roles that users may give when they start a conversation or add somebody; the host may give any.'
);

insert into parley.tier (name, rank, description) values
('free', 1, 'May answer, but not start direct conversations.'),
('privileged', 2, 'May start conversations; half a year of history.'),
('privileged_plus', 3, 'May start conversations; a year of history.');

insert into parley.tier_entitlement (tier_name, name, granted) values
('free', 'can_initiate_direct_messages', false),
('free', 'can_create_groups', false),
('privileged', 'can_initiate_direct_messages', true),
('privileged', 'can_create_groups', true),
('privileged_plus', 'can_initiate_direct_messages', true),
('privileged_plus', 'can_create_groups', true);

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
    ('messages_per_minute', 30, 60, 120),
    ('messages_to_strangers_per_hour', 50, 3600, 50),
    ('new_conversations_per_day', 10, 86400, 10),
    ('uploads_per_hour', 50, 3600, 50),
    ('searches_per_minute', 10, 60, 10),
    ('requests_per_minute', 100, 60, 100),
    ('max_content_length', 5000, null, null),
    ('max_group_size', 256, null, null),
    ('max_file_bytes', 10485760, null, null),
    ('max_video_bytes', 104857600, null, null),
    ('edit_window_minutes', 15, null, null),
    ('delete_window_minutes', 60, null, null),
    ('max_forwards', 5, null, null)
) as l (limit_name, amount, period_seconds, burst);

insert into parley.tier_limit (tier_name, name, amount) values
('free', 'retention_days', 30),
('privileged', 'retention_days', 180),
('privileged_plus', 'retention_days', 365);

insert into parley.message_type (
    name, client_may_send, requires_content, requires_attachment, attachment_kinds, description
) values
('text', true, true, false, null, 'Plain text.'),
('image', true, false, false, '{image}', 'One or more pictures.'),
('video', true, false, false, '{video}', 'One or more videos.'),
('media', true, false, false, '{image,video}', 'Pictures and videos together.'),
('voice', true, false, true, '{voice}', 'A voice message.'),
('file', true, false, false, null, 'Documents.'),
('location', true, false, false, '{}', 'A place; its coordinates are in the metadata.'),
('system', false, true, false, '{}', 'Written by the server: member changes, settings, events of the host.');
