-- A message takes the files it names, or copies those of the message it passes on.

create or replace function parley.check_attachments(
    conversation_id uuid, sender_id uuid, message_type parley.message_type, attachment_ids uuid[]
)
returns void
language plpgsql stable security definer
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
comment on function parley.check_attachments is
'Fails unless a message of this type can have these attachments: the sender''s own, uploaded for this conversation, not yet part of a message, not infected.';

create or replace function parley.copy_attachments(message parley.message, attachment_ids uuid[])
returns void
language plpgsql volatile security definer
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
comment on function parley.copy_attachments is
'Gives a message copies of these attachments, which share the stored files. Fails if one was removed meanwhile.';

create or replace function parley.attach(message parley.message, attachment_ids uuid[])
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_attached bigint;
begin
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
comment on function parley.attach is
'Makes the attachments part of a message that was just written; PT409 if another message has taken one meanwhile.';
