-- What expires is shown to nobody from that moment on (expires_at is part of the access rule); this job then removes
-- what it said, as a deletion for everyone by the server would, but keeps no revision of it: a message that was to
-- disappear is to be found nowhere. The row stays as a tombstone, so seq stays dense and unread counts right.

create or replace function parley.expire_message(message parley.message, reason text default 'expired')
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    delete from parley.message_revision as r
    where r.conversation_id = message.conversation_id and r.message_id = message.id;
    delete from parley.reaction as r
    where r.conversation_id = message.conversation_id and r.message_id = message.id;
    perform parley.remove_poll(message);
    if message.has_attachments then
        -- not marked, but gone: the name of a file says something, too
        perform parley.release_attachments(message.conversation_id, array[message.id]);
    end if;
    -- a system message counts as read by whoever caused it, so here it counts as theirs
    insert into parley.message_uncounted (conversation_id, seq, message_id, sender_id, deleted_at)
    values (
        message.conversation_id,
        message.seq,
        message.id,
        coalesce(message.sender_id, (message.metadata ->> 'actor_id')::uuid),
        clock_timestamp()
    )
    on conflict (conversation_id, seq) do update
    set deleted_at = coalesce(message_uncounted.deleted_at, excluded.deleted_at);
    perform parley.clear_message(message);
    perform parley.append_event(
        message.conversation_id, 'message:deleted', null, message.id, message.seq, null,
        jsonb_build_object('for_everyone', true, expire_message.reason, true)
    );
end;
$$;
comment on function parley.expire_message is
'Removes all that a message said, because it has expired or its sender was erased, and tells the conversation. The caller holds the conversation''s lock.';

create or replace function parley.expire_messages()
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- a plan that was made while the month's partition was empty, and known to be, would read all of it ever after
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    -- before the first look, so that a hold that is being placed is seen, or has to wait
    v_goes_on constant boolean := parley.holds_stand_still();
    -- Conversations that somebody has locked are passed by, until the next run: so nothing waits here while holding another.
    -- All of them before the first change: one changed meanwhile by this very call would be passed by, too.
    v_due constant uuid[] := array(
        select m.id
        from (
            select d.id, d.conversation_id
            from parley.message as d
            where d.expires_at <= now() and d.deleted_at is null and not parley.is_held(d.conversation_id)
            order by d.expires_at
            offset 0
        ) as m
        cross join lateral (
            select from parley.conversation as k
            where k.id = m.conversation_id
            for no key update skip locked
        ) as c
        where v_goes_on
        limit 200
    );
    v_message parley.message;
    v_purged record;
    v_revisions bigint := 0;
begin
    if not v_goes_on then
        return false;
    end if;
    for v_message in
        -- again, under the locks
        select m.*
        from parley.message as m
        where m.id = any(v_due) and m.expires_at <= now() and m.deleted_at is null
        order by m.conversation_id, m.seq
    loop
        perform parley.expire_message(v_message);
    end loop;
    -- and what remembers messages that were deleted before they expired; of those the files are marked as removed, but
    -- their rows still have names
    for v_purged in
        with old as (
            select r.conversation_id, r.message_id, r.revision
            from parley.message_revision as r
            where r.expires_at <= now() and not parley.is_held(r.conversation_id)
            order by r.expires_at
            limit 1000
            for update skip locked
        ),

        purged as (
            delete from parley.message_revision as r
            using old
            where r.conversation_id = old.conversation_id
                and r.message_id = old.message_id
                and r.revision = old.revision
            returning r.conversation_id, r.message_id, r.reason
        )

        select
            p.conversation_id,
            count(*) as revisions,
            array_agg(p.message_id) filter (where p.reason = 'deleted') as deleted_ids
        from purged as p
        group by p.conversation_id
    loop
        v_revisions := v_revisions + v_purged.revisions;
        if v_purged.deleted_ids is not null then
            perform parley.release_attachments(v_purged.conversation_id, v_purged.deleted_ids);
        end if;
    end loop;
    return cardinality(v_due) = 200 or v_revisions = 1000;
end;
$$;
comment on function parley.expire_messages is
'A job: removes what the messages said that have expired, the longest since first; not what is held. True: there may be more.';
