-- The catalogue of events, as this release has it: its rows are brought up to date by every installation. A new event
-- is a row here.

with release (name, audience, durable, since, payload) as (
    values
    (
        'message:new', '{conversation,user}'::text[], true, '0.2.0',
        '{message}; without event_seq for the sender alone, where nobody else learns of it'
    ),
    ('message:updated', '{conversation,user}', true, '0.2.0', '{message}; without event_seq as message:new'),
    (
        'message:deleted', '{conversation,user}', true, '0.2.0',
        '{message_id, seq, for_everyone, expired?, erased?}; for the user alone who hid it, where for_everyone is false'
    ),
    (
        'message:reaction', '{conversation,user}', true, '0.2.0',
        '{message_id, seq, user_id, emoji, op: added or removed}'
    ),
    (
        'message:read', '{conversation,user}', true, '0.2.0',
        '{user_id, last_read_seq, read_at}; for the reader alone where receipts are kept private'
    ),
    ('message:delivered', '{conversation}', true, '0.2.0', '{user_id, last_delivered_seq}'),
    ('message:pinned', '{conversation,user}', true, '0.2.0', '{message_id, seq, pinned_at}'),
    ('message:unpinned', '{conversation,user}', true, '0.2.0', '{message_id, seq}'),
    ('export:ready', '{user}', true, '0.3.0', '{export_id}, without event_seq'),
    (
        'export:consent', '{user}', true, '0.3.0',
        '{conversation_id, requester_id, user_id, given: null while it is asked}, without event_seq'
    ),
    ('flags:updated', '{user}', true, '0.3.0', '{flags: {name: true or false}}, without event_seq'),
    ('message:starred', '{user}', true, '0.2.0', '{message_id, seq}'),
    ('message:unstarred', '{user}', true, '0.2.0', '{message_id, seq}'),
    (
        'conversation:new', '{conversation,user}', true, '0.2.0',
        '{conversation}; for one user where that user joined a conversation that was there'
    ),
    (
        'conversation:updated', '{conversation}', true, '0.2.0',
        '{conversation, changed, context_type?, context_id?}'
    ),
    ('conversation:deleted', '{user}', true, '0.2.0', '{conversation_id}, without event_seq'),
    ('participant:joined', '{conversation}', true, '0.2.0', '{user_id, participant, history_from_seq}'),
    ('participant:left', '{conversation}', true, '0.2.0', '{user_id, participant}'),
    (
        'participant:updated', '{conversation,user}', true, '0.2.0',
        '{user_id, participant, role}; for the user alone {settings}, of their own for the conversation'
    ),
    (
        'poll:updated', '{conversation,user}', true, '0.2.0',
        '{message_id, seq, votes, total_voters, closed_at, voter_id?, option_ids?}; the vote if not anonymous'
    ),
    ('call:ring', '{conversation}', true, '0.2.0', '{call_id, call}'),
    ('call:accepted', '{conversation}', true, '0.2.0', '{call_id, user_id, call}'),
    ('call:declined', '{conversation}', true, '0.2.0', '{call_id, user_id, call}'),
    ('call:busy', '{conversation}', true, '0.2.0', '{call_id, user_id, call}'),
    ('call:missed', '{conversation}', true, '0.2.0', '{call_id, user_id?, call}'),
    ('call:left', '{conversation}', true, '0.2.0', '{call_id, user_id, call}'),
    ('call:cancelled', '{conversation}', true, '0.2.0', '{call_id, user_id, call}'),
    ('call:ended', '{conversation}', true, '0.2.0', '{call_id, user_id?, call}'),
    ('call:answered_elsewhere', '{user}', true, '0.2.0', '{call_id, device_id, call}'),
    (
        'call:offer', '{user}', true, '0.2.0',
        '{call_id, signal_id, from_user_id, from_device_id, to_device_id, payload}; payload: null after the call'
    ),
    ('call:answer', '{user}', true, '0.2.0', 'as call:offer'),
    ('call:ice', '{user}', true, '0.2.0', 'as call:offer'),
    ('call:renegotiate', '{user}', true, '0.2.0', 'as call:offer'),
    (
        'scheduled:updated', '{user}', true, '0.2.0',
        '{conversation_id, scheduled_message_id, status, send_at, error_code, sent_message_id}'
    ),
    ('draft:updated', '{user}', true, '0.2.0', '{conversation_id, draft}'),
    (
        'conversation:quiet', '{user}', true, '0.2.0',
        '{conversation_id, quiet}: whether typing and presence are passed on in it'
    ),
    (
        'request:new', '{user}', true, '0.2.0',
        '{conversation_id, request}: a stranger has written; for the recipient alone'
    ),
    (
        'request:updated', '{user}', true, '0.2.0',
        '{conversation_id, request}: accepted, for both; declined or expired, for the recipient alone'
    ),
    (
        'contact:updated', '{user}', true, '0.2.0',
        '{contact_id, blocked, restricted, followed}: what the user has said of another user'
    ),
    (
        'privacy:updated', '{user}', true, '0.2.0', '{message_privacy, read_receipts, show_presence}'
    ),
    ('account:updated', '{user}', true, '0.2.0', '{tier}'),
    (
        'entitlements:changed', '{user}', true, '0.3.0',
        '{tier, limits, tenant_id?, role?}: another plan, or another role in a tenant (null: none)'
    ),
    ('limits:changed', '{user}', true, '0.3.0', '{}: to no user; the workers read again what they keep to'),
    (
        'device:dropped', '{user}', true, '0.3.0',
        '{device_id, reason}: it is not sent to any more, and its app registers anew; without event_seq'
    ),
    ('session:revoked', '{user}', true, '0.2.0', '{}: every session of the user ends'),
    ('moderation:revoked', '{user}', true, '0.2.0', '{tenant_id}: the user moderates that tenant no longer'),
    ('typing:start', '{conversation}', false, '0.2.0', '{conversation_id, user_id}'),
    ('typing:stop', '{conversation}', false, '0.2.0', '{conversation_id, user_id}'),
    (
        'replay:gap', '{user}', false, '0.2.0',
        '{conversation_id, from, to, reason, readable}: what a replay leaves out, to the one who joins'
    ),
    (
        'replay:end', '{user}', false, '0.2.0',
        '{conversation_id, to}: the end of a replay; every event_seq up to to is settled'
    )
),

gone as (
    delete from parley.event_kind as k
    where not exists (select from release as r where r.name = k.name)
)

insert into parley.event_kind as k (name, audience, durable, since, payload)
select
    r.name,
    r.audience,
    r.durable,
    r.since,
    r.payload
from release as r
on conflict on constraint event_kind_pkey do update
    set audience = excluded.audience, durable = excluded.durable, since = excluded.since, payload = excluded.payload
    where (k.audience, k.durable, k.since, k.payload)
    is distinct from (excluded.audience, excluded.durable, excluded.since, excluded.payload);

create or replace function parley.event_kinds()
returns setof parley.event_kind
language sql stable security definer
rows 40
set search_path = pg_catalog, pg_temp
as $$
    select k.* from parley.event_kind as k order by k.name
$$;
comment on function parley.event_kinds is 'The catalogue of events, for the worker: names that are the server''s.';
grant execute on function parley.event_kinds to parley_worker;
