-- The pages of an export. A position names the part and where in it; whoever writes them keeps it, with the length of
-- the file, in the same row. The parts of an export of all about a user are the account, the messages, and every table
-- that parley.user_reference exports: no list that could be forgotten.

create or replace function parley.exported_part(part text)
returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select u.table_name || '.' || u.column_name
    from parley.user_reference as u
    where u.exported
        and u.table_name not in ('account', 'message')
        and u.table_name || '.' || u.column_name > exported_part.part
    order by 1
    limit 1
$$;
comment on function parley.exported_part is 'The table and column that come after this one. Null: none.';

create or replace function parley.unexported_columns()
returns text[]
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
    -- how the work goes on, and of a device how it is reached
    select '{request_hash,position,writer,claimed_until,quiet_since,token,token_hash,token_sealed,keys}'::text[]
$$;
comment on function parley.unexported_columns is 'Columns of exported tables that no line shows.';

create or replace function parley.table_lines(
    part text, user_id uuid, conversation_id uuid, after_key text, batch integer
)
returns table (lines text, row_count bigint, last_key text)
language plpgsql stable security definer
rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_table constant text := split_part(part, '.', 1);
    v_column constant text := split_part(part, '.', 2);
    v_key constant text[] := (
        select array_agg(a.attname::text order by k.n)
        from pg_catalog.pg_index as i
        cross join lateral unnest(i.indkey::smallint[]) with ordinality as k (attnum, n)
        inner join pg_catalog.pg_attribute as a on i.indrelid = a.attrelid and k.attnum = a.attnum
        where i.indrelid = format('parley.%I', v_table)::regclass and i.indisprimary
    );
begin
    execute format(
        $query$
            select string_agg(x.line || E'\n', '' order by x.key), count(*), max(x.key)
            from (
                select y.line, y.key
                from (
                    select
                        (
                            jsonb_strip_nulls(to_jsonb(r)) - parley.unexported_columns()
                            -- a column of that name is told under another
                            || case when to_jsonb(r) ? 'kind' then jsonb_build_object(%1$L || '_kind', to_jsonb(r) -> 'kind') else '{}' end
                            || jsonb_build_object('kind', %1$L)
                        )::text as line,
                        (
                            select string_agg(to_jsonb(r) ->> k.name, '|' order by k.n)
                            from unnest($5) with ordinality as k (name, n)
                        ) collate "C" as key
                    from parley.%1$I as r
                    where r.%2$I = $1
                        and r.%3$I = $2
                        -- a message that was never to reach the user, parley.message_hidden
                        and (to_jsonb(r) ->> 'suppressed') is distinct from 'true'
                        -- nor what became of a conversation after the user
                        and (
                            %1$L <> 'conversation_profile'
                            or exists (
                                select from parley.participant as p
                                where p.conversation_id = $2 and p.user_id = $1 and p.left_at is null
                            )
                        )
                ) as y
                where y.key > $3
                order by y.key
                limit $4
            ) as x
        $query$,
        v_table,
        v_column,
        -- by the conversation's key, where there is one
        case when table_lines.conversation_id is null then v_column else 'conversation_id' end
    )
    into lines, row_count, last_key
    using
        table_lines.user_id, coalesce(table_lines.conversation_id, table_lines.user_id),
        coalesce(table_lines.after_key, ''), table_lines.batch, v_key;
    if row_count > 0 then
        return next;
    end if;
end;
$$;
comment on function parley.table_lines is
'The rows of a user in a table, or in one conversation of it, as lines. No row: there are none.';

create or replace function parley.next_conversation(user_id uuid, after_id uuid)
returns uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select p.conversation_id
        from parley.participant as p
        where p.user_id = next_conversation.user_id and p.conversation_id > next_conversation.after_id
        order by p.conversation_id
        limit 1
    );
end;
$$;
comment on function parley.next_conversation is 'The conversation that comes next, of those the user is or was in.';

create or replace function parley.account_line(user_id uuid)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select (
            jsonb_build_object('kind', 'account') || jsonb_object_agg(e.key, e.value)
        )::text
        from parley.account as a
        cross join lateral jsonb_each(to_jsonb(a)) as e
        inner join parley.user_reference as u
            on u.table_name = 'account' and e.key = u.column_name and u.exported
        where a.id = account_line.user_id
    );
end;
$$;
comment on function parley.account_line is 'The account as a line of an export.';

create or replace function parley.is_of_conversations(part text)
returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(part = 'message', false) or exists (
        select from pg_catalog.pg_attribute as a
        where a.attrelid = to_regclass('parley.' || quote_ident(split_part(part, '.', 1)))
            and a.attname = 'conversation_id'
            and a.attnotnull
            and not a.attisdropped
    )
$$;
comment on function parley.is_of_conversations is 'True if a part of an export is told conversation by conversation.';

create or replace function parley.data_page(user_id uuid, from_position jsonb, batch integer)
returns table (lines text, row_count bigint, next jsonb)
language plpgsql stable security definer
rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_none constant uuid := '00000000-0000-0000-0000-000000000000';
    v_part text := from_position ->> 'part';
    v_conversation_id uuid := coalesce((from_position ->> 'conversation')::uuid, v_none);
    v_after text := from_position ->> 'after';
    v_split boolean := parley.is_of_conversations(v_part);
    v_last text;
begin
    if v_part is null then
        lines := parley.account_line(user_id) || E'\n';
        row_count := 1;
        next := '{"part": "message"}';
        return next;
        return;
    end if;
    -- parts without a line are passed over, but not for ever
    for i in 1..1000 loop
        if v_split and v_after is null then
            v_conversation_id := parley.next_conversation(data_page.user_id, v_conversation_id);
        end if;
        lines := null;
        row_count := 0;
        v_last := null;
        if v_part = 'message' then
            select m.lines, m.row_count, m.last_seq::text into lines, row_count, v_last
            from parley.message_lines(
                data_page.user_id, v_conversation_id, coalesce(v_after, '0')::bigint, true, 'jsonl', data_page.batch
            ) as m;
        elsif v_conversation_id is not null then
            select t.lines, t.row_count, t.last_key into lines, row_count, v_last
            from parley.table_lines(
                v_part, data_page.user_id, case when v_split then v_conversation_id end, v_after, data_page.batch
            ) as t;
        end if;
        v_after := v_last;
        if v_conversation_id is null or (v_last is null and not v_split) then
            v_part := parley.exported_part(case when v_part = 'message' then '' else v_part end);
            v_split := parley.is_of_conversations(v_part);
            v_conversation_id := v_none;
            v_after := null;
        end if;
        exit when row_count > 0 or v_part is null;
    end loop;
    row_count := coalesce(row_count, 0);
    if v_part is not null then
        next := jsonb_strip_nulls(
            jsonb_build_object('part', v_part, 'conversation', v_conversation_id, 'after', v_after)
        );
    end if;
    return next;
end;
$$;
comment on function parley.data_page is
'A page of all about a user from a position on, and the position after it. next null: it was the last.';
