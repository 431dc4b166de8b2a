-- The messages of a conversation for whoever oversees it, page by page, as JSON Lines or CSV.

create or replace function parley.export_messages(
    conversation_id uuid,
    reason text,
    format text default 'jsonl',
    after_seq bigint default 0,
    page_size integer default 500
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_role text := parley.oversight_role(export_messages.conversation_id);
    v_messages parley.message[];
begin
    if export_messages.format is null or export_messages.format not in ('jsonl', 'csv') then
        raise exception using errcode = 'PT400', message = 'format must be jsonl or csv.';
    end if;
    if after_seq is null or after_seq < 0 or page_size is null or page_size not between 1 and 1000 then
        raise exception using
            errcode = 'PT400', message = 'after_seq must be at least 0, and page_size between 1 and 1000.';
    end if;
    perform parley.audit(
        'export_messages', export_messages.reason, v_role,
        (
            select cp.tenant_id from parley.conversation_profile as cp
            where cp.conversation_id = export_messages.conversation_id
        ),
        export_messages.conversation_id,
        detail => jsonb_build_object('after_seq', after_seq, 'page_size', page_size, 'format', export_messages.format)
    );
    v_messages := array(
        select m
        from parley.message as m
        where m.conversation_id = export_messages.conversation_id and m.seq > export_messages.after_seq
        order by m.seq
        limit export_messages.page_size
    );
    return jsonb_build_object(
        'conversation_id', export_messages.conversation_id,
        'lines', case when after_seq = 0 and export_messages.format = 'csv' then parley.csv_head() else '' end
        || coalesce(
            (
                select string_agg(parley.message_line(m, null, export_messages.format, true) || E'\n', '' order by m.seq)
                from unnest(v_messages) as m
                where parley.message_verdict(m) = 'readable'
            ),
            ''
        ),
        'next_after_seq', case when cardinality(v_messages) = page_size then v_messages[page_size].seq end
    );
end;
$$;
comment on function parley.export_messages is
'What was said in a conversation and is still there, as lines of JSON or CSV: page_size messages after after_seq, oldest first. next_after_seq asks for the page after it; null: there is none. For owners and moderators of its tenant and the application; each call is in the audit log with its reason.';
grant execute on function parley.export_messages to authenticated, service_role;
