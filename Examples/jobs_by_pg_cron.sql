-- Parley's jobs without a worker, or beside one: pg_cron calls them, and each runs once whoever comes first. Run it in
-- the database of pg_cron as a role that may call parley.run_job: the owner of Parley's schemas, or a member of
-- parley_worker. What is due is done in one go, each run in a transaction of its own; the next call finds the rest.
select cron.schedule('parley_jobs', '10 seconds', $jobs$
do $$
declare
    v_name text;
begin
    for v_name in select name from parley.due_jobs() where wait_ms = 0 loop
        loop
            exit when not parley.run_job(v_name);
            commit;
            exit when clock_timestamp() > statement_timestamp() + interval '50 seconds';
        end loop;
        commit;
    end loop;
end
$$
$jobs$);
