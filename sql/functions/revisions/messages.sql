-- What a message said before it was changed or deleted.

create or replace function parley.keep_revision(message parley.message, user_id uuid, reason text)
returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    insert into parley.message_revision (
        conversation_id, message_id, revision, event_seq, replaced_by, expires_at, reason, content, metadata,
        mentions, mentions_all
    )
    select
        message.conversation_id,
        message.id,
        coalesce(max(r.revision), 0) + 1,
        -- the change is announced after this: the next event under the lock the caller holds
        (select c.last_event_seq + 1 from parley.conversation as c where c.id = message.conversation_id),
        keep_revision.user_id,
        message.expires_at,
        keep_revision.reason,
        message.content,
        message.metadata,
        message.mentions,
        message.mentions_all
    from parley.message_revision as r
    where r.conversation_id = message.conversation_id and r.message_id = message.id
$$;
comment on function parley.keep_revision is 'Keeps the content of a message before it changes.';
