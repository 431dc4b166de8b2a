-- Files go with the last message that has them: their objects are queued for the service to delete.

create or replace function parley.unreference_objects(storage_paths text[])
returns void
language plpgsql volatile security definer
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
comment on function parley.unreference_objects is
'One attachment less for each of these files; one that none needs any more is to be deleted.';

create or replace function parley.remove_attachments(conversation_id uuid, message_id uuid)
returns void
language plpgsql volatile security definer
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
comment on function parley.remove_attachments is
'Marks the attachments of a message as removed; the files that no other message shares are to be deleted. The caller holds the lock.';

create or replace function parley.release_attachments(conversation_id uuid, message_ids uuid[])
returns bigint
language plpgsql volatile security definer
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
comment on function parley.release_attachments is
'Deletes the attachment rows of purged messages. Files that nothing else shares are to be deleted. Returns the number of rows.';

create or replace function parley.remove_orphaned_attachments()
returns boolean
language plpgsql volatile security definer
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
comment on function parley.remove_orphaned_attachments is
'A job: removes attachments that were declared a day ago and are part of no message. Their files are to be deleted. True: there may be more.';

create or replace function parley.objects_to_delete(batch integer default 100)
returns setof text
language plpgsql stable security definer
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
        -- what was taken back under a hold is kept until it ends
        and not exists (
            select from parley.attachment as a
            where a.storage_path = o.storage_path and parley.is_held(a.conversation_id)
        )
    order by o.unreferenced_at
    limit batch;
end;
$$;
comment on function parley.objects_to_delete is
'For the service that keeps the files: paths of files that nothing needs any more, oldest first.';
grant execute on function parley.objects_to_delete to service_role;

create or replace function parley.object_deleted(storage_path text)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    delete from parley.stored_object as o
    where o.storage_path = object_deleted.storage_path and o.reference_count = 0;
    return found;
end;
$$;
comment on function parley.object_deleted is
'For the service that keeps the files: this one has been deleted. False: it was not one to delete, or no longer is.';
grant execute on function parley.object_deleted to service_role;
