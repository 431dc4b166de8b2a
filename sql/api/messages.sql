-- Messages: sending, reading, changing. But for send_message, bodies are bound to the private functions when they are
-- created, so callers need no usage on the private schema. The search_path keeps them from being inlined: the right to
-- execute an inlined function is checked when a plan is made, not when it runs, and pooled sessions share plans.

create or replace function parley_api.send_message(
    conversation_id uuid,
    content text default null,
    type text default 'text',
    client_message_id uuid default null,
    reply_to_id uuid default null,
    attachment_ids uuid[] default null,
    mentions uuid[] default null,
    metadata jsonb default null,
    expires_in interval default null,
    mentions_all boolean default false
)
returns jsonb
-- Not bound like the others: the body of an SQL function is read and planned anew by each call, a tenth of a send. It
-- runs as the owner to find the private function, which does so anyway.
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return parley.send_message(
        send_message.conversation_id,
        send_message.content,
        send_message.type,
        send_message.client_message_id,
        send_message.reply_to_id,
        send_message.attachment_ids,
        send_message.mentions,
        send_message.metadata,
        send_message.expires_in,
        send_message.mentions_all
    );
end;
$$;
comment on function parley_api.send_message(
    uuid, text, text, uuid, uuid, uuid[], uuid[], jsonb, interval, boolean
) is
'Sends a message and returns it; the same client_message_id again returns the same message.';
revoke all on function parley_api.send_message(
    uuid, text, text, uuid, uuid, uuid[], uuid[], jsonb, interval, boolean
) from public;
grant execute on function parley_api.send_message(
    uuid, text, text, uuid, uuid, uuid[], uuid[], jsonb, interval, boolean
) to authenticated;

create or replace function parley_api.get_conversation_messages(
    conversation_id uuid,
    before_seq bigint default null,
    after_seq bigint default null,
    around_seq bigint default null,
    page_size integer default 50,
    before_message_id uuid default null,
    after_message_id uuid default null,
    around_message_id uuid default null,
    types text[] default null,
    sender_id uuid default null,
    metadata jsonb default null
)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_conversation_messages(
        get_conversation_messages.conversation_id,
        get_conversation_messages.before_seq,
        get_conversation_messages.after_seq,
        get_conversation_messages.around_seq,
        get_conversation_messages.page_size,
        get_conversation_messages.before_message_id,
        get_conversation_messages.after_message_id,
        get_conversation_messages.around_message_id,
        get_conversation_messages.types,
        get_conversation_messages.sender_id,
        get_conversation_messages.metadata
    );
end;
comment on function parley_api.get_conversation_messages(
    uuid, bigint, bigint, bigint, integer, uuid, uuid, uuid, text[], uuid, jsonb
) is
'A page of messages, oldest first: {messages, has_more}; the newest by default, or before, after or around a seq or a message; of some types, one sender, or whose metadata contains an object.';
revoke all on function parley_api.get_conversation_messages(
    uuid, bigint, bigint, bigint, integer, uuid, uuid, uuid, text[], uuid, jsonb
) from public;
grant execute on function parley_api.get_conversation_messages(
    uuid, bigint, bigint, bigint, integer, uuid, uuid, uuid, text[], uuid, jsonb
) to authenticated;

create or replace function parley_api.edit_message(
    message_id uuid,
    content text,
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
    select parley.edit_message(
        edit_message.message_id,
        edit_message.content,
        edit_message.metadata,
        edit_message.mentions,
        edit_message.mentions_all
    );
end;
comment on function parley_api.edit_message(uuid, text, jsonb, uuid[], boolean) is
'Changes a message the caller sent: its text, and if given its metadata and whom it mentions (an empty array: nobody). Returns it.';
revoke all on function parley_api.edit_message(uuid, text, jsonb, uuid[], boolean) from public;
grant execute on function parley_api.edit_message(uuid, text, jsonb, uuid[], boolean) to authenticated;

create or replace function parley_api.delete_message(message_id uuid, for_everyone boolean default false)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.delete_message(delete_message.message_id, delete_message.for_everyone);
end;
comment on function parley_api.delete_message(uuid, boolean) is
'Deletes a message for the caller or for everyone.';
revoke all on function parley_api.delete_message(uuid, boolean) from public;
grant execute on function parley_api.delete_message(uuid, boolean) to authenticated;

create or replace function parley_api.add_reaction(message_id uuid, emoji text)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.add_reaction(add_reaction.message_id, add_reaction.emoji);
end;
comment on function parley_api.add_reaction(uuid, text) is
'Adds a reaction of the caller. Returns the message.';
revoke all on function parley_api.add_reaction(uuid, text) from public;
grant execute on function parley_api.add_reaction(uuid, text) to authenticated;

create or replace function parley_api.remove_reaction(message_id uuid, emoji text)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.remove_reaction(remove_reaction.message_id, remove_reaction.emoji);
end;
comment on function parley_api.remove_reaction(uuid, text) is
'Removes a reaction of the caller. Returns the message.';
revoke all on function parley_api.remove_reaction(uuid, text) from public;
grant execute on function parley_api.remove_reaction(uuid, text) to authenticated;

create or replace function parley_api.send_system_message(
    conversation_id uuid,
    content text,
    metadata jsonb default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.send_system_message(
        send_system_message.conversation_id,
        send_system_message.content,
        send_system_message.metadata
    );
end;
comment on function parley_api.send_system_message(uuid, text, jsonb) is
'Writes a system message, inside the transaction of the caller. Returns it.';
revoke all on function parley_api.send_system_message(uuid, text, jsonb) from public;
grant execute on function parley_api.send_system_message(uuid, text, jsonb) to service_role;

create or replace function parley_api.forward_message(
    message_id uuid,
    conversation_ids uuid[],
    client_message_id uuid default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.forward_message(
        forward_message.message_id,
        forward_message.conversation_ids,
        forward_message.client_message_id
    );
end;
comment on function parley_api.forward_message(uuid, uuid[], uuid) is
'Sends copies of a message to other conversations of the caller: {messages}.';
revoke all on function parley_api.forward_message(uuid, uuid[], uuid) from public;
grant execute on function parley_api.forward_message(uuid, uuid[], uuid) to authenticated;

create or replace function parley_api.star_message(
    message_id uuid
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.star_message(
        star_message.message_id
    );
end;
comment on function parley_api.star_message(uuid) is
'Stars a message for the caller alone.';
revoke all on function parley_api.star_message(uuid) from public;
grant execute on function parley_api.star_message(uuid) to authenticated;

create or replace function parley_api.unstar_message(
    message_id uuid
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.unstar_message(
        unstar_message.message_id
    );
end;
comment on function parley_api.unstar_message(uuid) is
'Takes the caller''s star off a message.';
revoke all on function parley_api.unstar_message(uuid) from public;
grant execute on function parley_api.unstar_message(uuid) to authenticated;

create or replace function parley_api.get_starred_messages(
    cursor text default null,
    page_size integer default 50
)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_starred_messages(
        get_starred_messages.cursor,
        get_starred_messages.page_size
    );
end;
comment on function parley_api.get_starred_messages(text, integer) is
'The caller''s starred messages, the last starred first: {messages, next_cursor}.';
revoke all on function parley_api.get_starred_messages(text, integer) from public;
grant execute on function parley_api.get_starred_messages(text, integer) to authenticated;

create or replace function parley_api.pin_message(
    message_id uuid
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.pin_message(
        pin_message.message_id
    );
end;
comment on function parley_api.pin_message(uuid) is
'Pins a message for everybody in the conversation. Returns it.';
revoke all on function parley_api.pin_message(uuid) from public;
grant execute on function parley_api.pin_message(uuid) to authenticated;

create or replace function parley_api.unpin_message(
    message_id uuid
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.unpin_message(
        unpin_message.message_id
    );
end;
comment on function parley_api.unpin_message(uuid) is
'Unpins a message. Returns it.';
revoke all on function parley_api.unpin_message(uuid) from public;
grant execute on function parley_api.unpin_message(uuid) to authenticated;

create or replace function parley_api.get_pinned_messages(
    conversation_id uuid
)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_pinned_messages(
        get_pinned_messages.conversation_id
    );
end;
comment on function parley_api.get_pinned_messages(uuid) is
'The pinned messages of a conversation, the last pinned first: {messages}.';
revoke all on function parley_api.get_pinned_messages(uuid) from public;
grant execute on function parley_api.get_pinned_messages(uuid) to authenticated;

create or replace function parley_api.get_message_revisions(
    message_id uuid
)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_message_revisions(
        get_message_revisions.message_id
    );
end;
comment on function parley_api.get_message_revisions(uuid) is
'What a message said, and whom it mentioned, before each edit: {revisions}.';
revoke all on function parley_api.get_message_revisions(uuid) from public;
grant execute on function parley_api.get_message_revisions(uuid) to authenticated;
