-- Attachments as rows. A file is declared here, uploaded elsewhere, recorded here again by whoever took it, and then
-- attached to a message. Bytes are never in the database.

create table parley.attachment_kind (
    name text not null,
    description text not null,
    constraint attachment_kind_pkey primary key (name),
    constraint attachment_kind_name_check check (name ~ '^[a-z][a-z0-9_]{0,31}$')
);
comment on table parley.attachment_kind
is 'The kinds of attachments of this deployment. A kind is limited by max_<kind>_bytes and max_<kind>_seconds where limit_kind has them, and otherwise by max_file_bytes.';
comment on column parley.attachment_kind.name is 'As in attachment.kind.';
comment on column parley.attachment_kind.description is 'One sentence for people.';

create table parley.media_type (
    kind_name text not null,
    content_type text not null,
    constraint media_type_pkey primary key (kind_name, content_type),
    constraint media_type_kind_fkey foreign key (kind_name) references parley.attachment_kind (name) on delete cascade,
    constraint media_type_content_type_check check (content_type ~ '^[a-z]+/[a-z0-9.+-]+$')
);
comment on table parley.media_type is 'Which content types each kind of attachment may have. No row: refused.';
comment on column parley.media_type.kind_name is 'The kind.';
comment on column parley.media_type.content_type is 'The MIME type, in lower case and without parameters.';

create table parley.stored_object (
    storage_path text not null,
    reference_count bigint not null default 1,
    unreferenced_at timestamptz,
    constraint stored_object_pkey primary key (storage_path),
    constraint stored_object_storage_path_check check (char_length(storage_path) between 1 and 500),
    constraint stored_object_reference_count_check check (reference_count >= 0),
    constraint stored_object_unreferenced_check check ((reference_count = 0) = (unreferenced_at is not null))
);
create index stored_object_unreferenced_idx on parley.stored_object (unreferenced_at)
where unreferenced_at is not null;
comment on table parley.stored_object
is 'Files in storage and how many attachments still need each: a forwarded message shares the file of the original. A row goes when the file has been deleted.';
comment on column parley.stored_object.storage_path is 'Where the file is, from the root of the storage.';
comment on column parley.stored_object.reference_count is 'Attachments that are not removed.';
comment on column parley.stored_object.unreferenced_at is 'Since when nothing needs the file any more: it is to be deleted.';

create table parley.attachment (
    id uuid not null,
    conversation_id uuid not null,
    owner_id uuid,
    message_id uuid,
    message_seq bigint,
    byte_size bigint not null,
    duration_ms bigint,
    declared_at timestamptz not null default clock_timestamp(),
    uploaded_at timestamptz,
    attached_at timestamptz,
    removed_at timestamptz,
    expires_at timestamptz,
    width integer,
    height integer,
    position integer,
    kind text not null,
    state text not null default 'declared',
    scan_state text not null default 'pending',
    file_name text not null,
    content_type text not null,
    storage_path text not null,
    url text,
    failure text,
    waveform integer[],
    variants jsonb not null default '[]',
    metadata jsonb,
    constraint attachment_pkey primary key (id, conversation_id),
    constraint attachment_state_check check (state in ('declared', 'uploaded', 'attached', 'failed', 'removed')),
    constraint attachment_scan_state_check check (scan_state in ('pending', 'clean', 'infected')),
    constraint attachment_attached_has_message_check
    check ((state <> 'attached' or message_id is not null) and (message_id is null) = (message_seq is null)),
    constraint attachment_removed_check check ((state = 'removed') = (removed_at is not null)),
    constraint attachment_file_name_check check (char_length(file_name) between 1 and 255),
    constraint attachment_content_type_check check (char_length(content_type) <= 100),
    constraint attachment_byte_size_check check (byte_size > 0),
    constraint attachment_dimensions_check check (width > 0 and height > 0),
    constraint attachment_duration_check check (duration_ms > 0),
    -- two, because the server prints `between` among other conditions in other words after a dump
    constraint attachment_waveform_check check (0 <= all(waveform) and 255 >= all(waveform)),
    constraint attachment_waveform_length_check check (cardinality(waveform) between 1 and 256),
    constraint attachment_url_check check (char_length(url) <= 2000),
    constraint attachment_variants_check check (jsonb_typeof(variants) = 'array'),
    constraint attachment_metadata_check check (jsonb_typeof(metadata) = 'object')
);
create index attachment_message_idx on parley.attachment (message_id, conversation_id, position)
where message_id is not null;
-- the media of a conversation, kind by kind
create index attachment_media_idx on parley.attachment (conversation_id, kind, message_seq, position)
where state = 'attached';
-- for a conversation that goes with all it has
create index attachment_conversation_idx on parley.attachment (conversation_id);
create index attachment_storage_path_idx on parley.attachment (storage_path);
-- declared and never attached
create index attachment_orphan_idx on parley.attachment (declared_at) where message_id is null;
create index attachment_unattached_idx on parley.attachment (owner_id, conversation_id) where message_id is null;
comment on table parley.attachment
is 'Files of messages. When a message is deleted for everyone, its rows are marked as removed; when it or its conversation is purged, release_attachments deletes them first, so that the files are not forgotten. An erased account leaves the rows of its messages, without owner_id.';
comment on column parley.attachment.id is 'The attachment, a UUIDv7.';
comment on column parley.attachment.conversation_id is 'The conversation it was declared for, the only one it can be attached in.';
comment on column parley.attachment.owner_id is 'The user who declared or forwarded it.';
comment on column parley.attachment.message_id is 'The message it is part of. Null: none yet.';
comment on column parley.attachment.message_seq is 'seq of that message; with conversation_id it says who may see the attachment.';
comment on column parley.attachment.byte_size is 'Size of the file: as declared, then as uploaded.';
comment on column parley.attachment.duration_ms is 'How long it plays, in milliseconds.';
comment on column parley.attachment.declared_at is 'When it was declared.';
comment on column parley.attachment.uploaded_at is 'When the file was there.';
comment on column parley.attachment.attached_at is 'When its message was sent.';
comment on column parley.attachment.removed_at is 'When it was removed.';
comment on column parley.attachment.expires_at is 'When its message stops being shown, and it with it.';
comment on column parley.attachment.width is 'Width in pixels.';
comment on column parley.attachment.height is 'Height in pixels.';
comment on column parley.attachment.position is 'Place among the attachments of its message, from 1.';
comment on column parley.attachment.kind is 'As in attachment_kind.name.';
comment on column parley.attachment.state
is 'declared, uploaded, attached; failed: what was uploaded cannot be used; removed: the file is to be deleted.';
comment on column parley.attachment.scan_state is 'pending, clean or infected; an infected file is shown to nobody.';
comment on column parley.attachment.file_name is 'Name of the file, for people.';
comment on column parley.attachment.content_type is 'MIME type: as declared, then as found in the file.';
comment on column parley.attachment.storage_path is 'The file in storage; copies share it.';
comment on column parley.attachment.url is 'Where clients fetch it, if not from Parley''s own storage.';
comment on column parley.attachment.failure is 'Why the upload failed.';
comment on column parley.attachment.waveform is 'Loudness over time of a voice message, 1 to 256 values from 0 to 255.';
comment on column parley.attachment.variants is 'Other sizes and formats of it, as the service that made them describes them.';
comment on column parley.attachment.metadata is 'Free JSON object of the client. Null: empty.';

alter table parley.attachment_kind enable row level security;
alter table parley.media_type enable row level security;
alter table parley.stored_object enable row level security;
alter table parley.attachment enable row level security;
