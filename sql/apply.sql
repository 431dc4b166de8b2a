-- One step of the psql door: applies the migration file described by the variables version, name, sha256 and breaking,
-- unless the ledger has it. The row goes in first: with the file's effects in the same transaction it cannot be alone.
select
    not exists (select from parley.migration where version = :version) as parley_pending,
    exists (
        select from parley.migration where version = :version and (name, sha256) is distinct from (:'name', :'sha256')
    ) as parley_changed
\gset
\if :parley_changed
    select set_config('parley.file', :'name', true);
    do $changed$
    begin
        raise exception 'sql/migrations/%.sql was changed after it had been applied', current_setting('parley.file')
            using hint = 'Applied migrations are frozen: restore the file and put the change into a new one.';
    end
    $changed$;
\endif
\if :parley_pending
    insert into parley.migration (version, name, sha256, breaking) values (:version, :'name', :'sha256', :breaking);
    \set parley_file migrations/ :name .sql
    \ir :parley_file
\endif
