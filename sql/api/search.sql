-- Searching. The body is bound to the private function when it is created, as in the other files.

create or replace function parley_api.search_messages(
    query text,
    conversation_id uuid default null,
    sender_id uuid default null,
    types text[] default null,
    cursor text default null,
    page_size integer default 20,
    metadata jsonb default null
)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.search_messages(
        search_messages.query,
        search_messages.conversation_id,
        search_messages.sender_id,
        search_messages.types,
        search_messages.cursor,
        search_messages.page_size,
        search_messages.metadata
    );
end;
comment on function parley_api.search_messages(text, uuid, uuid, text[], text, integer, jsonb) is
'Messages the caller may see: {results: [{message, conversation_id, rank, highlight: [{text, match}]}], next_cursor, complete}. query: words, "a phrase", or, -without; Chinese, Japanese and Thai by any part. metadata: of those that contain it.';
revoke all on function parley_api.search_messages(text, uuid, uuid, text[], text, integer, jsonb) from public;
grant execute on function parley_api.search_messages(text, uuid, uuid, text[], text, integer, jsonb) to authenticated;
