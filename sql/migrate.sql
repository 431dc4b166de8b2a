-- The extension door. The extension owns two things only, the texts of the SQL files and the function that applies
-- them; tables made by it are ordinary objects. So pg_dump saves data, policies and triggers as for any table, and
-- dropping the extension leaves all of it in place. scripts/extension.sh puts this file in front of the texts.

create table parley_ext.file (
    position integer not null,
    kind text not null,
    path text not null,
    body text not null,
    constraint file_pkey primary key (position),
    constraint file_path_key unique (path),
    constraint file_kind_check check (kind in ('bootstrap', 'migration', 'repeatable'))
);
revoke all on parley_ext.file from public;
comment on table parley_ext.file is 'The SQL files of this version of Parley, in the order of application.';
comment on column parley_ext.file.position is 'Order of application.';
comment on column parley_ext.file.kind
is 'bootstrap: always first; migration: once; repeatable: by every migrate().';
comment on column parley_ext.file.path is 'Path in the source tree.';
comment on column parley_ext.file.body is 'The file, byte for byte.';

create function parley_ext.migrate()
returns table (applied text)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set standard_conforming_strings = on
as $migrate$
#variable_conflict use_column
declare
    v_file record;
    v_name text;
    v_version integer;
    v_sha256 text;
    v_known record;
    v_until timestamptz;
begin
    for v_file in select f.kind, f.path, f.body from parley_ext.file f order by f.position loop
        if v_file.kind = 'migration' then
            v_name := regexp_replace(v_file.path, '^.*/|[.]sql$', '', 'g');
            v_version := left(v_name, 4)::integer;
            v_sha256 := encode(sha256(convert_to(v_file.body, 'UTF8')), 'hex');
            select m.name, m.sha256 into v_known from parley.migration m where m.version = v_version;
            if found then
                if (v_known.name, v_known.sha256) <> (v_name, v_sha256) then
                    raise exception '% was changed after it had been applied', v_file.path
                        using hint = 'Applied migrations are frozen: restore the file and put the change into a new one.';
                end if;
                continue;
            end if;
            insert into parley.migration (version, name, sha256, breaking)
            values (v_version, v_name, v_sha256, starts_with(v_file.body, '--! breaking'));
            applied := v_name;
            return next;
            -- bootstrap lets nothing wait long for a lock; another attempt is cheaper than a queue of senders
            v_until := clock_timestamp() + interval '30 s';
            loop
                begin
                    execute v_file.body;
                    exit;
                exception
                    when lock_not_available then
                        if clock_timestamp() > v_until then
                            raise exception using
                                errcode = '55P03',
                                message = format('%s needs a table that is in use', v_file.path),
                                hint = 'Nothing has changed. See who holds it: select pid, application_name, '
                                    'now() - xact_start from pg_stat_activity order by xact_start; and install again.';
                        end if;
                        perform pg_sleep(0.2 + random() / 2);
                end;
            end loop;
            continue;
        elsif v_file.kind = 'repeatable' and v_version is not null then
            -- the first file after the migrations: a database that is ahead must not get older functions
            select m.name into v_name from parley.migration m where m.version > v_version order by m.version desc limit 1;
            if found then
                raise exception 'this database was installed by a newer Parley (migration %)', v_name
                    using hint = 'Install that release or a later one; downgrades are not supported.';
            end if;
            v_version := null;
        end if;
        execute v_file.body;
    end loop;
    perform pg_notify('pgrst', 'reload schema');
end
$migrate$;
revoke all on function parley_ext.migrate() from public;
comment on function parley_ext.migrate()
is 'Installs Parley or upgrades it to the version of the extension; returns the migrations applied. Safe to run again.';
