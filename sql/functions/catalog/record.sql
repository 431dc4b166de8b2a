-- What is there at the end of an installation is what is expected from then on.

create or replace function parley.record_catalog()
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_major constant text := parley.server_major();
    v_tables boolean;
begin
    -- Tables and their indexes are made once, by migrations: what is missing of them since must stay a difference.
    -- Another major version prints some of them in other words.
    v_tables := exists (select from parley.migration as m where m.applied_at = now())
        or not exists (select from parley.expected_object as e where e.kind = 'server' and e.name = v_major);
    delete from parley.expected_object as e
    where
        e.kind not in ('column', 'constraint', 'index')
        or v_tables
        -- what was lost before this installation began
        and not e.kind || ' ' || e.name = any(
            coalesce(nullif(current_setting('parley.lost', true), ''), '{}')::text[]
        );
    insert into parley.expected_object (kind, name, definition)
    select f.kind, f.name, f.definition
    from parley.catalog_fingerprint() as f
    where (v_tables or f.kind not in ('column', 'constraint', 'index')) and f.kind <> 'row-level security'
    union all
    select 'server', v_major, ''
    on conflict (kind, name) do nothing;
end;
$$;
comment on function parley.record_catalog is 'The last step of an installation: what is there now is what is expected.';
