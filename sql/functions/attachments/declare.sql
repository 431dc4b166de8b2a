-- Attachments. The bytes are never here: a client declares a file, uploads it to whatever service the deployment has,
-- that service records what it received, and a message then takes it. The order of the locks is: the conversation, its
-- attachments, the stored object.

create or replace function parley.check_attachment(
    user_id uuid, kind text, content_type text, byte_size bigint, duration_ms bigint
)
returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_limits record;
begin
    if not exists (select from parley.attachment_kind as k where k.name = check_attachment.kind) then
        raise exception using
            errcode = 'PT400',
            message = 'There is no such kind of attachment.',
            hint = (select format('Kinds: %s.', string_agg(k.name, ', ' order by k.name)) from parley.attachment_kind as k);
    end if;
    if not exists (
        select from parley.media_type as t
        where t.kind_name = check_attachment.kind and t.content_type = check_attachment.content_type
    ) then
        raise exception using
            errcode = 'PT400',
            message = 'This type of file is not supported.',
            hint = (
                select format('Supported: %s.', string_agg(t.content_type, ', ' order by t.content_type))
                from parley.media_type as t
                where t.kind_name = check_attachment.kind
            );
    end if;
    if coalesce(check_attachment.byte_size, 0) <= 0 then
        raise exception using errcode = 'PT400', message = 'byte_size must be at least 1.';
    end if;
    v_limits := parley.attachment_limits(check_attachment.user_id, check_attachment.kind);
    if check_attachment.byte_size > v_limits.max_bytes then
        raise exception using
            errcode = 'PT413',
            message = format('The file is too large: at most %s bytes.', v_limits.max_bytes),
            detail = format('It has %s.', check_attachment.byte_size);
    end if;
    if check_attachment.duration_ms is null
        and (check_attachment.kind = 'video' or v_limits.max_seconds is not null)
    then
        raise exception using
            errcode = 'PT400', message = format('An attachment of kind %s needs duration_ms.', check_attachment.kind);
    end if;
    if check_attachment.duration_ms > v_limits.max_seconds * 1000 then
        raise exception using
            errcode = 'PT413',
            message = format('The recording is too long: at most %s seconds.', v_limits.max_seconds),
            detail = format('It has %s.', ceil(check_attachment.duration_ms / 1000.0));
    end if;
end;
$$;
comment on function parley.check_attachment is
'Fails with PT400 for a kind or type that is not supported, naming those that are, or without the duration of what may only be so long; and with PT413 for a file too large or too long for the user''s plan.';

create or replace function parley.declare_attachment(
    conversation_id uuid,
    kind text,
    file_name text,
    content_type text,
    byte_size bigint,
    width integer default null,
    height integer default null,
    duration_ms bigint default null,
    waveform integer[] default null,
    metadata jsonb default null
)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_id uuid := parley.uuid_v7();
    -- recorders add the codec
    v_content_type text := lower(btrim(split_part(declare_attachment.content_type collate "C", ';', 1)));
    v_metadata jsonb := parley.validate_metadata(declare_attachment.metadata);
    v_limits record;
    v_attachment parley.attachment;
begin
    perform parley.require_may(v_user_id, 'upload', declare_attachment.conversation_id);
    perform parley.require_messaging(v_user_id);
    perform parley.require_name(declare_attachment.file_name, 'file_name');
    if declare_attachment.file_name is null or declare_attachment.file_name ~ E'[/\\\\]' then
        raise exception using errcode = 'PT400', message = 'file_name must be a name without a path.';
    end if;
    perform parley.check_attachment(
        v_user_id, declare_attachment.kind, v_content_type, declare_attachment.byte_size,
        declare_attachment.duration_ms
    );
    if declare_attachment.width <= 0 or declare_attachment.height <= 0 or declare_attachment.duration_ms <= 0 then
        raise exception using errcode = 'PT400', message = 'width, height and duration_ms must be at least 1.';
    end if;
    if cardinality(declare_attachment.waveform) not between 1 and 256
        or array_ndims(declare_attachment.waveform) > 1
        or cardinality(array_remove(declare_attachment.waveform, null)) < cardinality(declare_attachment.waveform)
        or not (0 <= all (declare_attachment.waveform) and 255 >= all (declare_attachment.waveform))
    then
        raise exception using errcode = 'PT400', message = 'waveform must have 1 to 256 values from 0 to 255.';
    end if;
    if declare_attachment.kind = 'voice' and num_nulls(declare_attachment.duration_ms, declare_attachment.waveform) > 0 then
        raise exception using errcode = 'PT400', message = 'A voice message needs duration_ms and waveform.';
    end if;
    perform parley.take_tier_token(v_user_id, 'uploads_per_hour');
    -- the path tells nothing: a copy of the message shows it in another conversation
    insert into parley.attachment as a (
        id, conversation_id, owner_id, kind, file_name, content_type, byte_size, width, height, duration_ms, waveform,
        metadata, storage_path
    )
    values (
        v_id, declare_attachment.conversation_id, v_user_id, declare_attachment.kind, declare_attachment.file_name,
        v_content_type, declare_attachment.byte_size, declare_attachment.width, declare_attachment.height,
        declare_attachment.duration_ms, declare_attachment.waveform, v_metadata, 'attachments/' || v_id
    )
    returning a.* into v_attachment;
    insert into parley.stored_object (storage_path) values (v_attachment.storage_path);
    v_limits := parley.attachment_limits(v_user_id, declare_attachment.kind);
    return parley.attachment_json(v_attachment) || jsonb_build_object(
        'conversation_id', v_attachment.conversation_id,
        'max_bytes', v_limits.max_bytes,
        'max_seconds', v_limits.max_seconds
    );
end;
$$;
comment on function parley.declare_attachment is
'Announces a file the caller is about to upload for a conversation they may send in. Returns the attachment and the limits of the upload.';
grant execute on function parley.declare_attachment to authenticated;
