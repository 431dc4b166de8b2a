-- Attachments: declared by users, recorded by the service that keeps the files.

create or replace function parley_api.declare_attachment(
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
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.declare_attachment(
        declare_attachment.conversation_id,
        declare_attachment.kind,
        declare_attachment.file_name,
        declare_attachment.content_type,
        declare_attachment.byte_size,
        declare_attachment.width,
        declare_attachment.height,
        declare_attachment.duration_ms,
        declare_attachment.waveform,
        declare_attachment.metadata
    );
end;
comment on function parley_api.declare_attachment(
    uuid, text, text, text, bigint, integer, integer, bigint, integer[], jsonb
) is
'Announces a file to be uploaded. Returns the attachment, whose id a message then names in attachment_ids.';
revoke all on function parley_api.declare_attachment(
    uuid, text, text, text, bigint, integer, integer, bigint, integer[], jsonb
) from public;
grant execute on function parley_api.declare_attachment(
    uuid, text, text, text, bigint, integer, integer, bigint, integer[], jsonb
) to authenticated;

create or replace function parley_api.get_stored_attachment(attachment_id uuid)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_stored_attachment(get_stored_attachment.attachment_id);
end;
comment on function parley_api.get_stored_attachment(uuid) is
'For the service that keeps the files: an attachment with its place in storage and its limits.';
revoke all on function parley_api.get_stored_attachment(uuid) from public;
grant execute on function parley_api.get_stored_attachment(uuid) to service_role;

create or replace function parley_api.record_upload(
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
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.record_upload(
        record_upload.attachment_id,
        record_upload.byte_size,
        record_upload.content_type,
        record_upload.width,
        record_upload.height,
        record_upload.duration_ms,
        record_upload.variants,
        record_upload.url,
        record_upload.failure
    );
end;
comment on function parley_api.record_upload(uuid, bigint, text, integer, integer, bigint, jsonb, text, text) is
'For the service that keeps the files: what was uploaded, or why it failed. A file over a limit is recorded as failed.';
revoke all on function parley_api.record_upload(uuid, bigint, text, integer, integer, bigint, jsonb, text, text)
from public;
grant execute on function parley_api.record_upload(
    uuid, bigint, text, integer, integer, bigint, jsonb, text, text
) to service_role;

create or replace function parley_api.record_scan(attachment_id uuid, scan_state text)
returns jsonb
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.record_scan(record_scan.attachment_id, record_scan.scan_state);
end;
comment on function parley_api.record_scan(uuid, text) is
'For the service that scans files: clean or infected.';
revoke all on function parley_api.record_scan(uuid, text) from public;
grant execute on function parley_api.record_scan(uuid, text) to service_role;

create or replace function parley_api.objects_to_delete(batch integer default 100)
returns setof text
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select o.storage_path
    from parley.objects_to_delete(objects_to_delete.batch) as o (storage_path);
end;
comment on function parley_api.objects_to_delete(integer) is
'For the service that keeps the files: paths of those nothing needs any more.';
revoke all on function parley_api.objects_to_delete(integer) from public;
grant execute on function parley_api.objects_to_delete(integer) to service_role;

create or replace function parley_api.object_deleted(storage_path text)
returns boolean
language sql
volatile
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.object_deleted(object_deleted.storage_path);
end;
comment on function parley_api.object_deleted(text) is
'For the service that keeps the files: this one has been deleted.';
revoke all on function parley_api.object_deleted(text) from public;
grant execute on function parley_api.object_deleted(text) to service_role;

create or replace function parley_api.get_conversation_media(
    conversation_id uuid,
    kinds text[] default null,
    before_seq bigint default null,
    page_size integer default 50
)
returns jsonb
language sql
stable
security invoker
set search_path = pg_catalog, pg_temp
begin atomic
    select parley.get_conversation_media(
        get_conversation_media.conversation_id,
        get_conversation_media.kinds,
        get_conversation_media.before_seq,
        get_conversation_media.page_size
    );
end;
comment on function parley_api.get_conversation_media(uuid, text[], bigint, integer) is
'Attachments of a conversation, newest first: {attachments, has_more, next_before_seq}.';
revoke all on function parley_api.get_conversation_media(uuid, text[], bigint, integer) from public;
grant execute on function parley_api.get_conversation_media(uuid, text[], bigint, integer) to authenticated;
