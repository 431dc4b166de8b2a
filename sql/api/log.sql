-- Reading the log as a client. Bodies are bound to the private functions when they are created, as in the other files.

create or replace function parley_api.get_events(
    conversation_id uuid, after_seq bigint default 0, page_size integer default 100
)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_events(get_events.conversation_id, get_events.after_seq, get_events.page_size);
end;
revoke all on function parley_api.get_events(uuid, bigint, integer) from public;
grant execute on function parley_api.get_events(uuid, bigint, integer) to authenticated;
comment on function parley_api.get_events(uuid, bigint, integer) is
'Events of a conversation after an event_seq: {events: [{event, payload}], gap, has_more, last_event_seq}. gap {from, to, reason} names what is no longer kept, was before the caller joined, or lies beyond their tier. A number that is missing otherwise is not theirs to see.';

create or replace function parley_api.sync(cursor text default null)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.sync(sync.cursor);
end;
revoke all on function parley_api.sync(text) from public;
grant execute on function parley_api.sync(text) to authenticated;
comment on function parley_api.sync(text) is
'What a client needs to be up to date, of one snapshot: {conversations, participants, unread, left_conversation_ids, events, cursor, has_more, resync_required}. Without a cursor the inbox, with the last cursor the events since. Call again while has_more; if resync_required, some of what happened since is no longer kept or lies beyond the caller''s tier: forget what was loaded before.';
