-- The doorbell, the writer's half. pg_notify makes every commit of the cluster queue behind one lock, so a writer calls
-- it only when a worker sleeps. A worker goes to sleep by holding its lock_key exclusively: whoever gets the key shared
-- knows that the worker is awake and cannot fall asleep before this transaction has ended, when it will look again.
-- Costs one shared advisory lock per running worker, about a microsecond each. The payload is empty, because any
-- database user may listen. A worker that registered after this statement's snapshot is not seen; its poll once a
-- second covers that.

create or replace function parley.ring()
returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from parley.worker w where not pg_try_advisory_xact_lock_shared(w.lock_key)) then
        perform pg_notify('parley', '');
    end if;
end
$$;
comment on function parley.ring is
'Wakes sleeping workers when this transaction commits. Call it once per event written.';
