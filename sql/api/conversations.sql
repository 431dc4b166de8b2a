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
    client_message_id uuid default null,
    description text default null,
    icon_url text default null,
    settings jsonb default null,
    permissions jsonb default null,
    history_visible text default null,
    max_members bigint default null,
    message_ttl_seconds bigint default null,
    roles jsonb default null,
    unique_context boolean default null
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
        start_conversation.client_message_id,
        start_conversation.description,
        start_conversation.icon_url,
        start_conversation.settings,
        start_conversation.permissions,
        start_conversation.history_visible,
        start_conversation.max_members,
        start_conversation.message_ttl_seconds,
        start_conversation.roles,
        start_conversation.unique_context
    );
end;
comment on function parley_api.start_conversation(
    uuid[], text, text, text, text, jsonb, text, uuid, text, text, jsonb, jsonb, text, bigint, bigint, jsonb, boolean
) is
'Starts a conversation, or returns the one there is, with its first message if one was given.';
revoke all on function parley_api.start_conversation(
    uuid[], text, text, text, text, jsonb, text, uuid, text, text, jsonb, jsonb, text, bigint, bigint, jsonb, boolean
) from public;
grant execute on function parley_api.start_conversation(
    uuid[], text, text, text, text, jsonb, text, uuid, text, text, jsonb, jsonb, text, bigint, bigint, jsonb, boolean
) to authenticated, service_role;

create or replace function parley_api.get_user_conversations(
    filter text default 'all',
    search text default null,
    context_type text default null,
    context_id text default null,
    cursor text default null,
    page_size integer default 50,
    type text default null,
    app_role text default null
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
        get_user_conversations.page_size,
        get_user_conversations.type,
        get_user_conversations.app_role
    );
end;
comment on function parley_api.get_user_conversations(text, text, text, text, text, integer, text, text) is
'The caller''s inbox: {conversations, next_cursor, prev_cursor}. filter: all, unread, archived or requests; app_role: the caller''s own there.';
revoke all on function parley_api.get_user_conversations(text, text, text, text, text, integer, text, text) from public;
grant execute on function parley_api.get_user_conversations(text, text, text, text, text, integer, text, text)
to authenticated;

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
    app_roles jsonb default null,
    roles jsonb default null
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
        add_participants.app_roles,
        add_participants.roles
    );
end;
comment on function parley_api.add_participants(uuid, uuid[], jsonb, jsonb) is
'Adds users to a group, with roles if an admin gives some. Returns the conversation.';
revoke all on function parley_api.add_participants(uuid, uuid[], jsonb, jsonb) from public;
grant execute on function parley_api.add_participants(uuid, uuid[], jsonb, jsonb) to authenticated, service_role;

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

create or replace function parley_api.set_participant_role(conversation_id uuid, user_id uuid, role text)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.set_participant_role(
        set_participant_role.conversation_id,
        set_participant_role.user_id,
        set_participant_role.role
    );
end;
comment on function parley_api.set_participant_role(uuid, uuid, text) is
'Makes a participant owner, admin or member. Returns the participant.';
revoke all on function parley_api.set_participant_role(uuid, uuid, text) from public;
grant execute on function parley_api.set_participant_role(uuid, uuid, text) to authenticated, service_role;

create or replace function parley_api.get_conversation(conversation_id uuid)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_conversation(get_conversation.conversation_id);
end;
comment on function parley_api.get_conversation(uuid) is
'A conversation with its participants, contexts, and the caller''s settings, permissions and draft.';
revoke all on function parley_api.get_conversation(uuid) from public;
grant execute on function parley_api.get_conversation(uuid) to authenticated, service_role;

create or replace function parley_api.get_participants(
    conversation_id uuid,
    cursor text default null,
    page_size integer default 50
)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_participants(
        get_participants.conversation_id,
        get_participants.cursor,
        get_participants.page_size
    );
end;
comment on function parley_api.get_participants(uuid, text, integer) is
'Who is in a conversation: {participants, next_cursor}.';
revoke all on function parley_api.get_participants(uuid, text, integer) from public;
grant execute on function parley_api.get_participants(uuid, text, integer) to authenticated, service_role;

create or replace function parley_api.search_members(
    conversation_id uuid,
    query text default null,
    page_size integer default 10
)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.search_members(search_members.conversation_id, search_members.query, search_members.page_size);
end;
comment on function parley_api.search_members(uuid, text, integer) is
'The other participants one of whose names begins with the query, for mentions; Chinese, Japanese, Korean and Thai names by any part.';
revoke all on function parley_api.search_members(uuid, text, integer) from public;
grant execute on function parley_api.search_members(uuid, text, integer) to authenticated;

create or replace function parley_api.save_draft(
    conversation_id uuid,
    content text default null,
    reply_to_id uuid default null,
    metadata jsonb default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.save_draft(
        save_draft.conversation_id,
        save_draft.content,
        save_draft.reply_to_id,
        save_draft.metadata
    );
end;
comment on function parley_api.save_draft(uuid, text, uuid, jsonb) is
'Keeps what the caller has begun to write; without content and metadata it is cleared. Returns the draft.';
revoke all on function parley_api.save_draft(uuid, text, uuid, jsonb) from public;
grant execute on function parley_api.save_draft(uuid, text, uuid, jsonb) to authenticated;

create or replace function parley_api.delete_conversations_of_context(context_type text, context_id text)
returns bigint
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.delete_conversations_of_context(
        delete_conversations_of_context.context_type,
        delete_conversations_of_context.context_id
    );
end;
comment on function parley_api.delete_conversations_of_context(text, text) is
'Deletes the conversations of a thing of the host application that is deleted. Returns how many.';
revoke all on function parley_api.delete_conversations_of_context(text, text) from public;
grant execute on function parley_api.delete_conversations_of_context(text, text) to service_role;
