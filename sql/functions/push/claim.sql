-- Claiming jobs. A job is due from due_at on; a claim is a lease of a minute, after which it is due again, so that of
-- a worker that dies nothing is lost. Rows stand in groups of one tenant and route (push_job_due_idx): a claim walks
-- from group to group, beginning behind the tenant with which the last one ended (push_turn), and takes of each tenant
-- its share of what is due first. So tenants take turns, a paused route costs nothing, and however many wait, a claim
-- costs what it takes. What was done since the oldest snapshot of the database began still lies before what is due: the
-- look for the groups passes it, once a claim, and what is taken begins behind it.

create or replace function parley.push_groups(
    provider text, lane text, with_sealed boolean, paused text[], most integer,
    after uuid default '00000000-0000-0000-0000-000000000000', apps text[] default null
)
returns table (tenant_id uuid, route text, is_sealed boolean, since timestamptz)
language plpgsql stable security definer
rows 10
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
set enable_sort = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
    -- of a tenant with more routes than these the others wait until some of these are done
    v_most_routes constant integer := 1000;
    v_tenant uuid := push_groups.after;
    v_route text;
    v_sealed boolean;
    v_due timestamptz;
    v_counted uuid;
    v_tenants integer := 0;
    v_routes integer := 0;
    v_looks integer := 0;
begin
    <<rounds>>
    for v_round in 1..2 loop
        if v_round = 2 then
            v_tenant := '00000000-0000-0000-0000-000000000000';
            v_route := '';
            v_sealed := false;
        end if;
        loop
            -- the next group, and when its first is due
            if v_route is null then
                select j.tenant_id, j.route, j.is_sealed, j.due_at into v_tenant, v_route, v_sealed, v_due
                from parley.push_job as j
                where j.settled_at is null
                    and j.provider = push_groups.provider
                    and j.lane = push_groups.lane
                    and j.tenant_id > v_tenant
                order by j.provider, j.lane, j.tenant_id, j.route, j.is_sealed, j.due_at
                limit 1;
            else
                select j.tenant_id, j.route, j.is_sealed, j.due_at into v_tenant, v_route, v_sealed, v_due
                from parley.push_job as j
                where j.settled_at is null
                    and j.provider = push_groups.provider
                    and j.lane = push_groups.lane
                    and (j.tenant_id, j.route, j.is_sealed) > (v_tenant, v_route, v_sealed)
                order by j.provider, j.lane, j.tenant_id, j.route, j.is_sealed, j.due_at
                limit 1;
            end if;
            exit when not found or (v_round = 2 and v_tenant > push_groups.after);
            exit rounds when v_tenants >= most and v_tenant <> v_counted;
            v_looks := v_looks + 1;
            if v_due <= clock_timestamp()
                and (push_groups.with_sealed or not v_sealed)
                and v_route <> all (coalesce(paused, '{}'))
                and (apps is null or v_route = any (apps))
            then
                if v_tenant is distinct from v_counted then
                    v_counted := v_tenant;
                    v_tenants := v_tenants + 1;
                    v_routes := 0;
                end if;
                v_routes := v_routes + 1;
                tenant_id := v_tenant;
                route := v_route;
                is_sealed := v_sealed;
                since := v_due;
                return next;
                if v_routes >= v_most_routes then
                    v_route := null;
                end if;
            end if;
            if v_looks >= 5000 then
                -- the next look goes on from here
                tenant_id := v_tenant;
                route := null;
                is_sealed := null;
                since := null;
                return next;
                exit rounds;
            end if;
        end loop;
    end loop;
end;
$$;
comment on function parley.push_groups is
'Tenants and routes with something due, of at most so many tenants, beginning behind a tenant: one index probe each; since: when the first of them was due. apps: of no other routes. Without a route: until there it was looked, and there may be more.';
