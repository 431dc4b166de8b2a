-- Read and delivery state. Bodies are bound to the private functions when they are created, so callers need no usage
-- on the private schema; the search_path keeps them from being inlined, see messages.sql.

create or replace function parley_api.mark_as_read(conversation_id uuid, seq bigint default null)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.mark_as_read(mark_as_read.conversation_id, mark_as_read.seq);
end;
comment on function parley_api.mark_as_read(uuid, bigint) is
'The caller has read everything up to seq, by default everything.';
revoke all on function parley_api.mark_as_read(uuid, bigint) from public;
grant execute on function parley_api.mark_as_read(uuid, bigint) to authenticated;

create or replace function parley_api.mark_message_as_read(message_id uuid)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.mark_message_as_read(mark_message_as_read.message_id);
end;
comment on function parley_api.mark_message_as_read(uuid) is
'The caller has read everything up to this message.';
revoke all on function parley_api.mark_message_as_read(uuid) from public;
grant execute on function parley_api.mark_message_as_read(uuid) to authenticated;

create or replace function parley_api.mark_as_unread(conversation_id uuid)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.mark_as_unread(mark_as_unread.conversation_id);
end;
comment on function parley_api.mark_as_unread(uuid) is
'Shows the conversation as unread to the caller until it is next read.';
revoke all on function parley_api.mark_as_unread(uuid) from public;
grant execute on function parley_api.mark_as_unread(uuid) to authenticated;

create or replace function parley_api.mark_as_delivered(conversation_id uuid, seq bigint default null)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.mark_as_delivered(mark_as_delivered.conversation_id, mark_as_delivered.seq);
end;
comment on function parley_api.mark_as_delivered(uuid, bigint) is
'Everything up to seq, by default everything, has reached a device of the caller.';
revoke all on function parley_api.mark_as_delivered(uuid, bigint) from public;
grant execute on function parley_api.mark_as_delivered(uuid, bigint) to authenticated;

create or replace function parley_api.get_unread_counts()
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_unread_counts();
end;
comment on function parley_api.get_unread_counts() is
'Unread counts of the caller, in total and by conversation; muted and archived ones, requests and mentions apart.';
revoke all on function parley_api.get_unread_counts() from public;
grant execute on function parley_api.get_unread_counts() to authenticated;

create or replace function parley_api.get_role_unread_counts(conversation_id uuid)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_role_unread_counts(get_role_unread_counts.conversation_id);
end;
comment on function parley_api.get_role_unread_counts(uuid) is
'What the participants with each application role have not read, as {unread_count_<role>: n}.';
revoke all on function parley_api.get_role_unread_counts(uuid) from public;
grant execute on function parley_api.get_role_unread_counts(uuid) to authenticated, service_role;

create or replace function parley_api.get_message_receipts(message_id uuid)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_message_receipts(get_message_receipts.message_id);
end;
comment on function parley_api.get_message_receipts(uuid) is
'Who has received and read a message, and when: {message_id, status, read_count, delivered_count, receipts: [{user_id, delivered, read_at}]}.';
revoke all on function parley_api.get_message_receipts(uuid) from public;
grant execute on function parley_api.get_message_receipts(uuid) to authenticated;
