-- Messages to be sent later. Bodies are bound to the private functions when they are created, so callers need no usage
-- on the private schema; the search_path keeps them from being inlined, see messages.sql.

create or replace function parley_api.schedule_message(
    conversation_id uuid,
    content text default null,
    send_at timestamptz default null,
    send_at_local timestamp default null,
    time_zone text default null,
    type text default 'text',
    reply_to_id uuid default null,
    attachment_ids uuid[] default null,
    mentions uuid[] default null,
    metadata jsonb default null,
    expires_in interval default null,
    client_message_id uuid default null,
    mentions_all boolean default false
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.schedule_message(
        schedule_message.conversation_id,
        schedule_message.content,
        schedule_message.send_at,
        schedule_message.send_at_local,
        schedule_message.time_zone,
        schedule_message.type,
        schedule_message.reply_to_id,
        schedule_message.attachment_ids,
        schedule_message.mentions,
        schedule_message.metadata,
        schedule_message.expires_in,
        schedule_message.client_message_id,
        schedule_message.mentions_all
    );
end;
comment on function parley_api.schedule_message(
    uuid, text, timestamptz, timestamp, text, text, uuid, uuid[], uuid[], jsonb, interval, uuid, boolean
) is
'Sends a message later: at send_at, or when the clocks of time_zone show send_at_local. Returns what was scheduled.';
revoke all on function parley_api.schedule_message(
    uuid, text, timestamptz, timestamp, text, text, uuid, uuid[], uuid[], jsonb, interval, uuid, boolean
) from public;
grant execute on function parley_api.schedule_message(
    uuid, text, timestamptz, timestamp, text, text, uuid, uuid[], uuid[], jsonb, interval, uuid, boolean
) to authenticated;

create or replace function parley_api.update_scheduled_message(
    id uuid,
    content text default null,
    send_at timestamptz default null,
    send_at_local timestamp default null,
    time_zone text default null,
    metadata jsonb default null,
    mentions uuid[] default null,
    mentions_all boolean default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.update_scheduled_message(
        update_scheduled_message.id,
        update_scheduled_message.content,
        update_scheduled_message.send_at,
        update_scheduled_message.send_at_local,
        update_scheduled_message.time_zone,
        update_scheduled_message.metadata,
        update_scheduled_message.mentions,
        update_scheduled_message.mentions_all
    );
end;
comment on function parley_api.update_scheduled_message(
    uuid, text, timestamptz, timestamp, text, jsonb, uuid[], boolean
) is
'Changes a scheduled message that is still pending; what is left out stays. Returns it.';
revoke all on function parley_api.update_scheduled_message(
    uuid, text, timestamptz, timestamp, text, jsonb, uuid[], boolean
) from public;
grant execute on function parley_api.update_scheduled_message(
    uuid, text, timestamptz, timestamp, text, jsonb, uuid[], boolean
) to authenticated;

create or replace function parley_api.cancel_scheduled_message(id uuid)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.cancel_scheduled_message(cancel_scheduled_message.id);
end;
comment on function parley_api.cancel_scheduled_message(uuid) is
'Takes back a scheduled message that has not been sent. Returns it.';
revoke all on function parley_api.cancel_scheduled_message(uuid) from public;
grant execute on function parley_api.cancel_scheduled_message(uuid) to authenticated;

create or replace function parley_api.get_scheduled_messages(
    conversation_id uuid default null,
    status text default 'pending',
    cursor text default null,
    page_size integer default 50
)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_scheduled_messages(
        get_scheduled_messages.conversation_id,
        get_scheduled_messages.status,
        get_scheduled_messages.cursor,
        get_scheduled_messages.page_size
    );
end;
comment on function parley_api.get_scheduled_messages(uuid, text, text, integer) is
'The caller''s own scheduled messages of one status, the next one first: {scheduled_messages, next_cursor}.';
revoke all on function parley_api.get_scheduled_messages(uuid, text, text, integer) from public;
grant execute on function parley_api.get_scheduled_messages(uuid, text, text, integer) to authenticated;
