-- One step of the psql door, after the migrations: a database that is ahead of these files must not get older
-- functions.
select exists (select from parley.migration where version > :version) as parley_ahead \gset
\if :parley_ahead
    do $ahead$
    begin
        raise exception 'this database was installed by a newer Parley (migration %)',
            (select max(name) from parley.migration)
            using hint = 'Install with the files of that release or a later one; downgrades are not supported.';
    end
    $ahead$;
\endif
