-- What is there at the end of an installation is what is expected from then on.

create or replace function parley.record_catalog(own text[])
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_major constant text := parley.server_major();
    v_tables boolean;
    -- what was lost before this installation began
    v_lost text[] := coalesce(nullif(current_setting('parley.lost', true), ''), '{}')::text[];
begin
    -- Tables and their indexes are made once, by migrations: what is missing of them since must stay a difference.
    -- Another major version prints some of them in other words.
    v_tables := exists (select from parley.migration as m where m.applied_at = now())
        or not exists (select from parley.expected_object as e where e.kind = 'server' and e.name = v_major);
    with found as materialized (
        select f.kind, f.name, f.definition
        from parley.catalog_fingerprint() as f
        where
            (v_tables or f.kind not in ('column', 'constraint', 'index'))
            and f.kind not in ('row-level security', 'owner')
            -- not those of the host: what is recorded and no longer wanted is dropped one day
            and (f.kind not in ('function', 'trigger', 'view') or f.kind || ' ' || f.name = any(own))
        union all
        select 'server', v_major, ''
    ),

    written as (
        insert into parley.expected_object as e (kind, name, definition)
        select f.kind, f.name, f.definition from found as f
        where not f.kind || ' ' || f.name = any(v_lost)
        on conflict (kind, name) do update set definition = excluded.definition
        where e.definition <> excluded.definition
    )

    delete from parley.expected_object as e
    where
        (e.kind not in ('column', 'constraint', 'index') or v_tables)
        and not e.kind || ' ' || e.name = any(v_lost)
        and not exists (select from found as f where f.kind = e.kind and f.name = e.name);
end;
$$;
comment on function parley.record_catalog is 'The last step of an installation: what is there now is what is expected. own: kind and name of each function, trigger and view of this release.';
