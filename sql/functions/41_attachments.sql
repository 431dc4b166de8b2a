-- Attachments. The bytes are never here: a client declares a file, uploads it to whatever service the deployment has,
-- that service records what it received, and a message then takes it. The order of the locks is: the conversation, its
-- attachments, the stored object.

create or replace function parley.attachment_json(attachment parley.attachment)
returns jsonb
language plpgsql
immutable
security invoker
parallel safe
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
comment on function parley.attachment_json(parley.attachment) is 'An attachment as clients see it; an infected one cannot be fetched.';
revoke all on function parley.attachment_json(parley.attachment) from public;

create or replace function parley.attachments_json(conversation_id uuid, message_id uuid)
returns jsonb
language plpgsql
stable
security definer
parallel safe
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
comment on function parley.attachments_json(uuid, uuid) is 'The attachments of a message, in order.';
revoke all on function parley.attachments_json(uuid, uuid) from public;

create or replace function parley.attachment_limits(
    user_id uuid, kind text, out max_bytes bigint, out max_seconds bigint
)
returns record
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_tier text := parley.tier_of(attachment_limits.user_id);
begin
    -- the kind's own row, also where that says unlimited
    select l.amount into max_bytes
    from parley.tier_limit as l
    where l.tier_name = v_tier and l.name in (format('max_%s_bytes', attachment_limits.kind), 'max_file_bytes')
    order by l.name <> 'max_file_bytes' or attachment_limits.kind = 'file' desc
    limit 1;
    select l.amount into max_seconds
    from parley.tier_limit as l
    where l.tier_name = v_tier and l.name = format('max_%s_seconds', attachment_limits.kind);
end;
$$;
comment on function parley.attachment_limits(uuid, text) is
'How large and how long an attachment of this kind may be for the user. Null: unlimited.';
revoke all on function parley.attachment_limits(uuid, text) from public;

create or replace function parley.check_attachment(
    user_id uuid, kind text, content_type text, byte_size bigint, duration_ms bigint
)
returns void
language plpgsql
stable
security definer
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
    if check_attachment.duration_ms > v_limits.max_seconds * 1000 then
        raise exception using
            errcode = 'PT413',
            message = format('The recording is too long: at most %s seconds.', v_limits.max_seconds),
            detail = format('It has %s.', ceil(check_attachment.duration_ms / 1000.0));
    end if;
end;
$$;
comment on function parley.check_attachment(uuid, text, text, bigint, bigint) is
'Fails with PT400 for a kind or type that is not supported, naming those that are, and with PT413 for a file too large or too long for the user''s plan.';
revoke all on function parley.check_attachment(uuid, text, text, bigint, bigint) from public;

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
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_user_id uuid := parley.provision_caller();
    v_id uuid := parley.uuid_v7();
    -- recorders add the codec
    v_content_type text := lower(btrim(split_part(declare_attachment.content_type, ';', 1)));
    v_metadata jsonb := parley.validate_metadata(declare_attachment.metadata);
    v_limits record;
    v_attachment parley.attachment;
begin
    perform parley.require_may_send(declare_attachment.conversation_id, v_user_id);
    if declare_attachment.file_name is null
        or declare_attachment.file_name !~ '\S'
        or char_length(declare_attachment.file_name) > 255
        or declare_attachment.file_name ~ '[[:cntrl:]/\\]'
    then
        raise exception using
            errcode = 'PT400',
            message = 'file_name must be a name of at most 255 characters, without a path or control characters.';
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
    perform parley.take_token(v_user_id, 'uploads_per_hour');
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
comment on function parley.declare_attachment(uuid, text, text, text, bigint, integer, integer, bigint, integer[], jsonb) is
'Announces a file the caller is about to upload for a conversation they may send in. Returns the attachment and the limits of the upload.';
revoke all on function parley.declare_attachment(
    uuid, text, text, text, bigint, integer, integer, bigint, integer[], jsonb
) from public;
grant execute on function parley.declare_attachment(
    uuid, text, text, text, bigint, integer, integer, bigint, integer[], jsonb
) to authenticated;

create or replace function parley.check_attachments(
    conversation_id uuid, sender_id uuid, message_type parley.message_type, attachment_ids uuid[]
)
returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_max bigint;
    v_attachment parley.attachment;
    v_found bigint := 0;
begin
    if cardinality(attachment_ids) = 0 then
        if message_type.requires_attachment then
            raise exception using
                errcode = 'PT400',
                message = format('A message of type %s needs an attachment.', message_type.name);
        end if;
        return;
    end if;
    v_max := parley.limit_of(sender_id, 'max_attachments');
    if cardinality(attachment_ids) > v_max then
        raise exception using errcode = 'PT400', message = format('A message may have at most %s attachments.', v_max);
    end if;
    if message_type.name = 'voice' and cardinality(attachment_ids) > 1 then
        raise exception using errcode = 'PT400', message = 'A voice message has one recording.';
    end if;
    for v_attachment in
        select a.*
        from parley.attachment as a
        where a.id = any (check_attachments.attachment_ids)
            and a.conversation_id = check_attachments.conversation_id
            and a.owner_id = check_attachments.sender_id
            and a.state <> 'removed'
    loop
        v_found := v_found + 1;
        if v_attachment.scan_state = 'infected' then
            raise exception using errcode = 'PT403', message = 'An attachment was found to be harmful and cannot be sent.';
        end if;
        if v_attachment.state <> 'uploaded' then
            raise exception using
                errcode = 'PT409',
                message = case v_attachment.state
                    when 'attached' then 'An attachment is already part of a message.'
                    when 'failed' then 'The upload of an attachment failed.'
                    else 'An attachment has not been uploaded yet.'
                end;
        end if;
        if v_attachment.kind <> all (message_type.attachment_kinds) then
            raise exception using
                errcode = 'PT400',
                message = format('A message of type %s cannot have an attachment of this kind.', message_type.name),
                detail = format('The attachment is of kind %s.', v_attachment.kind);
        end if;
    end loop;
    -- also if one is named twice, or is null
    if v_found <> cardinality(attachment_ids) then
        raise exception using errcode = 'PT404', message = 'An attachment does not exist, or you may not use it.';
    end if;
end;
$$;
comment on function parley.check_attachments(uuid, uuid, parley.message_type, uuid[]) is
'Fails unless a message of this type can have these attachments: the sender''s own, uploaded for this conversation, not yet part of a message, not infected.';
revoke all on function parley.check_attachments(uuid, uuid, parley.message_type, uuid[]) from public;

create or replace function parley.attach(message parley.message, attachment_ids uuid[], server jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_attached bigint;
begin
    if attach.server -> 'forwards' is not null then
        perform parley.copy_attachments(message, attach.attachment_ids);
        return;
    end if;
    -- decided here, under the conversation's lock: of two messages with one attachment the second finds it taken
    update parley.attachment as a
    set
        state = 'attached',
        message_id = message.id,
        message_seq = message.seq,
        position = u.n,
        expires_at = message.expires_at,
        attached_at = message.created_at
    from unnest(attach.attachment_ids) with ordinality as u (id, n)
    where a.id = u.id
        and a.conversation_id = message.conversation_id
        and a.owner_id = message.sender_id
        and a.state = 'uploaded'
        and a.scan_state <> 'infected';
    get diagnostics v_attached = row_count;
    if v_attached <> cardinality(attach.attachment_ids) then
        raise exception using
            errcode = 'PT409',
            message = 'An attachment is already part of a message, or was withdrawn.';
    end if;
end;
$$;
comment on function parley.attach(parley.message, uuid[], jsonb) is
'Makes the attachments part of a message that was just written; PT409 if another message has taken one meanwhile.';
revoke all on function parley.attach(parley.message, uuid[], jsonb) from public;

create or replace function parley.copy_attachments(message parley.message, attachment_ids uuid[])
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_copied bigint;
    v_counted bigint;
begin
    -- the shared row lock makes record_scan wait until the copies can be seen
    perform 1 from parley.attachment as a where a.id = any (copy_attachments.attachment_ids) order by a.id for share;
    insert into parley.attachment (
        id, conversation_id, owner_id, message_id, message_seq, position, byte_size, duration_ms, uploaded_at,
        attached_at, expires_at, width, height, kind, state, scan_state, file_name, content_type, storage_path, url,
        waveform, variants, metadata
    )
    select
        parley.uuid_v7(), message.conversation_id, message.sender_id, message.id, message.seq, u.n, a.byte_size,
        a.duration_ms, a.uploaded_at, message.created_at, message.expires_at, a.width, a.height, a.kind, 'attached',
        a.scan_state, a.file_name, a.content_type, a.storage_path, a.url, a.waveform, a.variants, a.metadata
    from unnest(copy_attachments.attachment_ids) with ordinality as u (id, n)
    inner join parley.attachment as a on u.id = a.id
    where a.state = 'attached' and a.scan_state <> 'infected';
    get diagnostics v_copied = row_count;
    -- in the order of their paths, as everywhere, so that two of these cannot wait for each other
    perform 1
    from parley.stored_object as o
    where o.storage_path in (
        select a.storage_path from parley.attachment as a where a.id = any (copy_attachments.attachment_ids)
    )
    order by o.storage_path
    for update;
    update parley.stored_object as o
    set reference_count = o.reference_count + 1
    from parley.attachment as a
    where a.id = any (copy_attachments.attachment_ids)
        and o.storage_path = a.storage_path
        and o.reference_count > 0;
    get diagnostics v_counted = row_count;
    if least(v_copied, v_counted) < cardinality(copy_attachments.attachment_ids) then
        raise exception using errcode = 'PT409', message = 'The message was deleted, or its attachments were withdrawn.';
    end if;
end;
$$;
comment on function parley.copy_attachments(parley.message, uuid[]) is
'Gives a message copies of these attachments, which share the stored files. Fails if one was removed meanwhile.';
revoke all on function parley.copy_attachments(parley.message, uuid[]) from public;

create or replace function parley.unreference_objects(storage_paths text[])
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    perform 1
    from parley.stored_object as o
    where o.storage_path = any (unreference_objects.storage_paths)
    order by o.storage_path
    for update;
    update parley.stored_object as o
    set
        reference_count = o.reference_count - u.n,
        unreferenced_at = case when o.reference_count = u.n then clock_timestamp() end
    from (
        select p.path, count(*) as n
        from unnest(unreference_objects.storage_paths) as p (path)
        group by p.path
    ) as u
    where o.storage_path = u.path;
end;
$$;
comment on function parley.unreference_objects(text[]) is
'One attachment less for each of these files; one that none needs any more is to be deleted.';
revoke all on function parley.unreference_objects(text[]) from public;

create or replace function parley.remove_attachments(conversation_id uuid, message_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_paths text[];
begin
    with removed as (
        update parley.attachment as a
        set state = 'removed', removed_at = clock_timestamp()
        where a.message_id = remove_attachments.message_id
            and a.conversation_id = remove_attachments.conversation_id
            and a.state <> 'removed'
        returning a.storage_path
    )
    select array_agg(r.storage_path) into v_paths from removed as r;
    if v_paths is not null then
        perform parley.unreference_objects(v_paths);
    end if;
end;
$$;
comment on function parley.remove_attachments(uuid, uuid) is
'Marks the attachments of a message as removed; the files that no other message shares are to be deleted. The caller holds the lock.';
revoke all on function parley.remove_attachments(uuid, uuid) from public;

create or replace function parley.release_attachments(conversation_id uuid, message_ids uuid[])
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_released bigint;
    v_paths text[];
begin
    with released as (
        delete from parley.attachment as a
        where a.message_id = any (release_attachments.message_ids)
            and a.conversation_id = release_attachments.conversation_id
        returning a.storage_path, a.state
    )
    select count(*), array_agg(r.storage_path) filter (where r.state <> 'removed')
    into v_released, v_paths
    from released as r;
    if v_paths is not null then
        perform parley.unreference_objects(v_paths);
    end if;
    return v_released;
end;
$$;
comment on function parley.release_attachments(uuid, uuid[]) is
'For whoever purges messages: deletes the rows of their attachments; the files that nothing else shares are to be deleted. Returns how many rows.';
revoke all on function parley.release_attachments(uuid, uuid[]) from public;

create or replace function parley.find_attachment(attachment_id uuid, for_update boolean default false)
returns parley.attachment
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_attachment parley.attachment;
begin
    if find_attachment.attachment_id is null then
        raise exception using errcode = 'PT400', message = 'attachment_id is required.';
    end if;
    select a.* into v_attachment from parley.attachment as a where a.id = find_attachment.attachment_id;
    if found and find_attachment.for_update then
        perform parley.lock_conversation(v_attachment.conversation_id);
        select a.* into v_attachment
        from parley.attachment as a
        where a.id = find_attachment.attachment_id
        for no key update;
    end if;
    if not found then
        raise exception using errcode = 'PT404', message = 'The attachment does not exist.';
    end if;
    return v_attachment;
end;
$$;
comment on function parley.find_attachment(uuid, boolean) is
'An attachment, for the server itself, or PT404; if asked, under the lock of its conversation and its own.';
revoke all on function parley.find_attachment(uuid, boolean) from public;

create or replace function parley.get_stored_attachment(attachment_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_attachment parley.attachment := parley.find_attachment(attachment_id);
    v_limits record := parley.attachment_limits(v_attachment.owner_id, v_attachment.kind);
begin
    return parley.attachment_json(v_attachment) || jsonb_build_object(
        'conversation_id', v_attachment.conversation_id,
        'message_id', v_attachment.message_id,
        'owner_id', v_attachment.owner_id,
        'storage_path', v_attachment.storage_path,
        'url', v_attachment.url,
        'failure', v_attachment.failure,
        'max_bytes', v_limits.max_bytes,
        'max_seconds', v_limits.max_seconds
    );
end;
$$;
comment on function parley.get_stored_attachment(uuid) is
'An attachment with its place in storage and its limits, for the service that keeps the files.';
revoke all on function parley.get_stored_attachment(uuid) from public;
grant execute on function parley.get_stored_attachment(uuid) to service_role;

create or replace function parley.tell_of_attachment(attachment parley.attachment)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
    select parley.append_event(
        attachment.conversation_id, 'message:updated', null, attachment.message_id, attachment.message_seq, null, null
    )
    where attachment.state = 'attached'
$$;
comment on function parley.tell_of_attachment(parley.attachment) is
'Tells the conversation that a message changed because its attachment did, if it is part of one.';
revoke all on function parley.tell_of_attachment(parley.attachment) from public;

create or replace function parley.record_upload(
    attachment_id uuid,
    byte_size bigint default null,
    content_type text default null,
    width integer default null,
    height integer default null,
    duration_ms bigint default null,
    variants jsonb default null,
    url text default null,
    failure text default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_old parley.attachment := parley.find_attachment(record_upload.attachment_id, true);
    v_new parley.attachment := v_old;
    v_status text;
begin
    if v_old.state in ('failed', 'removed') then
        raise exception using
            errcode = 'PT409',
            message = format('The attachment is %s.', v_old.state),
            hint = 'Declare it again.';
    end if;
    if jsonb_typeof(record_upload.variants) <> 'array' or octet_length(record_upload.variants::text) > 16384 then
        raise exception using errcode = 'PT400', message = 'variants must be a JSON array of at most 16384 bytes.';
    end if;
    if record_upload.width <= 0 or record_upload.height <= 0 or record_upload.duration_ms <= 0 then
        raise exception using errcode = 'PT400', message = 'width, height and duration_ms must be at least 1.';
    end if;
    if record_upload.url !~* '^https?://' or char_length(record_upload.url) > 2000 then
        raise exception using errcode = 'PT400', message = 'url must be http or https, of at most 2000 characters.';
    end if;
    v_new.width := coalesce(record_upload.width, v_old.width);
    v_new.height := coalesce(record_upload.height, v_old.height);
    v_new.duration_ms := coalesce(record_upload.duration_ms, v_old.duration_ms);
    v_new.variants := coalesce(record_upload.variants, v_old.variants);
    v_new.url := coalesce(record_upload.url, v_old.url);
    if v_old.state = 'declared' then
        v_new.byte_size := coalesce(record_upload.byte_size, v_old.byte_size);
        v_new.content_type := coalesce(
            lower(btrim(split_part(record_upload.content_type, ';', 1))), v_old.content_type
        );
        v_new.state := 'uploaded';
        v_new.uploaded_at := clock_timestamp();
        -- what was declared is only a promise: what arrived counts, and what may not be is kept as a failure
        begin
            if record_upload.failure is not null then
                raise exception using errcode = 'PT400', message = left(record_upload.failure, 500);
            end if;
            perform parley.check_attachment(
                v_old.owner_id, v_old.kind, v_new.content_type, v_new.byte_size, v_new.duration_ms
            );
        exception
            when sqlstate 'PT400' or sqlstate 'PT413' then
                get stacked diagnostics v_new.failure = message_text;
                v_status := sqlstate;
                v_new.byte_size := v_old.byte_size;
                v_new.content_type := v_old.content_type;
                v_new.state := 'failed';
                v_new.uploaded_at := null;
        end;
    elsif record_upload.failure is not null
        or record_upload.byte_size <> v_old.byte_size
        or lower(btrim(split_part(record_upload.content_type, ';', 1))) <> v_old.content_type
    then
        raise exception using
            errcode = 'PT409',
            message = 'Another upload of this attachment was recorded before.';
    end if;
    if v_new is distinct from v_old then
        update parley.attachment as a
        set
            byte_size = v_new.byte_size,
            content_type = v_new.content_type,
            width = v_new.width,
            height = v_new.height,
            duration_ms = v_new.duration_ms,
            variants = v_new.variants,
            url = v_new.url,
            state = v_new.state,
            failure = v_new.failure,
            uploaded_at = v_new.uploaded_at
        where a.id = v_old.id and a.conversation_id = v_old.conversation_id;
        perform parley.tell_of_attachment(v_new);
    end if;
    return parley.attachment_json(v_new) || jsonb_build_object(
        'conversation_id', v_new.conversation_id,
        'failure', v_new.failure,
        'status', case v_status when 'PT413' then 413 when 'PT400' then 400 else 200 end
    );
end;
$$;
comment on function parley.record_upload(uuid, bigint, text, integer, integer, bigint, jsonb, text, text) is
'For the service that keeps the files: what was uploaded, or why it failed; later also new variants. A file that breaks a limit becomes state failed, and status says with which HTTP status to tell the uploader. Again is fine.';
revoke all on function parley.record_upload(uuid, bigint, text, integer, integer, bigint, jsonb, text, text)
from public;
grant execute on function parley.record_upload(uuid, bigint, text, integer, integer, bigint, jsonb, text, text)
to service_role;

create or replace function parley.record_scan(attachment_id uuid, scan_state text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_attachment parley.attachment := parley.find_attachment(record_scan.attachment_id);
    v_changed parley.attachment;
    v_ids uuid[];
begin
    if record_scan.scan_state is null or record_scan.scan_state not in ('clean', 'infected') then
        raise exception using errcode = 'PT400', message = 'scan_state must be clean or infected.';
    end if;
    -- conversations first, and in order, as for every change
    perform parley.lock_conversation(c.id)
    from (
        select distinct a.conversation_id as id
        from parley.attachment as a
        where a.storage_path = v_attachment.storage_path
        order by a.conversation_id
    ) as c;
    -- All copies: a forward that is under way holds its original, and what it makes is seen by the next round.
    loop
        v_ids := null;
        for v_changed in
            update parley.attachment as a
            set scan_state = record_scan.scan_state
            where a.storage_path = v_attachment.storage_path
                and a.scan_state <> record_scan.scan_state
                -- what was found in a file stays in it
                and a.scan_state <> 'infected'
            returning a.*
        loop
            v_ids := v_ids || v_changed.id;
            perform parley.tell_of_attachment(v_changed);
        end loop;
        exit when v_ids is null;
    end loop;
    return parley.attachment_json(parley.find_attachment(record_scan.attachment_id));
end;
$$;
comment on function parley.record_scan(uuid, text) is
'For the service that scans files: clean or infected, of this attachment and all that share its file. Once infected it stays so. Again is fine.';
revoke all on function parley.record_scan(uuid, text) from public;
grant execute on function parley.record_scan(uuid, text) to service_role;

create or replace function parley.remove_orphaned_attachments()
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_removed bigint;
    v_paths text[];
begin
    with orphan as (
        select a.id, a.conversation_id
        from parley.attachment as a
        where a.message_id is null and a.declared_at < now() - interval '24 hours'
            -- one that is to be sent later waits with its message
            and not exists (
                select from parley.scheduled_message as s
                where s.conversation_id = a.conversation_id
                    and s.status = 'pending'
                    and a.id = any(s.attachment_ids)
            )
        order by a.declared_at
        limit 500
        for update skip locked
    ),
    removed as (
        delete from parley.attachment as a
        using orphan as o
        where a.id = o.id and a.conversation_id = o.conversation_id and a.message_id is null
        returning a.storage_path
    )
    select count(*), array_agg(r.storage_path) into v_removed, v_paths from removed as r;
    if v_paths is not null then
        perform parley.unreference_objects(v_paths);
    end if;
    return v_removed = 500;
end;
$$;
comment on function parley.remove_orphaned_attachments() is
'A job: removes attachments that were declared a day ago and are part of no message. Their files are to be deleted. True: there may be more.';
revoke all on function parley.remove_orphaned_attachments() from public;

create or replace function parley.objects_to_delete(batch integer default 100)
returns setof text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if batch is null or batch not between 1 and 1000 then
        raise exception using errcode = 'PT400', message = 'batch must be between 1 and 1000.';
    end if;
    return query
    select o.storage_path
    from parley.stored_object as o
    where o.unreferenced_at is not null
    order by o.unreferenced_at
    limit batch;
end;
$$;
comment on function parley.objects_to_delete(integer) is
'For the service that keeps the files: paths of those that nothing needs any more, the longest since first.';
revoke all on function parley.objects_to_delete(integer) from public;
grant execute on function parley.objects_to_delete(integer) to service_role;

create or replace function parley.object_deleted(storage_path text)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    delete from parley.stored_object as o
    where o.storage_path = object_deleted.storage_path and o.reference_count = 0;
    return found;
end;
$$;
comment on function parley.object_deleted(text) is
'For the service that keeps the files: this one has been deleted. False: it was not one to delete, or no longer is.';
revoke all on function parley.object_deleted(text) from public;
grant execute on function parley.object_deleted(text) to service_role;
