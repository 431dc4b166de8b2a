-- Conversations and their members. Bodies are bound to the private functions when they are created, so callers need no
-- usage on the private schema; the search_path keeps them from being inlined, see messages.sql.

create or replace function parley_api.start_conversation(
    participant_ids uuid[],
    type text default 'direct',
    title text default null,
    context_type text default null,
    context_id text default null,
    app_roles jsonb default null,
    message text default null,
    client_message_id uuid default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.start_conversation(
        start_conversation.participant_ids,
        start_conversation.type,
        start_conversation.title,
        start_conversation.context_type,
        start_conversation.context_id,
        start_conversation.app_roles,
        start_conversation.message,
        start_conversation.client_message_id
    );
end;
comment on function parley_api.start_conversation(uuid[], text, text, text, text, jsonb, text, uuid) is
'Starts a conversation, or returns the direct one that exists, with its first message if one was given.';
revoke all on function parley_api.start_conversation(uuid[], text, text, text, text, jsonb, text, uuid) from public;
grant execute on function parley_api.start_conversation(
    uuid[], text, text, text, text, jsonb, text, uuid
) to authenticated, service_role;

create or replace function parley_api.get_user_conversations(
    filter text default 'all',
    search text default null,
    context_type text default null,
    context_id text default null,
    cursor text default null,
    page_size integer default 50
)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_user_conversations(
        get_user_conversations.filter,
        get_user_conversations.search,
        get_user_conversations.context_type,
        get_user_conversations.context_id,
        get_user_conversations.cursor,
        get_user_conversations.page_size
    );
end;
comment on function parley_api.get_user_conversations(text, text, text, text, text, integer) is
'The caller''s inbox: {conversations, next_cursor}.';
revoke all on function parley_api.get_user_conversations(text, text, text, text, text, integer) from public;
grant execute on function parley_api.get_user_conversations(text, text, text, text, text, integer) to authenticated;

create or replace function parley_api.can_access_conversation(conversation_id uuid, user_id uuid default null)
returns boolean
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.can_access_conversation(
        can_access_conversation.conversation_id,
        can_access_conversation.user_id
    );
end;
comment on function parley_api.can_access_conversation(uuid, uuid) is
'True if the user, by default the caller, is in the conversation.';
revoke all on function parley_api.can_access_conversation(uuid, uuid) from public;
grant execute on function parley_api.can_access_conversation(uuid, uuid) to authenticated, service_role;

create or replace function parley_api.add_participants(
    conversation_id uuid,
    participant_ids uuid[],
    app_roles jsonb default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.add_participants(
        add_participants.conversation_id,
        add_participants.participant_ids,
        add_participants.app_roles
    );
end;
comment on function parley_api.add_participants(uuid, uuid[], jsonb) is
'Adds users to a group; they see what comes from then on. Returns the conversation.';
revoke all on function parley_api.add_participants(uuid, uuid[], jsonb) from public;
grant execute on function parley_api.add_participants(uuid, uuid[], jsonb) to authenticated, service_role;

create or replace function parley_api.remove_participant(conversation_id uuid, user_id uuid)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.remove_participant(remove_participant.conversation_id, remove_participant.user_id);
end;
comment on function parley_api.remove_participant(uuid, uuid) is
'Takes a user out of a group. Returns the conversation.';
revoke all on function parley_api.remove_participant(uuid, uuid) from public;
grant execute on function parley_api.remove_participant(uuid, uuid) to authenticated, service_role;

create or replace function parley_api.leave_conversation(conversation_id uuid)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.leave_conversation(leave_conversation.conversation_id);
end;
comment on function parley_api.leave_conversation(uuid) is
'Takes the caller out of a group.';
revoke all on function parley_api.leave_conversation(uuid) from public;
grant execute on function parley_api.leave_conversation(uuid) to authenticated;

create or replace function parley_api.update_participant_settings(
    conversation_id uuid,
    pin boolean default null,
    mute_until timestamptz default null,
    archive boolean default null,
    notifications text default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.update_participant_settings(
        update_participant_settings.conversation_id,
        update_participant_settings.pin,
        update_participant_settings.mute_until,
        update_participant_settings.archive,
        update_participant_settings.notifications
    );
end;
comment on function parley_api.update_participant_settings(uuid, boolean, timestamptz, boolean, text) is
'The caller''s own settings for a conversation. Returns them.';
revoke all on function parley_api.update_participant_settings(uuid, boolean, timestamptz, boolean, text) from public;
grant execute on function parley_api.update_participant_settings(
    uuid, boolean, timestamptz, boolean, text
) to authenticated;

create or replace function parley_api.update_conversation(
    conversation_id uuid,
    title text default null,
    description text default null,
    icon_url text default null,
    settings jsonb default null,
    status text default null,
    who_can_send text default null,
    who_can_add text default null,
    permissions jsonb default null,
    message_ttl_seconds bigint default null,
    history_visible text default null,
    max_members bigint default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.update_conversation(
        update_conversation.conversation_id,
        update_conversation.title,
        update_conversation.description,
        update_conversation.icon_url,
        update_conversation.settings,
        update_conversation.status,
        update_conversation.who_can_send,
        update_conversation.who_can_add,
        update_conversation.permissions,
        update_conversation.message_ttl_seconds,
        update_conversation.history_visible,
        update_conversation.max_members
    );
end;
comment on function parley_api.update_conversation(
    uuid, text, text, text, jsonb, text, text, text, jsonb, bigint, text, bigint
) is
'Changes what is given and leaves the rest; an empty text or 0 clears a value. Returns the conversation.';
revoke all on function parley_api.update_conversation(
    uuid, text, text, text, jsonb, text, text, text, jsonb, bigint, text, bigint
) from public;
grant execute on function parley_api.update_conversation(
    uuid, text, text, text, jsonb, text, text, text, jsonb, bigint, text, bigint
) to authenticated, service_role;

create or replace function parley_api.delete_conversation(conversation_id uuid)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.delete_conversation(delete_conversation.conversation_id);
end;
comment on function parley_api.delete_conversation(uuid) is
'Deletes a conversation for the caller alone; the next message brings it back without what was before.';
revoke all on function parley_api.delete_conversation(uuid) from public;
grant execute on function parley_api.delete_conversation(uuid) to authenticated;
