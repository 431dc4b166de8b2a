-- Push: the devices of users, what they want to be told, and the queue of notifications. New tables only; takes
-- parley.setting and parley.job for a moment.

create table parley.push_device (
    id uuid not null,
    -- null: a webhook of the host, told of every user
    user_id uuid,
    registered_at timestamptz not null default clock_timestamp(),
    dropped_at timestamptz,
    enabled boolean not null default true,
    last_badge bigint,
    provider text not null,
    kind text not null,
    environment text not null,
    app_id text not null,
    route text not null,
    platform text,
    session_id text,
    locale text,
    name text,
    privacy text,
    dropped_reason text,
    token_hash bytea not null,
    token text,
    token_sealed bytea,
    keys jsonb,
    constraint push_device_pkey primary key (id),
    constraint push_device_token_key unique (token_hash),
    constraint push_device_account_fkey foreign key (user_id) references parley.account (id) on delete cascade,
    constraint push_device_provider_check check (provider in ('apns', 'fcm', 'webpush', 'webhook')),
    constraint push_device_kind_check check (
        kind = 'alert' and provider <> 'fcm' or kind = 'voip' and provider = 'apns'
        or kind in ('token', 'fid') and provider = 'fcm'
    ),
    constraint push_device_environment_check check (environment in ('production', 'sandbox')),
    constraint push_device_privacy_check check (privacy in ('full', 'sender', 'id')),
    constraint push_device_dropped_check check ((dropped_at is null) = (dropped_reason is null)),
    constraint push_device_token_check check (
        num_nonnulls(token, token_sealed) = case when dropped_at is null then 1 else 0 end
        and (keys is null or token is not null)
    ),
    constraint push_device_everybody_check check (user_id is not null or provider = 'webhook')
) with (fillfactor = 80);
create index push_device_user_idx on parley.push_device (user_id, dropped_at) where user_id is not null;
create index push_device_everybody_idx on parley.push_device (provider) where user_id is null;
create index push_device_dropped_idx on parley.push_device (dropped_at) where dropped_at is not null;
comment on table parley.push_device is
'Where users are reached who are not connected. A device that was dropped keeps its row, without its token, for 30 days, so that its app can be told; of a user the last 20.';
comment on column parley.push_device.id is 'The device; another one when it is handed over to another user.';
comment on column parley.push_device.user_id is 'Whose it is. Null: a webhook of the host that is told of every user.';
comment on column parley.push_device.registered_at
is 'When it last gave its token: what a provider says of an older one does not count.';
comment on column parley.push_device.dropped_at is 'Set: it is not sent to any more.';
comment on column parley.push_device.enabled is 'False: its user wants nothing on it.';
comment on column parley.push_device.last_badge is 'The number its icon was last told to show. -1: one that nobody knows, for its app has registered again since. Null: none ever.';
comment on column parley.push_device.provider is 'apns, fcm, webpush or webhook.';
comment on column parley.push_device.kind is 'Of apns alert or voip, of fcm token or fid, else alert.';
comment on column parley.push_device.environment is 'production, or sandbox: of apns, which environment made the token.';
comment on column parley.push_device.app_id is 'The app its token belongs to: a name among the credentials of the workers.';
comment on column parley.push_device.route is 'What can fail as a whole: the app, its sandbox, or of webpush the origin of its push service.';
comment on column parley.push_device.platform is 'ios, android, web and so on, as its app says.';
comment on column parley.push_device.session_id is 'The session it was registered in, if its token says one.';
comment on column parley.push_device.locale is 'The language of the device, for texts of the app''s own.';
comment on column parley.push_device.name is 'What its user calls it.';
comment on column parley.push_device.privacy is 'full, sender or id: at most so much is told to it. Null: as the user says.';
comment on column parley.push_device.dropped_reason is 'Why it is not sent to any more, in a word.';
comment on column parley.push_device.token_hash is 'SHA-256 of provider, app, environment, kind and token, and of webpush the auth of its keys.';
comment on column parley.push_device.token is 'The token, or of webpush the endpoint. Null: dropped, or sealed.';
comment on column parley.push_device.token_sealed
is 'Token and keys, encrypted with the setting push_public_key: who has the private key can open it, this database cannot.';
comment on column parley.push_device.keys is 'Of webpush {p256dh, auth}, in base64url.';

create table parley.push_preference (
    user_id uuid not null,
    dnd_until timestamptz,
    updated_at timestamptz not null default now(),
    enabled boolean not null default true,
    mentions_pierce_quiet boolean not null default false,
    calls_pierce_quiet boolean not null default true,
    quiet_mode text not null default 'silent',
    time_zone text not null default 'UTC',
    privacy text,
    quiet_hours jsonb not null default '[]',
    constraint push_preference_pkey primary key (user_id),
    constraint push_preference_account_fkey foreign key (user_id) references parley.account (id) on delete cascade,
    constraint push_preference_quiet_mode_check check (quiet_mode in ('silent', 'hold', 'drop')),
    constraint push_preference_privacy_check check (privacy in ('full', 'sender', 'id')),
    constraint push_preference_quiet_hours_check check (jsonb_typeof(quiet_hours) = 'array')
);
comment on table parley.push_preference is 'What users want of notifications on all their devices. No row: the defaults.';
comment on column parley.push_preference.user_id is 'The user.';
comment on column parley.push_preference.dnd_until is 'Nothing until then. Null: the user may be disturbed.';
comment on column parley.push_preference.updated_at is 'When it was last changed.';
comment on column parley.push_preference.enabled is 'False: no notifications at all.';
comment on column parley.push_preference.mentions_pierce_quiet is 'True: mentions come as ever in quiet hours and until dnd_until.';
comment on column parley.push_preference.calls_pierce_quiet is 'True: calls ring in quiet hours and until dnd_until.';
comment on column parley.push_preference.quiet_mode
is 'What comes in quiet hours comes silent, is held until they end (hold), or does not come (drop).';
comment on column parley.push_preference.time_zone is 'The IANA zone whose clocks quiet_hours means.';
comment on column parley.push_preference.privacy is 'full, sender or id: at most so much is told. Null: as the setting push_privacy says.';
comment on column parley.push_preference.quiet_hours
is '[{weekdays, from, to}]: weekdays 1 (Monday) to 7 on which it begins, times like 22:00; to may be on the next day.';

create unlogged table parley.push_focus (
    user_id uuid not null,
    lease text not null,
    conversation_id uuid,
    expires_at timestamptz not null,
    constraint push_focus_pkey primary key (user_id, lease)
) with (fillfactor = 50);
comment on table parley.push_focus
is 'Who has which conversation before their eyes now. Workers renew the rows; after a crash of the server nobody has any.';
comment on column parley.push_focus.user_id is 'The user.';
comment on column parley.push_focus.lease is 'The socket that said so.';
comment on column parley.push_focus.conversation_id is 'The conversation. Null: the app is in front, but no conversation.';
comment on column parley.push_focus.expires_at is 'Until then it counts.';

create table parley.push_provider (
    worker text not null,
    provider text not null,
    app_id text not null,
    seen_at timestamptz not null default clock_timestamp(),
    public_key text,
    constraint push_provider_pkey primary key (worker, provider, app_id),
    constraint push_provider_provider_check check (provider in ('apns', 'fcm', 'webpush', 'webhook'))
);
comment on table parley.push_provider
is 'Which credentials the workers have. Without a row nothing is queued, and the log has no consumer for push.';
comment on column parley.push_provider.worker is 'The name under which a worker said so.';
comment on column parley.push_provider.provider is 'The provider.';
comment on column parley.push_provider.app_id is 'The app.';
comment on column parley.push_provider.seen_at is 'When that worker last said so: workers do every hour.';
comment on column parley.push_provider.public_key is 'Of webpush the VAPID key that browsers subscribe with, in base64url.';

create table parley.push_state (
    resets bigint not null default 0,
    skipped bigint not null default 0,
    reset_at timestamptz,
    skipped_at timestamptz,
    reset_reason text,
    skipped_code text,
    is_the_only_row boolean not null default true,
    constraint push_state_pkey primary key (is_the_only_row),
    constraint push_state_is_one_row_check check (is_the_only_row)
);
comment on table parley.push_state is 'One row: what operators have to know of the queue.';
comment on column parley.push_state.resets is 'How often events were passed over, because they were gone or of another epoch.';
comment on column parley.push_state.reset_at is 'When that last was.';
comment on column parley.push_state.reset_reason is 'Why.';
comment on column parley.push_state.skipped is 'How many events were passed over, because nothing could be made of them.';
comment on column parley.push_state.skipped_at is 'When that last was.';
comment on column parley.push_state.skipped_code is 'SQLSTATE of what failed then.';
comment on column parley.push_state.is_the_only_row is 'Always true: there is one row.';

-- No foreign keys: a row is written for each notification, and tells why afterwards, whatever has gone since.
create table parley.push_job (
    id uuid not null,
    tenant_id uuid not null,
    user_id uuid not null,
    device_id uuid,
    conversation_id uuid,
    message_id uuid,
    call_id uuid,
    first_seq bigint,
    last_seq bigint,
    claim bigint not null default 0,
    created_at timestamptz not null default clock_timestamp(),
    due_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    settled_at timestamptz,
    badge bigint,
    attempts integer not null default 0,
    delays integer not null default 0,
    is_sealed boolean not null default false,
    provider text,
    route text,
    lane text not null,
    kind text not null,
    state text not null,
    collapse_key text not null,
    worker text,
    reason text,
    answer text,
    constraint push_job_pkey primary key (id),
    constraint push_job_lane_check check (lane in ('call', 'message', 'quiet')),
    constraint push_job_kind_check check (kind in ('message', 'badge', 'clear', 'call', 'call_end', 'test')),
    constraint push_job_state_check check (
        state in ('queued', 'leased', 'retrying', 'sent', 'suppressed', 'folded', 'cancelled', 'expired', 'dead')
    ),
    constraint push_job_device_check
    check (state = 'suppressed' or num_nonnulls(device_id, provider, route) = 3),
    constraint push_job_settled_check
    check ((settled_at is null) = (state in ('queued', 'leased', 'retrying')))
) with (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);
create index push_job_due_idx on parley.push_job (provider, lane, tenant_id, route, is_sealed, due_at)
where settled_at is null;
create unique index push_job_group_key on parley.push_job (device_id, user_id, collapse_key) where state = 'queued';
create index push_job_user_idx on parley.push_job (user_id, conversation_id, last_seq);
create index push_job_quiet_idx on parley.push_job (settled_at) where lane = 'quiet' and settled_at is not null;
create index push_job_shown_idx on parley.push_job (user_id, conversation_id, last_seq)
where kind = 'message' and device_id is not null;
comment on index parley.push_job_due_idx
is 'Claims go from group to group of it: what waits behind the first due row of a group costs them nothing.';
comment on index parley.push_job_group_key
is 'One job waits for each device and group: a newer message moves it forward.';
comment on index parley.push_job_quiet_idx is 'What has no meaning once it is over, and goes after an hour.';
comment on index parley.push_job_shown_idx
is 'What devices may show of a conversation, however many decisions there are for no device.';
comment on table parley.push_job is
'Notifications: those that wait, and for push_keep_days what became of each, and why (of badge and clear an hour). One row a device; of a decision for all devices of a user one row without a device.';
comment on column parley.push_job.id is 'A UUIDv7, the same for every attempt: by it a provider or device folds repeats.';
comment on column parley.push_job.tenant_id is 'The tenant of the conversation, all zeros without one: tenants take turns.';
comment on column parley.push_job.user_id is 'Whom it is for.';
comment on column parley.push_job.device_id is 'The device. Null: a decision for all of them.';
comment on column parley.push_job.conversation_id is 'The conversation it is about.';
comment on column parley.push_job.message_id is 'The newest message it is about.';
comment on column parley.push_job.call_id is 'The call it is about.';
comment on column parley.push_job.first_seq is 'seq of the oldest message it stands for.';
comment on column parley.push_job.last_seq is 'seq of the newest message it stands for; of kind clear, up to which all was read.';
comment on column parley.push_job.claim is 'How often it was claimed: what an earlier claim settles does not count.';
comment on column parley.push_job.created_at is 'When it was queued, or decided.';
comment on column parley.push_job.due_at is 'From then on it may be claimed; of one that is leased, when the lease ends.';
comment on column parley.push_job.expires_at is 'Later nobody wants it.';
comment on column parley.push_job.settled_at is 'When it came to its end. Null: it waits, or is being sent.';
comment on column parley.push_job.badge is 'The number it told the icon to show, when it was last claimed.';
comment on column parley.push_job.attempts is 'Attempts that failed, of those that count.';
comment on column parley.push_job.delays is 'How often it was put off because its user was looking.';
comment on column parley.push_job.is_sealed is 'The token of its device is sealed: only a worker with the private key can claim it.';
comment on column parley.push_job.provider is 'The provider of its device.';
comment on column parley.push_job.route is 'The route of its device.';
comment on column parley.push_job.lane is 'call, message or quiet: lanes do not wait for each other.';
comment on column parley.push_job.kind
is 'message; badge, the number alone; clear, which takes back what was read elsewhere; call; call_end; test.';
comment on column parley.push_job.state is
'queued, leased and retrying are not at their end. sent: a provider accepted it. suppressed: it was not to be sent. folded: a newer one stands for it. cancelled: read, or over, before it was sent. expired: too late. dead: given up.';
comment on column parley.push_job.collapse_key is 'The group in which a newer one stands for an older one.';
comment on column parley.push_job.worker is 'Who claimed it last.';
comment on column parley.push_job.reason is 'Why it ended so, or waits.';
comment on column parley.push_job.answer is 'What the provider answered last, in a word.';

create table parley.push_turn (
    provider text not null,
    lane text not null,
    tenant_id uuid not null default '00000000-0000-0000-0000-000000000000',
    constraint push_turn_pkey primary key (provider, lane)
) with (fillfactor = 10);
comment on table parley.push_turn is 'One row for each provider and lane: whose turn it is.';
comment on column parley.push_turn.provider is 'The provider.';
comment on column parley.push_turn.lane is 'The lane.';
comment on column parley.push_turn.tenant_id is 'With which tenant the last claim ended: the next begins behind it.';

create type parley.push_decision as (verdict text, reason text, until timestamptz);
comment on type parley.push_decision is 'Whether something is worth a notification.';
comment on column parley.push_decision.verdict is 'send, silent, delay or suppress.';
comment on column parley.push_decision.reason is 'Why not, or why later or silent, in a word.';
comment on column parley.push_decision.until is 'Of delay: until when.';

create type parley.push_draft as (verdict text, reason text, until timestamptz, content jsonb);
comment on type parley.push_draft is 'What comes of a job that is about to be sent.';
comment on column parley.push_draft.verdict is 'As of push_decision.';
comment on column parley.push_draft.reason is 'As of push_decision.';
comment on column parley.push_draft.until is 'As of push_decision.';
comment on column parley.push_draft.content is 'What it says: PushContent of the workers. Null: it is not sent now.';

alter table parley.push_device enable row level security;
alter table parley.push_preference enable row level security;
alter table parley.push_focus enable row level security;
alter table parley.push_provider enable row level security;
alter table parley.push_state enable row level security;
alter table parley.push_job enable row level security;
alter table parley.push_turn enable row level security;

insert into parley.push_state default values;

insert into parley.push_turn (provider, lane)
select
    p.provider,
    l.lane
from unnest(array['apns', 'fcm', 'webpush', 'webhook']) as p (provider)
cross join unnest(array['call', 'message', 'quiet']) as l (lane);

insert into parley.setting (name, value, description) values
('push_privacy', 'full', 'What notifications may say at most: full, sender (nothing of the text), or id (ids alone).'),
('push_message_hours', '24', 'For how many hours the notification of a message is worth sending, 1 to 672.'),
('push_keep_days', '14', 'For how many days it is kept what became of each notification, and why, 1 to 365.'),
(
    'push_devices_per_user', '20',
    'How many devices of a user are sent to, 1 to 1000: one more drops the one that registered the longest ago.'
),
(
    'push_link', '',
    'What a click on a notification opens, an https URL with {conversation_id} and {message_id}. Empty: the worker''s.'
),
(
    'push_public_key', '',
    'An armored OpenPGP public key: device tokens are sealed with it from then on. Empty: they are stored as they are.'
);

insert into parley.job (name, period_seconds, description) values
('push_upkeep', 60, 'Ends notifications that nobody fetched in time; forgets old ones, and devices dropped long ago.');
