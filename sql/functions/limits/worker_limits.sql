-- What the workers keep to by themselves, because it is no matter of rows: connections, requests, and how old the
-- messages are of which a socket still hears.

create or replace function parley.worker_limits(user_id uuid)
returns jsonb
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select jsonb_object_agg(
            l.name, jsonb_build_object('amount', l.amount, 'period_seconds', l.period_seconds, 'burst', l.burst)
        )
        from parley.limit_kind as k
        cross join lateral parley.user_limit(worker_limits.user_id, k.name) as l
        where k.enforced_by = 'worker' or k.name = 'retention_days'
    );
end;
$$;
comment on function parley.worker_limits is
'The limits of a user that workers enforce, as get_entitlements shows them.';
grant execute on function parley.worker_limits to parley_worker;
