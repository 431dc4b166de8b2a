-- What moderators and the application may do beyond being in a conversation; every use is recorded. Bodies are bound to
-- the private functions when they are created, as in the other files.

create or replace function parley_api.conversation_as_of(
    conversation_id uuid,
    event_seq bigint,
    reason text,
    before_seq bigint default null,
    page_size integer default 50
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.conversation_as_of(
        conversation_as_of.conversation_id,
        conversation_as_of.event_seq,
        conversation_as_of.reason,
        conversation_as_of.before_seq,
        conversation_as_of.page_size
    );
end;
comment on function parley_api.conversation_as_of(uuid, bigint, text, bigint, integer) is
'What a conversation looked like after one of its events, with mentions, reactions and attachments of messages that were deleted since, for moderators of its tenant and the application; recorded with its reason.';
revoke all on function parley_api.conversation_as_of(uuid, bigint, text, bigint, integer) from public;
grant execute on function parley_api.conversation_as_of(
    uuid, bigint, text, bigint, integer
) to authenticated, service_role;

create or replace function parley_api.trace_message(message_id uuid, reason text, user_id uuid default null)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.trace_message(trace_message.message_id, trace_message.reason, trace_message.user_id);
end;
comment on function parley_api.trace_message(uuid, text, uuid) is
'What became of a message: its events, and who has it, who read it when, and who cannot see it and why; recorded with its reason.';
revoke all on function parley_api.trace_message(uuid, text, uuid) from public;
grant execute on function parley_api.trace_message(uuid, text, uuid) to authenticated, service_role;
