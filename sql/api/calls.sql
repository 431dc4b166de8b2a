-- Calls. Bodies are bound to the private functions when they are created, so callers need no usage on the private
-- schema; the search_path keeps them from being inlined, see messages.sql.

create or replace function parley_api.start_call(
    conversation_id uuid,
    kind text default 'voice',
    device_id text default null,
    invite_ids uuid[] default null,
    client_call_id uuid default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.start_call(
        start_call.conversation_id,
        start_call.kind,
        start_call.device_id,
        start_call.invite_ids,
        start_call.client_call_id
    );
end;
comment on function parley_api.start_call(uuid, text, text, uuid[], uuid) is
'Calls the other participants of a conversation, or those invited; joins the call that is open. Returns the call.';
revoke all on function parley_api.start_call(uuid, text, text, uuid[], uuid) from public;
grant execute on function parley_api.start_call(uuid, text, text, uuid[], uuid) to authenticated;

create or replace function parley_api.accept_call(call_id uuid, device_id text)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.accept_call(accept_call.call_id, accept_call.device_id);
end;
comment on function parley_api.accept_call(uuid, text) is
'Answers or joins a call with this device. Returns the call.';
revoke all on function parley_api.accept_call(uuid, text) from public;
grant execute on function parley_api.accept_call(uuid, text) to authenticated;

create or replace function parley_api.decline_call(call_id uuid, busy boolean default false)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.decline_call(decline_call.call_id, decline_call.busy);
end;
comment on function parley_api.decline_call(uuid, boolean) is
'Declines a call that rings, or says that the caller is busy. Returns the call.';
revoke all on function parley_api.decline_call(uuid, boolean) from public;
grant execute on function parley_api.decline_call(uuid, boolean) to authenticated;

create or replace function parley_api.cancel_call(call_id uuid)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.cancel_call(cancel_call.call_id);
end;
comment on function parley_api.cancel_call(uuid) is
'Ends the caller''s own call before it is answered. Returns the call.';
revoke all on function parley_api.cancel_call(uuid) from public;
grant execute on function parley_api.cancel_call(uuid) to authenticated;

create or replace function parley_api.end_call(call_id uuid, device_id text default null, failed boolean default false)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.end_call(end_call.call_id, end_call.device_id, end_call.failed);
end;
comment on function parley_api.end_call(uuid, text, boolean) is
'Hangs up. Returns the call.';
revoke all on function parley_api.end_call(uuid, text, boolean) from public;
grant execute on function parley_api.end_call(uuid, text, boolean) to authenticated;

create or replace function parley_api.signal_call(
    call_id uuid,
    to_user_id uuid,
    kind text,
    payload jsonb,
    to_device_id text default null,
    device_id text default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.signal_call(
        signal_call.call_id,
        signal_call.to_user_id,
        signal_call.kind,
        signal_call.payload,
        signal_call.to_device_id,
        signal_call.device_id
    );
end;
comment on function parley_api.signal_call(uuid, uuid, text, jsonb, text, text) is
'Sends an offer, an answer, ICE candidates or a renegotiation to another participant of a call.';
revoke all on function parley_api.signal_call(uuid, uuid, text, jsonb, text, text) from public;
grant execute on function parley_api.signal_call(uuid, uuid, text, jsonb, text, text) to authenticated;

create or replace function parley_api.get_call(call_id uuid)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_call(get_call.call_id);
end;
comment on function parley_api.get_call(uuid) is
'A call with its participants.';
revoke all on function parley_api.get_call(uuid) from public;
grant execute on function parley_api.get_call(uuid) to authenticated;

create or replace function parley_api.get_calls(
    conversation_id uuid default null,
    cursor text default null,
    page_size integer default 50
)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_calls(get_calls.conversation_id, get_calls.cursor, get_calls.page_size);
end;
comment on function parley_api.get_calls(uuid, text, integer) is
'Calls of a conversation, or all of the caller''s, the newest first: {calls, next_cursor}.';
revoke all on function parley_api.get_calls(uuid, text, integer) from public;
grant execute on function parley_api.get_calls(uuid, text, integer) to authenticated;

create or replace function parley_api.get_turn_credentials()
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_turn_credentials();
end;
comment on function parley_api.get_turn_credentials() is
'The caller''s credentials for the TURN servers, with ice_servers as a browser takes them.';
revoke all on function parley_api.get_turn_credentials() from public;
grant execute on function parley_api.get_turn_credentials() to authenticated;
