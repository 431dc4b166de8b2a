-- What each tier may do at the start, and how much of it. The deployment's own from then on, like the other seeds.

insert into parley.tier_entitlement (tier_name, name, granted) values
('free', 'can_initiate_direct_messages', false),
('free', 'can_create_groups', false),
('privileged', 'can_initiate_direct_messages', true),
('privileged', 'can_create_groups', true),
('privileged_plus', 'can_initiate_direct_messages', true),
('privileged_plus', 'can_create_groups', true);

-- the same for every tier
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
    ('schedules_per_hour', 200, 3600, 200),
    ('calls_per_hour', 60, 3600, 30),
    ('turn_credentials_per_hour', 60, 3600, 30),
    ('max_content_length', 5000, null, null),
    ('max_group_size', 256, null, null),
    ('max_attachments', 10, null, null),
    ('max_file_bytes', 10485760, null, null),
    ('max_video_bytes', 104857600, null, null),
    ('max_video_seconds', 300, null, null),
    ('edit_window_minutes', 15, null, null),
    ('delete_window_minutes', 60, null, null),
    ('max_forwards', 5, null, null),
    ('max_scheduled_messages', 100, null, null),
    ('max_call_participants', 32, null, null),
    ('max_signals_per_call', 2000, null, null),
    ('max_signal_bytes', 16384, null, null)
) as l (limit_name, amount, period_seconds, burst);

insert into parley.tier_limit (tier_name, name, amount) values
('free', 'retention_days', 30),
('privileged', 'retention_days', 180),
('privileged_plus', 'retention_days', 365);
