-- The one wrapper that is not generated: the body of an SQL function is read and planned anew by each call, which is a
-- tenth of a send. It runs as the owner to find the private functions, which do so anyway.

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
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    -- what the generated wrappers ask of every argument, looked at only where there is something
    if octet_length($2) > 1048576 or octet_length($3) > 16384 or num_nonnulls($6, $7, $8) > 0 then
        perform
            parley.bounded_text($2, 'content', 1048576),
            parley.bounded_text($3, 'type', 16384),
            parley.bounded_list($6, 'attachment_ids', 16384),
            parley.bounded_list($7, 'mentions', 16384),
            parley.bounded_json($8, 'metadata', 262144);
    end if;
    return parley.write_message(parley.current_user_id(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10);
end;
$$;
comment on function parley_api.send_message is
'Sends a message as the caller and returns it. The same client_message_id again returns the first message; with other content PT409.';
grant execute on function parley_api.send_message to authenticated;
