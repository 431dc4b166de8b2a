-- How finish.sql changes tables and views that are in use.

-- Does the statements with all these relations locked, at once or not at all. No attempt waits in front of others for
-- more than 100 ms in sum, and between two of them nothing is held. Gives up after 30 s, or parley.lock_wait.
create function parley_wanted.apply(relations text[], statements text[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $apply$
declare
    v_until timestamptz := clock_timestamp()
        + coalesce(nullif(current_setting('parley.lock_wait', true), ''), '30 s')::interval;
    v_wait integer := greatest(100 / greatest(cardinality(relations), 1), 5);
    v_pause double precision := 0.1;
    v_text text;
begin
    loop
        begin
            perform set_config('lock_timeout', v_wait || 'ms', true);
            for v_text in
                select c.oid::regclass from unnest(relations) as r (name)
                inner join pg_class as c on to_regclass(r.name) = c.oid and c.relkind <> 'v'
                order by 1
            loop
                execute format('lock table only %s in access exclusive mode', v_text);
            end loop;
            foreach v_text in array statements loop
                execute v_text;
            end loop;
            return;
        exception
            when lock_not_available then
                null;
        end;
        if clock_timestamp() > v_until then
            select string_agg(b.text, '; ') into v_text
            from (
                select format(
                    '%s holds %s%s',
                    coalesce('pid ' || l.pid, 'a prepared transaction'),
                    string_agg(distinct l.relation::regclass::text, ', '),
                    coalesce(
                        ' (' || concat_ws(
                            ', ',
                            coalesce(nullif(a.application_name, ''), 'no application name'),
                            coalesce(
                                a.state || ', query began '
                                || date_trunc('second', clock_timestamp() - a.query_start) || ' ago',
                                'since when is shown to pg_read_all_stats'
                            )
                        ) || ')',
                        ''
                    )
                ) as text
                from pg_locks as l
                left join pg_stat_activity as a on l.pid = a.pid
                where
                    l.granted
                    and l.locktype = 'relation'
                    and l.database = (select d.oid from pg_database as d where d.datname = current_database())
                    and l.pid is distinct from pg_backend_pid()
                    and (
                        l.relation = any(array(select to_regclass(r.name)::oid from unnest(relations) as r (name)))
                        or relations = '{}' and l.relation in (
                            select c.oid from pg_class as c where c.relnamespace = 'parley'::regnamespace
                        )
                    )
                group by l.pid, a.application_name, a.state, a.query_start, a.xact_start
                order by a.xact_start nulls last
                limit 3
            ) as b;
            raise exception using
                errcode = '55P03',
                message = format('not installed: %s', coalesce(v_text, 'the tables are locked by somebody who is gone now')),
                detail = format(
                    'It must be changed: %s.',
                    coalesce(nullif(array_to_string(relations, ', '), ''), array_to_string(statements, '; '))
                ),
                hint = 'Nothing has changed. Install again when that transaction has ended, or end it with '
                    'pg_terminate_backend(pid).';
        end if;
        perform pg_sleep(v_pause * (0.5 + random()));
        v_pause := least(v_pause * 2, 1.0);
    end loop;
end
$apply$;
