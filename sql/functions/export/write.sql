-- For the worker that writes the files: which export is to be written, its next page, and how far it has got.

create or replace function parley.claim_export(writer text)
returns table (id uuid, format text, bytes_written bigint)
language plpgsql volatile security definer
rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if claim_export.writer is null or char_length(claim_export.writer) not between 1 and 500 then
        raise exception using errcode = 'PT400', message = 'writer must have 1 to 500 characters.';
    end if;
    return query
    update parley.export as x
    set
        claimed_until = clock_timestamp() + interval '1 minute',
        writer = claim_export.writer,
        -- what another writer has begun lies in another folder
        position = case when x.writer = claim_export.writer then x.position else '{}' end,
        rows_written = case when x.writer = claim_export.writer then x.rows_written else 0 end,
        bytes_written = case when x.writer = claim_export.writer then x.bytes_written else 0 end,
        pages = case when x.writer = claim_export.writer then x.pages else 0 end
    where x.id = (
        select y.id
        from parley.export as y
        where y.state = 'pending'
            and y.expires_at > clock_timestamp()
            and (y.writer = claim_export.writer or y.claimed_until < clock_timestamp() or y.claimed_until is null)
        order by y.created_at
        limit 1
        for update skip locked
    )
    returning x.id, x.format, x.bytes_written;
end;
$$;
comment on function parley.claim_export is
'The export that a writer (a machine and its folder) is to go on with, and how long its file is to be before; one that another has left is begun anew. No row: there is nothing to write.';
grant execute on function parley.claim_export to parley_worker;

create or replace function parley.export_page(export_id uuid, batch integer default 1000)
returns table (lines text, row_count bigint, next jsonb)
language plpgsql stable security definer
rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_export parley.export;
    v_after constant bigint := 0;
begin
    select x.* into v_export from parley.export as x where x.id = export_page.export_id and x.state = 'pending';
    if not found then
        raise exception using errcode = 'PT404', message = 'The export does not exist, or is not being written.';
    end if;
    if v_export.conversation_id is null then
        return query select d.lines, d.row_count, d.next
        from parley.data_page(v_export.user_id, v_export.position, export_page.batch) as d;
        return;
    end if;
    -- who has left meanwhile sees no more of it
    if exists (
        select from parley.participant as p
        where p.conversation_id = v_export.conversation_id and p.user_id = v_export.user_id and p.left_at is null
    ) then
        select m.lines, m.row_count, jsonb_build_object('after', m.last_seq)
        into lines, row_count, next
        from parley.message_lines(
            v_export.user_id, v_export.conversation_id,
            coalesce((v_export.position ->> 'after')::bigint, v_after), false, v_export.format, export_page.batch
        ) as m;
    end if;
    if v_export.pages = 0 and v_export.format = 'csv' then
        lines := parley.csv_head() || coalesce(lines, '');
    end if;
    row_count := coalesce(row_count, 0);
    return next;
end;
$$;
comment on function parley.export_page is
'The page of an export that comes next, and the position after it; it is told again until export_advance. next null: it is the last.';
grant execute on function parley.export_page to parley_worker;

create or replace function parley.export_advance(
    export_id uuid, writer text, bytes_before bigint, bytes_added bigint, rows_added bigint, next jsonb
)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_export parley.export;
begin
    update parley.export as x
    set
        position = coalesce(export_advance.next, '{}'),
        bytes_written = x.bytes_written + export_advance.bytes_added,
        rows_written = x.rows_written + export_advance.rows_added,
        pages = x.pages + 1,
        claimed_until = clock_timestamp() + interval '1 minute',
        state = case when export_advance.next is null then 'ready' else 'pending' end,
        finished_at = case when export_advance.next is null then clock_timestamp() end
    where x.id = export_advance.export_id
        and x.state = 'pending'
        and x.writer = export_advance.writer
        and x.bytes_written = export_advance.bytes_before
    returning x.* into v_export;
    if found and v_export.state = 'ready' then
        perform parley.append_event(
            null, 'export:ready', null, null, null, v_export.user_id, jsonb_build_object('export_id', v_export.id)
        );
    end if;
    return v_export.id is not null;
end;
$$;
comment on function parley.export_advance is
'A page is in the file, which was bytes_before long: the next one may come. next null: the export is ready. False: another writer has it now, or it is no more.';
grant execute on function parley.export_advance to parley_worker;

create or replace function parley.restart_export(export_id uuid, writer text)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    update parley.export as x
    set position = '{}', rows_written = 0, bytes_written = 0, pages = 0
    where x.id = export_id and x.writer = restart_export.writer and x.state = 'pending'
$$;
comment on function parley.restart_export is 'The file of an export was lost while it was written: it is begun anew.';
grant execute on function parley.restart_export to parley_worker;

create or replace function parley.expired_exports(writer text)
returns table (id uuid, format text)
language plpgsql stable security definer
rows 10
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select x.id, x.format
    from parley.export as x
    where x.writer = expired_exports.writer and x.state <> 'expired' and x.expires_at <= clock_timestamp()
    order by x.expires_at
    limit 100;
end;
$$;
comment on function parley.expired_exports is 'Exports whose file this writer is to delete.';
grant execute on function parley.expired_exports to parley_worker;

create or replace function parley.export_expired(export_id uuid, writer text)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    update parley.export as x
    set state = 'expired', position = '{}'
    where x.id = export_expired.export_id and x.writer = export_expired.writer and x.expires_at <= clock_timestamp();
end;
$$;
comment on function parley.export_expired is 'The file of an export is deleted.';
grant execute on function parley.export_expired to parley_worker;
