-- Erasure: the account is closed and shown as "[Deleted User]" at once; what the user left behind goes conversation by
-- conversation, in short transactions. What is held waits until its hold ends.

create or replace function parley.erase_references(user_id uuid, conversation_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_reference record;
begin
    for v_reference in
        select u.table_name, u.column_name, u.action
        from parley.user_reference as u
        where u.action in ('delete', 'clear')
            and exists (
                select from pg_catalog.pg_attribute as a
                where a.attrelid = format('parley.%I', u.table_name)::regclass
                    and a.attname = 'conversation_id'
                    and not a.attisdropped
            ) = (erase_references.conversation_id is not null)
        order by u.table_name, u.column_name
    loop
        if v_reference.action = 'delete' and erase_references.conversation_id is null then
            execute format('delete from parley.%I where %I = $1', v_reference.table_name, v_reference.column_name)
            using erase_references.user_id;
        elsif v_reference.action = 'delete' then
            execute format(
                'delete from parley.%I where conversation_id = $2 and %I = $1',
                v_reference.table_name, v_reference.column_name
            )
            using erase_references.user_id, erase_references.conversation_id;
        elsif erase_references.conversation_id is null then
            execute format(
                'update parley.%1$I set %2$I = null where %2$I = $1', v_reference.table_name, v_reference.column_name
            )
            using erase_references.user_id;
        else
            execute format(
                'update parley.%1$I set %2$I = null where conversation_id = $2 and %2$I = $1',
                v_reference.table_name, v_reference.column_name
            )
            using erase_references.user_id, erase_references.conversation_id;
        end if;
    end loop;
end;
$$;
comment on function parley.erase_references is
'Does what parley.user_reference says with the rows of a user in one conversation or, without one, in the tables that belong to none.';

create or replace function parley.erase_files(user_id uuid, conversation_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_paths text[];
begin
    with unsent as (
        delete from parley.attachment as a
        where a.conversation_id = erase_files.conversation_id
            and a.owner_id = erase_files.user_id
            and a.message_id is null
        returning a.storage_path
    )

    select array_agg(u.storage_path) into v_paths from unsent as u;
    update parley.attachment as a
    set owner_id = null, metadata = '{}'
    where a.conversation_id = erase_files.conversation_id and a.owner_id = erase_files.user_id;
    if v_paths is not null then
        perform parley.unreference_objects(v_paths);
    end if;
end;
$$;
comment on function parley.erase_files is
'Files of a user that are part of no message go; those of messages that stay, stay without their owner.';

create or replace function parley.erase_from_conversation(user_id uuid, conversation_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    perform parley.erase_files(user_id, conversation_id);
    perform parley.erase_references(user_id, conversation_id);
    -- what never reached the user has not reached them now
    delete from parley.message_hidden as h
    where h.conversation_id = erase_from_conversation.conversation_id
        and h.user_id = erase_from_conversation.user_id
        and not h.suppressed;
    -- whose settings they were no longer matters; horizons stay, so that what others see as read stays read
    update parley.participant as p
    set
        last_read_at = null,
        muted_until = null,
        pinned_at = null,
        archived_at = null,
        marked_unread = false,
        has_draft = false,
        notification_level = 'all',
        folder = 'inbox'
    where p.conversation_id = erase_from_conversation.conversation_id
        and p.user_id = erase_from_conversation.user_id;
    update parley.call_participant as k
    set device_id = null
    where k.conversation_id = erase_from_conversation.conversation_id
        and k.user_id = erase_from_conversation.user_id
        and k.state <> 'accepted';
end;
$$;
comment on function parley.erase_from_conversation is
'What a user leaves behind in a conversation besides messages. The caller holds its lock.';

create or replace function parley.erase_account(user_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    perform parley.erase_references(user_id, null);
    update parley.export as x
    set expires_at = now(), conversation_id = null, position = '{}'
    where x.user_id = erase_account.user_id and x.state <> 'expired';
    update parley.account as a
    set display_name = null, suspended_reason = null, updated_at = now()
    where a.id = erase_account.user_id;
end;
$$;
comment on function parley.erase_account is 'The last of an erasure: what belongs to no conversation, and the name.';

create or replace function parley.erase_step(user_id uuid, batch integer)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_erasure parley.erasure;
    v_name text;
    v_id uuid;
    v_done record;
    v_budget integer := batch;
    v_looked bigint := 0;
    v_more boolean := false;
begin
    select e.* into v_erasure
    from parley.erasure as e
    where e.user_id = erase_step.user_id and e.finished_at is null
    for update skip locked;
    if not found or not parley.holds_stand_still() then
        return false;
    end if;
    select a.display_name into v_name from parley.account as a where a.id = erase_step.user_id;
    for v_id in
        select p.conversation_id
        from parley.participant as p
        where p.user_id = erase_step.user_id and p.conversation_id > v_erasure.after_conversation_id
        order by p.conversation_id
        limit 100
    loop
        v_more := true;
        exit when v_budget <= 0;
        if parley.is_held(v_id) then
            v_erasure.left_over := true;
            v_erasure.held := true;
        else
            -- one that somebody holds is looked at in the next round: nothing waits here while holding another
            perform from parley.conversation as c where c.id = v_id for no key update skip locked;
            if found then
                select m.* into v_done
                from parley.erase_messages(
                    v_id, erase_step.user_id, v_name, v_erasure.content, v_erasure.after_seq, v_budget
                ) as m;
                if found then
                    v_erasure.after_seq := v_done.last_seq;
                    v_erasure.messages := v_erasure.messages + v_done.changed;
                    v_budget := v_budget - greatest(v_done.changed, 1)::integer;
                    exit;
                end if;
                perform parley.erase_from_conversation(erase_step.user_id, v_id);
                v_budget := v_budget - 1;
            else
                v_erasure.left_over := true;
            end if;
        end if;
        v_erasure.after_conversation_id := v_id;
        v_erasure.after_seq := 0;
        v_looked := v_looked + 1;
        v_more := v_looked = 100;
    end loop;
    if not v_more and v_erasure.left_over then
        -- from the beginning, later
        v_erasure.after_conversation_id := '00000000-0000-0000-0000-000000000000';
        v_erasure.left_over := false;
        v_erasure.held_since := case when v_erasure.held then clock_timestamp() end;
        v_erasure.held := false;
    elsif not v_more then
        perform parley.erase_account(erase_step.user_id);
        v_erasure.finished_at := clock_timestamp();
    end if;
    update parley.erasure as e
    set
        after_conversation_id = v_erasure.after_conversation_id,
        after_seq = v_erasure.after_seq,
        messages = v_erasure.messages,
        left_over = v_erasure.left_over,
        held = v_erasure.held,
        held_since = v_erasure.held_since,
        finished_at = v_erasure.finished_at,
        tried_at = clock_timestamp()
    where e.user_id = erase_step.user_id;
    return v_more;
end;
$$;
comment on function parley.erase_step is
'Goes on with an erasure: some conversations, or some hundred messages of one. True: there is more to do at once.';
