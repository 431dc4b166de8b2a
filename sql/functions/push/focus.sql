-- Which conversation somebody has before their eyes. Workers renew the rows for their sockets; none lasts.

create or replace function parley.renew_push_focus(leases jsonb)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    if jsonb_typeof(leases) is distinct from 'array' then
        raise exception using
            errcode = 'PT400', message = 'leases must be a list of {user_id, lease, conversation_id, active}.';
    end if;
    delete from parley.push_focus as f
    using jsonb_to_recordset(leases) as l (user_id uuid, lease text, active boolean)
    where f.user_id = l.user_id and f.lease = l.lease and not l.active;
    insert into parley.push_focus as f (user_id, lease, conversation_id, expires_at)
    select distinct on (l.user_id, l.lease)
        l.user_id,
        l.lease,
        l.conversation_id,
        clock_timestamp() + interval '30 seconds'
    from rows from (
        jsonb_to_recordset(leases) as (user_id uuid, lease text, conversation_id uuid, active boolean)
    ) with ordinality as l (user_id, lease, conversation_id, active, n)
    where coalesce(l.active, true) and l.user_id is not null and l.lease is not null
    order by l.user_id, l.lease, l.n desc
    on conflict on constraint push_focus_pkey do update
        set conversation_id = excluded.conversation_id, expires_at = excluded.expires_at;
end;
$$;
comment on function parley.renew_push_focus is
'Keeps for 30 seconds who has which conversation before their eyes: [{user_id, lease, conversation_id, active}], the last of each lease; active false: no more.';
grant execute on function parley.renew_push_focus to parley_worker;
