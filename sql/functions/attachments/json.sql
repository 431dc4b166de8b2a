-- An attachment as clients see it.

create or replace function parley.attachment_json(attachment parley.attachment)
returns jsonb
language plpgsql immutable security invoker parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    -- plpgsql, because its plan is kept: messages in the log are rendered with it
    return jsonb_build_object(
        'id', attachment.id,
        'kind', attachment.kind,
        'state', attachment.state,
        'scan_state', attachment.scan_state,
        'file_name', attachment.file_name,
        'content_type', attachment.content_type,
        'byte_size', attachment.byte_size,
        'width', attachment.width,
        'height', attachment.height,
        'duration_ms', attachment.duration_ms,
        'waveform', to_jsonb(attachment.waveform),
        'variants', case when attachment.scan_state = 'infected' then '[]' else attachment.variants end,
        'url', case when attachment.scan_state <> 'infected' then attachment.url end,
        'metadata', coalesce(attachment.metadata, '{}')
    );
end;
$$;
comment on function parley.attachment_json is 'An attachment as clients see it; an infected one cannot be fetched.';

create or replace function parley.attachments_json(conversation_id uuid, message_id uuid)
returns jsonb
language plpgsql stable security definer parallel safe
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select coalesce(jsonb_agg(parley.attachment_json(a) order by a.position), '[]')
        from parley.attachment as a
        where a.message_id = attachments_json.message_id
            and a.conversation_id = attachments_json.conversation_id
            and a.state = 'attached'
    );
end;
$$;
comment on function parley.attachments_json is 'The attachments of a message, in order.';
