-- The messages of an export: what the user may see at the moment it is written, and what the others have consented to.

create or replace function parley.csv_field(value text)
returns text
language sql immutable security invoker parallel safe
set search_path = pg_catalog, pg_temp
as $$
    -- a spreadsheet takes what begins so for a formula; an apostrophe makes it text
    select '"' || replace(
        case when value collate parley.unicode ~ E'^[\\s\\u0000-\\u0020]*[=+@\\uff1d\\uff0b\\uff0d\\uff20-]' or value ~ E'^[\\t\\r\\n]' then '''' || value else value end,
        '"', '""'
    ) || '"'
$$;
comment on function parley.csv_field is 'A field of a CSV file (RFC 4180) that no spreadsheet takes for a formula. Null for null.';

create or replace function parley.csv_head()
returns text
language sql immutable security invoker parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select E'seq,created_at,sender_id,sender,type,content,files,withheld\n'
$$;
comment on function parley.csv_head is 'The first line of a CSV file of messages.';

create or replace function parley.message_line(
    message parley.message, requester_id uuid, format text, oversees boolean default false
)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_content constant text := coalesce(
        message.content, case when message.type = 'system' then parley.notice_text(message.metadata) end
    );
    v_withheld constant boolean := not oversees and not parley.may_export(
        message.conversation_id, message_line.requester_id, message.sender_id
    );
    v_files constant jsonb := case
        when message.has_attachments and not v_withheld then parley.attachments_json(message.conversation_id, message.id)
        else '[]'
    end;
begin
    if message_line.format = 'csv' then
        return concat_ws(
            ',',
            message.seq,
            parley.csv_field(to_json(message.created_at at time zone 'UTC') #>> '{}' || 'Z'),
            parley.csv_field(coalesce(message.sender_id::text, '')),
            parley.csv_field(case when message.sender_id is null then '' else parley.display_name_of(message.sender_id) end),
            parley.csv_field(message.type),
            parley.csv_field(case when v_withheld then '' else coalesce(v_content, '') end),
            parley.csv_field((
                select coalesce(string_agg(f ->> 'file_name', '; '), '') from jsonb_array_elements(v_files) as f
            )),
            case when v_withheld then 'true' else 'false' end
        );
    end if;
    return jsonb_strip_nulls(jsonb_build_object(
        'kind', 'message',
        'id', message.id,
        'conversation_id', message.conversation_id,
        'seq', message.seq,
        'sender_id', message.sender_id,
        'sender_role', message.sender_role,
        'created_at', message.created_at,
        'type', message.type,
        'withheld', case when v_withheld then true end,
        'content', case when not v_withheld then v_content end,
        'metadata', case when not v_withheld then message.metadata end,
        'reply_to_id', message.reply_to_id,
        'edited_at', message.edited_at,
        'expires_at', message.expires_at,
        'attachments', case when v_files <> '[]' then v_files end,
        'revisions', case
            when message.sender_id = message_line.requester_id then (
                select jsonb_agg(
                    jsonb_build_object('content', r.content, 'metadata', r.metadata, 'replaced_at', r.replaced_at)
                    order by r.revision
                )
                from parley.message_revision as r
                where r.conversation_id = message.conversation_id and r.message_id = message.id
            )
        end
    ))::text;
end;
$$;
comment on function parley.message_line is 'A message as a line of an export; without what it says where its sender has not consented, but for whoever oversees it.';

create or replace function parley.message_lines(
    user_id uuid, conversation_id uuid, after_seq bigint, own_only boolean, format text, batch integer
)
returns table (lines text, row_count bigint, last_seq bigint)
language plpgsql stable security definer
rows 1
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_floor_id constant uuid := parley.message_floor_of(message_lines.user_id);
    v_from_seq constant bigint := (
        select p.history_from_seq
        from parley.participant as p
        where p.conversation_id = message_lines.conversation_id and p.user_id = message_lines.user_id
    );
    v_messages parley.message[];
begin
    -- so many are looked at; those that are shown may be fewer
    v_messages := array(
        select m
        from parley.message as m
        where m.conversation_id = message_lines.conversation_id and m.seq > message_lines.after_seq
        order by m.seq
        limit message_lines.batch
    );
    if v_messages = '{}' then
        return;
    end if;
    select
        string_agg(parley.message_line(m, message_lines.user_id, message_lines.format) || E'\n', '' order by m.seq)
            filter (where w.shown),
        count(*) filter (where w.shown),
        max(m.seq)
    into lines, row_count, last_seq
    from unnest(v_messages) as m
    cross join lateral (
        select
            (not message_lines.own_only or m.sender_id = message_lines.user_id)
            and parley.message_verdict(m, message_lines.user_id, v_from_seq, v_floor_id) = 'readable' as shown
    ) as w;
    return next;
end;
$$;
comment on function parley.message_lines is
'The next messages of a conversation that a user may see, or of them the user''s own, as lines. No row: there are no more.';
