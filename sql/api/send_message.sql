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
    return parley.write_message(parley.current_user_id(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10);
end;
$$;
comment on function parley_api.send_message is
'Sends a message as the caller and returns it. The same client_message_id again returns the first message; with other content PT409.';
grant execute on function parley_api.send_message to authenticated;
