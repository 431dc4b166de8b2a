-- Polls. Bodies are bound to the private functions when they are created, so callers need no usage
-- on the private schema; the search_path keeps them from being inlined, see messages.sql.

create or replace function parley_api.create_poll(
    conversation_id uuid,
    question text,
    options text[],
    multiple boolean default false,
    closes_at timestamptz default null,
    anonymous boolean default false,
    client_message_id uuid default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.create_poll(
        create_poll.conversation_id,
        create_poll.question,
        create_poll.options,
        create_poll.multiple,
        create_poll.closes_at,
        create_poll.anonymous,
        create_poll.client_message_id
    );
end;
comment on function parley_api.create_poll(uuid, text, text[], boolean, timestamptz, boolean, uuid) is
'Sends a question with 2 to 12 options to vote on. Returns the message.';
revoke all on function parley_api.create_poll(uuid, text, text[], boolean, timestamptz, boolean, uuid) from public;
grant execute on function parley_api.create_poll(
    uuid, text, text[], boolean, timestamptz, boolean, uuid
) to authenticated;

create or replace function parley_api.get_poll(message_id uuid)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_poll(get_poll.message_id);
end;
comment on function parley_api.get_poll(uuid) is
'A poll with the caller''s own vote.';
revoke all on function parley_api.get_poll(uuid) from public;
grant execute on function parley_api.get_poll(uuid) to authenticated;

create or replace function parley_api.vote(message_id uuid, option_ids integer[])
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.vote(
        vote.message_id,
        vote.option_ids
    );
end;
comment on function parley_api.vote(uuid, integer[]) is
'The caller votes for these options of a poll instead of those before; none takes the vote back. Returns the poll.';
revoke all on function parley_api.vote(uuid, integer[]) from public;
grant execute on function parley_api.vote(uuid, integer[]) to authenticated;

create or replace function parley_api.close_poll(message_id uuid)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.close_poll(close_poll.message_id);
end;
comment on function parley_api.close_poll(uuid) is
'Ends a poll, by its author or an admin. Returns the poll.';
revoke all on function parley_api.close_poll(uuid) from public;
grant execute on function parley_api.close_poll(uuid) to authenticated;
