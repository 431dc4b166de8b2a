-- Who is out of conversations because they left their tenant: out of them at once, and each conversation is told when
-- it can be.

create or replace function parley.settle_departure(conversation_id uuid, user_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_participant parley.participant;
begin
    delete from parley.departure as d
    where d.conversation_id = settle_departure.conversation_id and d.user_id = settle_departure.user_id;
    if not found then
        return;
    end if;
    select p.* into strict v_participant
    from parley.participant as p
    where p.conversation_id = settle_departure.conversation_id and p.user_id = settle_departure.user_id;
    perform parley.end_participation(v_participant, null, '{users} left.');
    perform parley.promote_successor(v_participant, null);
end;
$$;
comment on function parley.settle_departure is
'Tells a conversation of a participant who is out of it with their tenant, if it has not been told. The caller holds the lock.';

create or replace function parley.settle_departures_of(user_id uuid, max_rows integer)
returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_ids constant uuid[] := array(
        select d.conversation_id from parley.departure as d
        where d.user_id = settle_departures_of.user_id
        order by d.conversation_id
        limit max_rows
    );
    v_id uuid;
    v_count bigint := 0;
begin
    -- none that somebody holds: who leaves waits for nobody
    for v_id in
        select c.id from parley.conversation as c where c.id = any (v_ids) order by c.id for no key update skip locked
    loop
        perform parley.settle_departure(v_id, settle_departures_of.user_id);
        v_count := v_count + 1;
    end loop;
    return v_count;
end;
$$;
comment on function parley.settle_departures_of is
'Tells conversations that nobody holds of a user who is out of them. Returns how many.';

create or replace function parley.settle_departures()
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_user_id uuid;
    v_count bigint := 0;
begin
    for v_user_id in
        select x.user_id
        from (select d.user_id, d.departed_at from parley.departure as d order by d.departed_at limit 100) as x
        group by x.user_id
        order by min(x.departed_at)
    loop
        v_count := v_count + parley.settle_departures_of(v_user_id, 100);
        exit when v_count >= 100;
    end loop;
    return v_count > 0 and exists (select from parley.departure);
end;
$$;
comment on function parley.settle_departures is
'A job: tells conversations of participants who are out of them with their tenant. True: there is more.';
