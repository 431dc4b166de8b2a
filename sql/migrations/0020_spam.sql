-- Spam: what strangers and new accounts send is judged by rules, which are rows. The columns that are added to tables
-- of before have constant defaults: each takes its table's lock for a moment.

-- What a send reads anyway says whether it is to be judged.
alter table parley.conversation add column unanswered boolean not null default false;
comment on column parley.conversation.unanswered
is 'A conversation whose creator brought in somebody who does not know them, and nobody has answered: what the creator sends is judged.';

alter table parley.tier add column new_account_hours bigint;
comment on column parley.tier.new_account_hours
is 'What tier_limit says of new_account_hours, copied like the four above. Null: no account counts as new.';

alter table parley.account add column phone_verified_at timestamptz;
comment on column parley.account.phone_verified_at
is 'When the application said that it knows a telephone number of the user. Null: it does not.';

create table parley.spam_rule (
    name text not null,
    kind text not null,
    mode text not null default 'shadow',
    weight double precision not null,
    threshold double precision not null default 1,
    on_failure text not null default 'open',
    late_action text not null default 'requests',
    parameters jsonb not null default '{}',
    description text not null,
    constraint spam_rule_pkey primary key (name),
    constraint spam_rule_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint spam_rule_kind_check check (
        kind in (
            'near_texts', 'near_recipients', 'links', 'hosts', 'link_shape', 'lookalike', 'bad_links', 'terms',
            'pattern', 'reputation', 'new_account', 'unverified_phone', 'safe_browsing', 'classifier'
        )
    ),
    constraint spam_rule_mode_check check (mode in ('on', 'shadow', 'off')),
    constraint spam_rule_weight_check check (weight between 0 and 1),
    -- what measures nothing never fires: a send looks no further
    constraint spam_rule_threshold_check check (threshold > 0),
    constraint spam_rule_on_failure_check check (on_failure in ('open', 'closed')),
    constraint spam_rule_late_action_check check (late_action in ('requests', 'retract')),
    constraint spam_rule_parameters_check check (jsonb_typeof(parameters) = 'object')
);
comment on table parley.spam_rule is
'What speaks for spam. A rule measures a message, and fires where the measure reaches the threshold. The weights of all rules that fire make the confidence: 1 - (1 - weight) * (1 - weight) * ...';
comment on column parley.spam_rule.name is 'Name used in verdicts.';
comment on column parley.spam_rule.kind is 'What it measures: see docs/spam.md.';
comment on column parley.spam_rule.mode is 'on: it counts. shadow: it is recorded where it fires, and changes nothing. off: it is not asked.';
comment on column parley.spam_rule.weight is 'How sure the rule by itself makes that a message is spam, 0 to 1.';
comment on column parley.spam_rule.threshold is 'The measure from which on it fires.';
comment on column parley.spam_rule.on_failure
is 'For an outside service that gives no answer: open lets the message stay, closed treats it as spam.';
comment on column parley.spam_rule.late_action
is 'For an outside service that answers after the send: moves the conversation to the requests of the recipient, or retracts the message.';
comment on column parley.spam_rule.parameters is 'What the kind needs: hosts, terms, a pattern, an address.';
comment on column parley.spam_rule.description is 'One sentence for people.';

-- Unlogged: written by every judged message, needed for a day.
create unlogged table parley.spam_fingerprint (
    id bigint not null generated always as identity,
    sender_id uuid not null,
    conversation_id uuid not null,
    simhash bigint not null,
    sent_at timestamptz not null default clock_timestamp(),
    constraint spam_fingerprint_pkey primary key (sender_id, id, conversation_id)
);
-- costs the send nothing
create index spam_fingerprint_sent_idx on parley.spam_fingerprint using brin (sent_at);
-- for the conversation that goes
create index spam_fingerprint_conversation_idx on parley.spam_fingerprint (conversation_id);
comment on table parley.spam_fingerprint is
'What senders wrote to strangers of late, as SimHashes: nearly the same text has nearly the same bits. The newest 32 of a sender count; the job purge_spam_records forgets them after a day. Lost in a crash, by choice.';
comment on column parley.spam_fingerprint.id is 'Order of writing.';
comment on column parley.spam_fingerprint.sender_id is 'Who wrote it.';
comment on column parley.spam_fingerprint.conversation_id is 'Where.';
comment on column parley.spam_fingerprint.simhash is 'SimHash of the text: parley.simhash.';
comment on column parley.spam_fingerprint.sent_at is 'When.';

create table parley.spam_verdict (
    id bigint not null generated always as identity,
    at timestamptz not null default clock_timestamp(),
    sender_id uuid not null,
    conversation_id uuid not null,
    message_id uuid,
    action text not null,
    confidence double precision not null,
    rules text[] not null,
    shadow_rules text[] not null default '{}',
    simhash bigint,
    constraint spam_verdict_pkey primary key (conversation_id, id),
    constraint spam_verdict_action_check check (action in ('allow', 'filter', 'block', 'retract')),
    constraint spam_verdict_confidence_check check (confidence between 0 and 1)
);
create index spam_verdict_at_idx on parley.spam_verdict (at);
create index spam_verdict_sender_idx on parley.spam_verdict (sender_id, at);
comment on table parley.spam_verdict is
'Messages at which a rule fired, without what they said. A blocked one was rolled back with all it wrote: the worker records it.';
comment on column parley.spam_verdict.id is 'The verdict.';
comment on column parley.spam_verdict.at is 'When it was given.';
comment on column parley.spam_verdict.sender_id is 'Who wrote the message.';
comment on column parley.spam_verdict.conversation_id is 'Where.';
comment on column parley.spam_verdict.message_id is 'The message; of a blocked one there is none.';
comment on column parley.spam_verdict.action
is 'allow (only shadow rules fired, or too little), filter, block, or retract: what an outside service found later.';
comment on column parley.spam_verdict.confidence is 'How sure the rules that count were, 0 to 1.';
comment on column parley.spam_verdict.rules is 'The rules that fired and count.';
comment on column parley.spam_verdict.shadow_rules is 'The rules that fired in shadow mode.';
comment on column parley.spam_verdict.simhash is 'SimHash of the text, to find its like. Null: too short for one.';

create table parley.sender_record (
    user_id uuid not null,
    reported double precision not null default 0,
    updated_at timestamptz not null default now(),
    constraint sender_record_pkey primary key (user_id),
    constraint sender_record_account_fkey foreign key (user_id) references parley.account (id) on delete cascade
) with (fillfactor = 70);
comment on table parley.sender_record is
'Reports against a sender. The count halves in 30 days: parley.note_sender adds, parley.sender_reputation reads.';
comment on column parley.sender_record.user_id is 'The sender.';
comment on column parley.sender_record.reported is 'Reports against the sender.';
comment on column parley.sender_record.updated_at is 'As of when the counts are.';

create table parley.spam_check (
    message_id uuid not null,
    rule_name text not null,
    conversation_id uuid not null,
    sender_id uuid not null,
    created_at timestamptz not null default clock_timestamp(),
    next_try_at timestamptz not null default clock_timestamp(),
    tries integer not null default 0,
    constraint spam_check_pkey primary key (conversation_id, message_id, rule_name),
    constraint spam_check_rule_fkey foreign key (rule_name) references parley.spam_rule (name)
    on update cascade on delete cascade
) with (fillfactor = 70);
create index spam_check_next_try_idx on parley.spam_check (next_try_at);
create index spam_check_rule_idx on parley.spam_check (rule_name);
comment on table parley.spam_check is 'Messages that an outside service has yet to be asked about, by the worker.';
comment on column parley.spam_check.message_id is 'The message.';
comment on column parley.spam_check.rule_name is 'The rule that asks.';
comment on column parley.spam_check.conversation_id is 'Where it was sent.';
comment on column parley.spam_check.sender_id is 'Who sent it.';
comment on column parley.spam_check.created_at is 'Since when it waits.';
comment on column parley.spam_check.next_try_at is 'From then on a worker may take it: one that took it and died leaves it to another.';
comment on column parley.spam_check.tries is 'How often it was taken.';

create table parley.link_verdict (
    url_hash bytea not null,
    rule_name text not null,
    is_bad boolean not null,
    expires_at timestamptz not null,
    constraint link_verdict_pkey primary key (url_hash, rule_name),
    constraint link_verdict_rule_fkey foreign key (rule_name) references parley.spam_rule (name)
    on update cascade on delete cascade,
    constraint link_verdict_url_hash_check check (octet_length(url_hash) = 32)
);
create index link_verdict_expires_idx on parley.link_verdict (expires_at);
create index link_verdict_rule_idx on parley.link_verdict (rule_name);
comment on table parley.link_verdict is
'What services of link safety answered, for as long as they said: a link is asked about once, and a bad one is known at the next send.';
comment on column parley.link_verdict.url_hash is 'SHA-256 of the link.';
comment on column parley.link_verdict.rule_name is 'The rule that asked.';
comment on column parley.link_verdict.is_bad is 'True: the service warns of it.';
comment on column parley.link_verdict.expires_at is 'Until then it holds.';

create type parley.message_link as (
    url text,
    host text,
    -- noqa: disable=LT01
    shapes text[]
    -- noqa: enable=LT01
);
comment on type parley.message_link is
'A link in a text: as it is written, its host in lower case, and its suspicious shapes (ip, credentials, punycode, mixed_script).';

create type parley.spam_finding as (name text, mode text, weight double precision, measure double precision);
comment on type parley.spam_finding is 'A rule that fired at a message, and its measure.';

alter table parley.spam_rule enable row level security;
alter table parley.spam_fingerprint enable row level security;
alter table parley.spam_verdict enable row level security;
alter table parley.sender_record enable row level security;
alter table parley.spam_check enable row level security;
alter table parley.link_verdict enable row level security;

-- The rows every deployment starts with; they are its own from then on.
insert into parley.setting (name, value, description) values
(
    'spam_filter_at', '0.5',
    'The confidence (0 to 1) from which on a stranger''s message lands in the requests. Above 1: never.'
),
('spam_block_at', '0.9', 'The confidence (0 to 1) from which on a message is refused. Above 1: never.'),
(
    'phone_verified_claim', '',
    'Claim of the token that is true where a telephone number of its user was verified, with dots for a path: '
    'app_metadata.phone_verified. Empty: only set_phone_verified says so.'
),
('spam_verdict_days', '90', 'How long verdicts on messages are kept, in days.');

insert into parley.job (name, period_seconds, description) values
('purge_spam_records', 60, 'Forgets fingerprints, verdicts and answers about links that are too old.'),
('collect_spam_checks', 1, 'Puts new messages before the outside services of spam rules, where there are any.');

insert into parley.spam_rule (name, kind, mode, weight, threshold, parameters, description) values
(
    'repeated_text', 'near_texts', 'on', 0.5, 5, '{}',
    'Five messages of the last day said nearly the same.'
),
(
    'mass_send', 'near_recipients', 'on', 0.7, 4, '{}',
    'Four other conversations of the last day were sent nearly the same.'
),
(
    'mass_send_to_many', 'near_recipients', 'on', 0.95, 19, '{}',
    'Nineteen other conversations of the last day were sent nearly the same.'
),
('many_links', 'links', 'on', 0.5, 4, '{}', 'Four links or more in one message.'),
(
    'shortened_link', 'hosts', 'on', 0.3, 1,
    '{"hosts": [
        "bit.ly", "tinyurl.com", "t.co", "goo.gl", "is.gd", "v.gd", "ow.ly", "buff.ly", "rebrand.ly",
        "cutt.ly", "rb.gy", "t.ly", "shorturl.at", "tiny.cc", "s.id", "lnkd.in", "adf.ly", "bl.ink",
        "short.io", "surl.li", "clck.ru", "vk.cc", "u.to", "qr.ae", "soo.gd", "t2m.io", "1url.com", "urlz.fr",
        "x.co", "git.io"
    ]}',
    'A link that hides where it leads.'
),
('ip_link', 'link_shape', 'on', 0.6, 1, '{"shapes": ["ip"]}', 'A link to a number instead of a name.'),
(
    'credentials_in_link', 'link_shape', 'on', 0.8, 1, '{"shapes": ["credentials"]}',
    'A link whose name before the @ is not the host it leads to.'
),
('punycode_link', 'link_shape', 'on', 0.3, 1, '{"shapes": ["punycode"]}', 'A link whose host is written in punycode.'),
(
    'mixed_script_link', 'link_shape', 'on', 0.7, 1, '{"shapes": ["mixed_script"]}',
    'A link whose host mixes letters of several scripts.'
),
(
    'lookalike_link', 'lookalike', 'on', 0.9, 1,
    '{"hosts": [
        "paypal.com", "google.com", "apple.com", "icloud.com", "microsoft.com", "amazon.com", "facebook.com",
        "instagram.com", "whatsapp.com", "netflix.com", "steamcommunity.com", "discord.com", "coinbase.com",
        "binance.com", "ebay.com", "dhl.com", "ups.com", "fedex.com", "chase.com", "wellsfargo.com"
    ]}',
    'A link whose host looks like another''s: add the hosts of this application.'
),
(
    'known_bad_link', 'bad_links', 'on', 0.95, 1, '{}',
    'A link that a service of link safety warned of a short while ago.'
),
(
    'bad_reputation', 'reputation', 'on', 0.5, 0.5, '{}',
    'Others declined, blocked or reported the sender about as much as they answered.'
),
(
    'new_account', 'new_account', 'on', 0.1, 1, '{}',
    'The account is new (limit new_account_hours): it takes less else to be sure.'
),
(
    'reported_without_phone', 'unverified_phone', 'off', 0.9, 1, '{}',
    'The sender was reported, and has no verified telephone number (phone_verified_claim, set_phone_verified).'
),
(
    'spam_words', 'terms', 'off', 0.6, 10,
    '{"terms": {"0": 1.4, "00": 3.4, "000": 4.2, "0000": 5.9, "00000": 7.0, "00000000000": 7.6, "000p": 6.2,
        "000ppm": 5.3, "00hrs": 5.0, "00p": 5.8, "a": 0.8, "ask": -2.3, "award": 5.1, "awarded": 5.2,
        "but": -2.8, "call": 2.4, "cash": 3.7, "claim": 6.4, "co": 4.5, "code": 5.2, "collection": 5.3,
        "com": 3.0, "come": -2.3, "contact": 3.8, "cos": -2.4, "cs": 5.5, "da": -2.9, "do": -1.2,
        "doing": -2.6, "draw": 3.5, "for": 0.9, "free": 2.7, "from": 2.0, "good": -2.1, "got": -1.6,
        "gt": -3.2, "guaranteed": 5.6, "he": -3.0, "him": -2.4, "holiday": 3.0, "how": -1.4, "i": -1.7,
        "it": -1.1, "land": 5.0, "landline": 5.3, "later": -2.6, "line": 3.4, "ll": -2.2, "lol": -2.4,
        "lor": -3.1, "lt": -3.2, "me": -0.9, "min": 2.5, "mins": 3.1, "mob": 5.2, "mobile": 3.6,
        "much": -2.5, "my": -1.4, "national": 5.1, "nokia": 4.2, "now": 1.3, "ok": -2.3, "only": 1.5,
        "operator": 5.0, "or": 1.6, "our": 2.2, "per": 3.2, "po": 4.0, "private": 4.9, "prize": 6.2,
        "rate": 4.2, "reply": 2.9, "ringtone": 5.0, "sae": 4.9, "say": -2.4, "selected": 5.3, "service": 5.5,
        "she": -2.5, "shows": 3.7, "so": -1.2, "stop": 2.7, "text": 2.2, "that": -1.0, "then": -1.7,
        "to": 0.9, "tone": 5.5, "tones": 5.2, "too": -2.6, "txt": 3.9, "uk": 5.8, "urgent": 4.8,
        "valid": 5.0, "video": 3.9, "was": -1.5, "way": -2.4, "weekly": 5.0, "win": 4.5, "won": 3.4,
        "www": 6.1, "your": 1.4}}',
    'Words of English spam, from half of the SMS Spam Collection (make bench-spam); train it on messages of your own.'
);
