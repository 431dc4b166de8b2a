-- What closing an account does to its conversations, whoever writes the row. Who was erased leaves them all. Who is
-- suspended stays listed, but is in no call, and where nobody else could manage a group somebody does; the same is
-- looked at when an account is opened again. The transaction that writes the row does up to a hundred conversations, of
-- up to twenty accounts, and waits for none; the job settle_closings does the rest, and looks again for five minutes,
-- for whatever was under way.

create or replace function parley.vacant_role(conversation_id uuid)
returns parley.participant
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_holder parley.participant;
begin
    select p.* into v_holder
    from parley.participant as p
    inner join parley.account as a on p.user_id = a.id
    where p.conversation_id = vacant_role.conversation_id
        and p.left_at is null
        and p.role <> 'member'
        and num_nonnulls(a.suspended_at, a.deleted_at) > 0
        and (
            select not coalesce(bool_or(q.role in ('owner', p.role)), true)
            from parley.participant as q
            inner join parley.account as b on q.user_id = b.id
            where q.conversation_id = p.conversation_id
                and q.left_at is null
                and b.suspended_at is null
                and b.deleted_at is null
        )
    order by p.role = 'owner' desc, p.joined_at, p.user_id
    limit 1;
    return v_holder;
end;
$$;
comment on function parley.vacant_role is
'The closed account that alone is owner, or alone admin where there is no owner, of a conversation in which others are open. All null: there is none.';

create or replace function parley.unsettled_conversations(user_id uuid, max_rows integer)
returns setof uuid
language plpgsql stable security definer
rows 100
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select p.conversation_id
    from parley.participant as p
    inner join parley.account as a on p.user_id = a.id
    where p.user_id = unsettled_conversations.user_id
        and p.left_at is null
        and (
            a.deleted_at is not null
            or (
                a.suspended_at is not null
                and exists (
                    select from parley.call as c
                    inner join parley.call_participant as k
                        on c.conversation_id = k.conversation_id and c.id = k.call_id
                    where c.conversation_id = p.conversation_id
                        and c.ended_at is null
                        and k.user_id = p.user_id
                        and k.state in ('ringing', 'accepted')
                )
            )
            or (parley.vacant_role(p.conversation_id)).user_id is not null
        )
    order by p.conversation_id
    limit unsettled_conversations.max_rows;
end;
$$;
comment on function parley.unsettled_conversations is
'Conversations of a user in which the state of the account has not yet had its consequences.';

create or replace function parley.settle_closing(user_id uuid)
returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_ids constant uuid[] := array(select c.id from parley.unsettled_conversations(user_id, 100) as c (id));
    v_erased constant boolean := (
        select a.deleted_at is not null from parley.account as a where a.id = settle_closing.user_id
    );
    v_id uuid;
    v_participant parley.participant;
begin
    -- all of them before the first change, and none that somebody holds: nothing waits here while holding another
    for v_id in
        select c.id from parley.conversation as c where c.id = any(v_ids) order by c.id for no key update skip locked
    loop
        select p.* into v_participant
        from parley.participant as p
        where p.conversation_id = v_id and p.user_id = settle_closing.user_id and p.left_at is null;
        continue when not found;
        if v_erased then
            perform parley.end_participation(v_participant, null, '{users} left.');
            perform parley.promote_successor(v_participant, null);
        else
            if exists (
                select from parley.account as a
                where a.id = settle_closing.user_id and a.suspended_at is not null
            ) then
                perform parley.end_call_part(v_id, settle_closing.user_id, null);
            end if;
            v_participant := parley.vacant_role(v_id);
            if v_participant.user_id is not null then
                perform parley.promote_successor(v_participant, null);
            end if;
        end if;
    end loop;
    return cardinality(v_ids);
end;
$$;
comment on function parley.settle_closing is
'Draws the consequences of the state of an account in up to a hundred conversations that nobody holds. Returns how many there were to do.';

create or replace function parley.begin_settling()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into parley.account_closing as c (user_id)
    values (new.id)
    on conflict (user_id) do update
    set changed_at = excluded.changed_at, looked_at = null;
    if (
        select count(*) <= 20
        from (select from parley.account_closing as c where c.changed_at >= now() limit 21) as x
    ) then
        perform parley.settle_closing(new.id);
    end if;
    return null;
end;
$$;
comment on function parley.begin_settling is
'Trigger: what an account that is suspended, erased or opened again means for its conversations begins in the same transaction.';

create trigger account_memberships_trigger
after update of suspended_at, deleted_at on parley_wanted.account
for each row
when (
    (old.suspended_at is null) <> (new.suspended_at is null)
    or (old.deleted_at is null) <> (new.deleted_at is null)
)
execute function parley.begin_settling();
comment on trigger account_memberships_trigger on parley_wanted.account is
'Membership follows an account that is suspended, erased or opened again.';

create or replace function parley.settle_closings()
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
    v_closing parley.account_closing;
    v_count bigint;
begin
    select c.* into v_closing
    from parley.account_closing as c
    where c.looked_at is null or c.looked_at < v_now - interval '1 minute' or c.looked_at > v_now
    order by c.looked_at nulls first
    limit 1
    for update skip locked;
    if not found then
        return false;
    end if;
    v_count := parley.settle_closing(v_closing.user_id);
    if v_count = 0 and v_closing.changed_at < v_now - interval '5 minutes' then
        delete from parley.account_closing as c where c.user_id = v_closing.user_id;
    else
        update parley.account_closing as c
        -- more of it comes after all the others, and what somebody held a little later
        set looked_at = v_now - case
            when v_count = 100 then interval '2 minutes'
            when v_count > 0 then interval '55 seconds'
            else interval '0'
        end
        where c.user_id = v_closing.user_id;
    end if;
    return exists (
        select from parley.account_closing as c where c.looked_at is null or c.looked_at < v_now - interval '1 minute'
    );
end;
$$;
comment on function parley.settle_closings is
'A job: goes on where the closing of an account has not yet reached all its conversations. True: there is more.';
