-- For the service that keeps and scans the files.

create or replace function parley.find_attachment(attachment_id uuid, for_update boolean default false)
returns parley.attachment
language plpgsql volatile security definer
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
comment on function parley.find_attachment is
'An attachment, for the server itself, or PT404; if asked, under the lock of its conversation and its own.';

create or replace function parley.get_stored_attachment(attachment_id uuid)
returns jsonb
language plpgsql volatile security definer
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
comment on function parley.get_stored_attachment is
'An attachment with its place in storage and its limits, for the service that keeps the files.';
grant execute on function parley.get_stored_attachment to service_role;

create or replace function parley.tell_of_attachment(attachment parley.attachment)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    select parley.append_event(
        attachment.conversation_id, 'message:updated', null, attachment.message_id, attachment.message_seq, null, null
    )
    where attachment.state = 'attached'
$$;
comment on function parley.tell_of_attachment is
'Tells the conversation that a message changed because its attachment did, if it is part of one.';

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
language plpgsql volatile security definer
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
            lower(btrim(split_part(record_upload.content_type collate "C", ';', 1))), v_old.content_type
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
        or lower(btrim(split_part(record_upload.content_type collate "C", ';', 1))) <> v_old.content_type
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
comment on function parley.record_upload is
'For the service that keeps the files: records an upload, the reason of its failure, or later new variants. A file over a limit becomes failed; status is then the HTTP status for the uploader. A repeated call changes nothing.';
grant execute on function parley.record_upload to service_role;

create or replace function parley.record_scan(attachment_id uuid, scan_state text)
returns jsonb
language plpgsql volatile security definer
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
comment on function parley.record_scan is
'For the service that scans files: clean or infected, of this attachment and all that share its file. Once infected it stays so. Again is fine.';
grant execute on function parley.record_scan to service_role;
