-- Purging: a message goes with all that hangs on it. Nobody has seen it for the grace period, and nobody can answer,
-- pin, star, pass on or edit it, so no lock of the conversation is needed: who sends or reads never waits for this.

create or replace function parley.purged_bytes(message parley.message)
returns bigint
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- what retiring adds is not told apart: a preview may be of before it
    message.retired_at := null;
    return pg_catalog.pg_column_size(message);
end;
$$;
comment on function parley.purged_bytes is 'The bytes of a message, as previews and passes of retention count them.';

create or replace function parley.keep_keys(messages parley.message[], as_of timestamptz)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    with purged as (
        select m.conversation_id, m.sender_id, m.client_message_id, m.created_at + interval '90 days' as delete_after
        from unnest(keep_keys.messages) as m
        where m.client_message_id is not null and m.sender_id is not null
    ),

    kept as (
        insert into parley.purged_key as k (conversation_id, sender_id, client_message_id, delete_after)
        select p.conversation_id, p.sender_id, p.client_message_id, p.delete_after
        from purged as p
        where p.delete_after > keep_keys.as_of
        on conflict do nothing
    )

    delete from parley.message_key as k
    using purged as p
    where k.conversation_id = p.conversation_id
        and k.sender_id = p.sender_id
        and k.client_message_id = p.client_message_id
        and p.delete_after <= keep_keys.as_of;
end;
$$;
comment on function parley.keep_keys is
'The keys of purged messages go, or stay until 90 days after the send: a send that is repeated till then is told that its message is gone.';

create or replace function parley.purge_keys(as_of timestamptz, batch integer)
returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_purged bigint;
begin
    with due as (
        select k.conversation_id, k.sender_id, k.client_message_id
        from parley.purged_key as k
        where k.delete_after <= purge_keys.as_of
        order by k.delete_after
        limit purge_keys.batch
        for update skip locked
    ),

    gone as (
        delete from parley.message_key as k
        using due as d
        where k.conversation_id = d.conversation_id
            and k.sender_id = d.sender_id
            and k.client_message_id = d.client_message_id
    )

    delete from parley.purged_key as k
    using due as d
    where k.conversation_id = d.conversation_id
        and k.sender_id = d.sender_id
        and k.client_message_id = d.client_message_id;
    get diagnostics v_purged = row_count;
    return v_purged;
end;
$$;
comment on function parley.purge_keys is 'The keys of messages that were purged go 90 days after they were sent. Returns how many.';

create or replace function parley.purge_messages(messages parley.message[])
returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_conversation_id constant uuid := messages[1].conversation_id;
    v_ids constant uuid[] := array(select m.id from unnest(messages) as m order by m.seq);
    v_seqs constant bigint[] := array(select m.seq from unnest(messages) as m order by m.seq);
    v_language constant regconfig := parley.search_language();
    v_files bigint := 0;
begin
    delete from parley.message as m
    where m.id = any (v_ids) and m.conversation_id is not distinct from v_conversation_id;
    delete from parley.message_revision as r where r.conversation_id = v_conversation_id and r.message_id = any (v_ids);
    delete from parley.reaction as r where r.conversation_id = v_conversation_id and r.message_id = any (v_ids);
    delete from parley.message_pin as p where p.conversation_id = v_conversation_id and p.message_id = any (v_ids);
    delete from parley.message_star as s where s.conversation_id = v_conversation_id and s.message_id = any (v_ids);
    delete from parley.message_forward as f where f.conversation_id = v_conversation_id and f.message_id = any (v_ids);
    delete from parley.poll as p where p.conversation_id = v_conversation_id and p.message_id = any (v_ids);
    delete from parley.message_uncounted as t where t.conversation_id = v_conversation_id and t.seq = any (v_seqs);
    delete from parley.message_hidden as h where h.conversation_id = v_conversation_id and h.seq = any (v_seqs);
    perform parley.index_block(v_conversation_id, b.block, v_language)
    from (select distinct (s.seq - 1) / 32 as block from unnest(v_seqs) as s (seq) order by 1) as b;
    -- last, because others may need the same files
    if exists (select from parley.attachment as a where a.message_id = any (v_ids)) then
        v_files := parley.release_attachments(v_conversation_id, v_ids);
    end if;
    return v_files;
end;
$$;
comment on function parley.purge_messages is
'Deletes these messages of one conversation, which the caller has locked, with their revisions, reactions, pins, stars, votes, marks, words in the search index and files. Returns how many attachments went.';

create or replace function parley.sweep_conversation(
    conversation_id uuid, purged_seq bigint, floor_id uuid, batch integer
)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_last_event_seq constant bigint := (
        select c.last_event_seq from parley.conversation as c where c.id = sweep_conversation.conversation_id
    );
    v_first_event_seq bigint;
    v_markers bigint;
    v_events bigint;
begin
    with old as (
        select k.user_id, k.seq
        from parley.read_marker as k
        where k.conversation_id = sweep_conversation.conversation_id and k.seq <= sweep_conversation.purged_seq
        limit batch
    )

    delete from parley.read_marker as k
    using old as o
    where k.conversation_id = sweep_conversation.conversation_id and k.user_id = o.user_id and k.seq = o.seq;
    get diagnostics v_markers = row_count;
    -- From the oldest on, up to the first that a window may reach: what is left is dense, and replay says that the rest is
    -- gone. Never the last of the log, nor what a durable consumer has yet to read.
    v_first_event_seq := parley.first_event_since(
        sweep_conversation.conversation_id,
        v_last_event_seq,
        least(
            parley.window_start(sweep_conversation.floor_id),
            (
                select m.created_at
                from parley.message as m
                where m.conversation_id = sweep_conversation.conversation_id
                    and m.seq between 1 and 9223372036854775806
                order by m.seq
                limit 1
            )
        )
    );
    with old as (
        select e.id
        from parley.event as e
        where e.conversation_id = sweep_conversation.conversation_id
            and e.event_seq < v_first_event_seq
            and e.id < least(parley.log_end(), (select min(c.max_id) from parley.consumer as c))
        order by e.event_seq
        limit batch
    )

    delete from parley.event as e
    using old as o
    where e.id = o.id;
    get diagnostics v_events = row_count;
    return greatest(v_markers, v_events) = batch;
end;
$$;
comment on function parley.sweep_conversation is
'The receipts of purged messages go, and the events of before the first message that is left. True: there is more.';
