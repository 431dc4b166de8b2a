-- Services outside (link safety, classifiers) are asked after the send, by the worker: no send waits for them. This job
-- reads the log as a durable consumer, so that each message is put before them exactly once, whatever crashes.

create or replace function parley.is_outside_kind(kind text)
returns boolean
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select kind in ('safe_browsing', 'classifier')
$$;
comment on function parley.is_outside_kind is 'True for rules whose measure comes from a service outside.';

create or replace function parley.collect_spam_checks()
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_batch constant integer := 500;
    v_read integer;
begin
    -- without a rule that asks nobody reads, and nothing keeps the log waiting
    if not exists (
        select from parley.spam_rule as r where r.mode <> 'off' and parley.is_outside_kind(r.kind)
    ) then
        delete from parley.consumer as c where c.name = 'spam';
        return false;
    end if;
    if parley.create_consumer('spam') then
        return false;
    end if;
    with event as materialized (
        select
            c.conversation_id,
            c.message_id,
            c.user_id,
            c.kind
        from parley.consume('spam', v_batch) as c
    ),

    -- what is for one user alone nobody else sees
    written as (
        select distinct
            e.conversation_id,
            e.message_id
        from event as e
        where e.kind in ('message:new', 'message:updated') and e.conversation_id is not null and e.user_id is null
    ),

    message as (
        select
            m.id,
            m.conversation_id,
            m.sender_id,
            c.unanswered or parley.is_new_account(m.sender_id) as is_of_stranger,
            m.content ~ E'\\.[0-9A-Za-z\u00aa-\U000e0fff]|://|[\uff0e\u3002]' and parley.links_of(m.content) <> '{}' as has_links
        from written as w
        inner join parley.message as m on w.message_id = m.id and w.conversation_id = m.conversation_id
        inner join parley.conversation as c on w.conversation_id = c.id
        where m.content is not null
            and m.deleted_at is null
            and m.sender_id is not null
            and m.type <> 'encrypted'
        offset 0
    ),

    asked as (
        insert into parley.spam_check (conversation_id, message_id, rule_name, sender_id)
        select
            m.conversation_id,
            m.id,
            r.name,
            m.sender_id
        from message as m
        cross join parley.spam_rule as r
        where r.mode <> 'off'
            and parley.is_outside_kind(r.kind)
            and (r.kind = 'classifier' or m.has_links)
            and (m.is_of_stranger or r.parameters ->> 'whom' = 'everyone')
        -- edited while it waited: it is asked about as it is then
        on conflict on constraint spam_check_pkey do update
        set created_at = excluded.created_at, next_try_at = excluded.next_try_at, tries = 0
    )

    select count(*) into v_read from event;
    return v_read = v_batch;
end;
$$;
comment on function parley.collect_spam_checks is
'A job: puts new and edited messages before the services that spam rules ask. True: there are more.';
