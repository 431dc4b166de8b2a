-- Asking for an export, and looking how far it is.

create or replace function parley.export_json(export parley.export)
returns jsonb
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_build_object(
        'id', export.id,
        'conversation_id', export.conversation_id,
        'format', export.format,
        'state', export.state,
        'file', case when export.state = 'ready' then export.id || '.' || export.format end,
        'rows', export.rows_written,
        'bytes', export.bytes_written,
        'created_at', export.created_at,
        'finished_at', export.finished_at,
        'expires_at', export.expires_at
    )
$$;
comment on function parley.export_json is 'An export as its user sees it.';

create or replace function parley.begin_export(user_id uuid, conversation_id uuid, format text)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_days constant text := parley.setting_value('export_retention_days');
    v_export parley.export;
begin
    -- one at a time of the same: asking again while it is being written is no second one
    select x.* into v_export
    from parley.export as x
    where x.user_id = begin_export.user_id
        and x.conversation_id is not distinct from begin_export.conversation_id
        and x.format = begin_export.format
        and x.state = 'pending'
        and x.expires_at > now()
    order by x.created_at
    limit 1;
    if not found then
        perform parley.take_tier_token(begin_export.user_id, 'exports_per_day');
        insert into parley.export as x (id, user_id, conversation_id, format, expires_at)
        values (
            parley.uuid_v7(), begin_export.user_id, begin_export.conversation_id, begin_export.format,
            now() + make_interval(days => case when v_days ~ '^[1-9][0-9]{0,3}$' then v_days::integer else 7 end)
        )
        returning x.* into v_export;
    end if;
    return parley.export_json(v_export);
end;
$$;
comment on function parley.begin_export is 'The export of that kind that is being written, or a new one.';

create or replace function parley.export_my_data()
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return parley.begin_export(parley.provision_caller(), null, 'jsonl');
end;
$$;
comment on function parley.export_my_data is
'Asks for all that messaging knows about the caller, as JSON Lines. A worker writes the file. Returns the export: get_export tells when it is ready, as does export:ready.';
grant execute on function parley.export_my_data to authenticated;

create or replace function parley.export_conversation(conversation_id uuid, format text default 'jsonl')
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid := parley.provision_caller();
begin
    if format is null or format not in ('jsonl', 'csv') then
        raise exception using errcode = 'PT400', message = 'format must be jsonl or csv.';
    end if;
    perform parley.require_participant(export_conversation.conversation_id, v_user_id);
    return parley.begin_export(v_user_id, export_conversation.conversation_id, format);
end;
$$;
comment on function parley.export_conversation is
'Asks for the history of a conversation as the caller sees it. What others have said is in it with their consent (request_export_consent) at the moment it is written; without it their messages are withheld. Returns the export.';
grant execute on function parley.export_conversation to authenticated;

create or replace function parley.get_export(export_id uuid)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.require_caller();
    v_export parley.export;
begin
    select x.* into v_export
    from parley.export as x
    where x.id = get_export.export_id and x.user_id = v_user_id;
    if not found then
        raise exception using errcode = 'PT404', message = 'The export does not exist.';
    end if;
    return parley.export_json(v_export);
end;
$$;
comment on function parley.get_export is 'An export of the caller: how far it is, and the name of its file once it is ready.';
grant execute on function parley.get_export to authenticated;
