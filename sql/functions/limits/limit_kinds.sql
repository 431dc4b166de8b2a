-- The catalogue of limits and entitlements, as this release has it: its rows are brought up to date by every
-- installation. A new limit is a row here, once a function enforces it, and a probe for each door in
-- Tests/sql/limits/probes.psql.

with release (name, kind, unit, amount, period_seconds, burst, doors, meaning) as (
    values
    (
        'messages_per_minute', 'rate', 'messages', 30, 60, 120,
        '{send_message,start_conversation,forward_message,create_poll,send_due_messages}'::text[],
        'Messages that a user sends, however they are sent.'
    ),
    (
        'new_conversations_per_day', 'rate', 'new conversations', 10, 86400, 10,
        '{start_conversation,add_participants}',
        'Conversations that a user starts, contexts of the one thread of a pair, and users added who are new to them.'
    ),
    (
        'messages_to_strangers_per_hour', 'rate', 'messages', 50, 3600, 50,
        '{send_message,start_conversation,forward_message,create_poll,send_due_messages}',
        'Messages of a user where somebody has the conversation as a request of that user, or all others as one.'
    ),
    ('edits_per_minute', 'rate', 'edits', 30, 60, 60, '{edit_message}', 'Changes of messages that were sent.'),
    (
        'reactions_per_minute', 'rate', 'reactions', 120, 60, 120, '{add_reaction,remove_reaction}',
        'Reactions that a user adds or takes away.'
    ),
    (
        'settings_per_minute', 'rate', 'changes of settings', 60, 60, 120,
        '{update_participant_settings,update_conversation,set_participant_role,register_device,update_device,
        set_push_settings}',
        'Changes of a conversation, of a user''s own settings, and of roles in it.'
    ),
    (
        'devices_per_hour', 'rate', 'devices', 20, 3600, 40, '{register_device}',
        'Devices that a user registers for notifications; one that was registered already does not count.'
    ),
    (
        'requests_per_minute', 'rate', 'requests', 100, 60, 200, '{http,socket}',
        'Requests over HTTP and commands of sockets, but receipts and typing, at one worker.'
    ),
    (
        'receipts_per_minute', 'rate', 'receipts', 600, 60, 600, '{http,socket}',
        'Receipts (mark_as_read, mark_message_as_read, mark_as_delivered) and signs of typing, at one worker.'
    ),
    (
        'max_connections', 'limit', 'sockets', 100, null, null, '{socket}',
        'Open sockets of a user at one worker.'
    ),
    ('uploads_per_hour', 'rate', 'uploads', 50, 3600, 50, '{declare_attachment}', 'Files that a user declares.'),
    ('searches_per_minute', 'rate', 'searches', 10, 60, 10, '{search_messages}', 'Searches of a user.'),
    (
        'schedules_per_hour', 'rate', 'scheduled messages', 200, 3600, 200, '{schedule_message}',
        'Messages that a user schedules, whether or not they are cancelled.'
    ),
    (
        'exports_per_day', 'rate', 'exports', 5, 86400, 5, '{export_my_data,export_conversation}',
        'Exports that a user asks for.'
    ),
    ('calls_per_hour', 'rate', 'calls', 60, 3600, 30, '{start_call}', 'Calls that a user starts.'),
    (
        'turn_credentials_per_hour', 'rate', 'TURN credentials', 60, 3600, 30, '{get_turn_credentials}',
        'Credentials for TURN servers that a user gets.'
    ),
    (
        'spam_checks_per_minute', 'rate', 'checks', 5, 60, 5, '{check_spam}',
        'How often a user may ask what would become of a message.'
    ),
    (
        'new_account_hours', 'limit', 'hours', 24, null, null,
        '{send_message,start_conversation,forward_message,create_poll,edit_message,
         update_conversation,send_due_messages,check_spam}',
        'How long an account counts as new: what it sends is judged for spam, also to those who know it.'
    ),
    (
        'max_content_length', 'limit', 'characters', 5000, null, null,
        '{send_message,start_conversation,edit_message,save_draft,schedule_message,update_scheduled_message,
        create_poll,check_spam,send_due_messages}',
        'Characters in the text of a message.'
    ),
    (
        'max_attachments', 'limit', 'attachments', 10, null, null,
        '{send_message,schedule_message,update_scheduled_message,send_due_messages}', 'Attachments of a message.'
    ),
    (
        'max_file_bytes', 'limit', 'bytes', 10485760, null, null, '{declare_attachment,record_upload}',
        'Size of a file, of a kind that has no limit of its own (max_<kind>_bytes).'
    ),
    (
        'max_video_bytes', 'limit', 'bytes', 104857600, null, null, '{declare_attachment,record_upload}',
        'Size of a video.'
    ),
    (
        'max_video_seconds', 'limit', 'seconds', 300, null, null, '{declare_attachment,record_upload}',
        'Duration of a video.'
    ),
    (
        'max_group_size', 'limit', 'participants', 256, null, null, '{start_conversation,add_participants}',
        'Participants of a conversation, by the plan of the user who started it.'
    ),
    (
        'edit_window_minutes', 'limit', 'minutes', 15, null, null, '{edit_message}',
        'How long after sending it a user may edit a message.'
    ),
    (
        'delete_window_minutes', 'limit', 'minutes', 60, null, null, '{delete_message}',
        'How long after sending it a user may delete a message for everyone.'
    ),
    (
        'max_forwards', 'limit', 'forwards', 5, null, null, '{forward_message}',
        'How often a user may forward the same message.'
    ),
    (
        'max_scheduled_messages', 'limit', 'scheduled messages', 100, null, null, '{schedule_message}',
        'Messages of a user that wait to be sent.'
    ),
    (
        'request_messages', 'limit', 'messages', 5, null, null,
        '{send_message,start_conversation,forward_message,create_poll,send_due_messages}',
        'Messages that a user sends to somebody who has not answered the request.'
    ),
    (
        'max_blocked_users', 'limit', 'users', 5000, null, null, '{block_user,decline_request}',
        'Users whom a user has blocked.'
    ),
    (
        'max_restricted_users', 'limit', 'users', 5000, null, null, '{restrict_user}',
        'Users whom a user has restricted.'
    ),
    (
        'max_followed_users', 'limit', 'users', 10000, null, null, '{follow_user}', 'Users whom a user follows.'
    ),
    (
        'max_call_participants', 'limit', 'participants', 32, null, null, '{start_call,accept_call}',
        'Participants of a call, by the plan of the user who started it.'
    ),
    (
        'max_signals_per_call', 'limit', 'signals', 2000, null, null, '{signal_call}',
        'Signals that a participant sends in one call.'
    ),
    ('max_signal_bytes', 'limit', 'bytes', 16384, null, null, '{signal_call}', 'Size of one signal.'),
    (
        'retention_days', 'limit', 'days', 30, null, null,
        '{get_conversation_messages,get_conversation_media,get_pinned_messages,get_starred_messages,get_poll,
        get_message_receipts,get_message_revisions,get_user_conversations,get_unread_counts,get_events,sync,
        search_messages,send_message,forward_message,edit_message,add_reaction,remove_reaction,
        star_message,pin_message,unpin_message,vote,close_poll,schedule_message,save_draft}',
        'How far back a user sees.'
    ),
    (
        'can_initiate_direct_messages', 'entitlement', 'yes or no', null, null, null, '{start_conversation}',
        'Whether a user may start direct conversations.'
    ),
    (
        'can_create_groups', 'entitlement', 'yes or no', null, null, null, '{start_conversation,add_participants}',
        'Whether a user may start conversations of more than two, and add users who are new to them.'
    )
),

-- where the plans of a new deployment go beyond the defaults
plan (tier_name, name, amount) as (
    values
    ('privileged', 'retention_days', 180),
    ('privileged_plus', 'retention_days', 365),
    ('privileged', 'can_initiate_direct_messages', 1),
    ('privileged', 'can_create_groups', 1),
    ('privileged_plus', 'can_initiate_direct_messages', 1),
    ('privileged_plus', 'can_create_groups', 1)
),

gone as (
    delete from parley.limit_kind as k
    where k.since is not null and not exists (select from release as r where r.name = k.name)
),

written as (
    insert into parley.limit_kind as k (
        name, kind, unit, meaning, default_amount, default_period_seconds, default_burst, doors, enforced_by, since
    )
    select
        r.name,
        r.kind,
        r.unit,
        r.meaning,
        r.amount,
        r.period_seconds,
        r.burst,
        r.doors,
        case when r.doors <@ '{http,socket}' then 'worker' else 'database' end,
        case
            when r.name in (
                'messages_to_strangers_per_hour', 'edits_per_minute', 'reactions_per_minute', 'settings_per_minute',
                'devices_per_hour', 'requests_per_minute', 'receipts_per_minute', 'max_connections'
            ) then '0.3.0'
            else '0.2.0'
        end
    from release as r
    on conflict on constraint limit_kind_pkey do update
        set
            kind = excluded.kind,
            unit = excluded.unit,
            meaning = excluded.meaning,
            default_amount = excluded.default_amount,
            default_period_seconds = excluded.default_period_seconds,
            default_burst = excluded.default_burst,
            doors = excluded.doors,
            enforced_by = excluded.enforced_by,
            since = excluded.since
        where k is distinct from excluded
),

-- What is new to this deployment gets a row in each of its plans: all of a plan is there to be read and changed.
first_row as (
    select
        t.name as tier_name,
        r.name,
        r.kind,
        coalesce(p.amount, r.amount) as amount,
        r.period_seconds,
        r.burst
    from release as r
    cross join parley.tier as t
    left join plan as p on t.name = p.tier_name and r.name = p.name
    where not exists (select from parley.limit_kind as k where k.name = r.name)
),

entitlements as (
    insert into parley.tier_entitlement (tier_name, name, granted)
    select
        f.tier_name,
        f.name,
        f.amount is not null
    from first_row as f
    where f.kind = 'entitlement'
)

insert into parley.tier_limit (tier_name, name, amount, period_seconds, burst)
select
    f.tier_name,
    f.name,
    f.amount,
    f.period_seconds,
    f.burst
from first_row as f
where f.kind <> 'entitlement';
