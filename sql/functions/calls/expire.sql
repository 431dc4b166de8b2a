-- Calls that ring or last too long are ended by a job.

-- --- the job
create or replace function parley.expire_calls()
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_batch constant integer := 50;
    v_now constant timestamptz := clock_timestamp();
    v_due record;
    v_call parley.call;
    v_expired integer := 0;
begin
    for v_due in
        select c.id, c.conversation_id
        from parley.call as c
        where c.due_at <= v_now
        order by c.due_at
        limit v_batch
    loop
        -- whoever holds the conversation is perhaps answering; the next round looks again
        perform from parley.conversation as n where n.id = v_due.conversation_id for no key update skip locked;
        continue when not found;
        select c.* into v_call
        from parley.call as c
        where c.id = v_due.id and c.conversation_id = v_due.conversation_id and c.due_at <= v_now
        for no key update;
        continue when not found;
        perform parley.expire_call(v_call);
        v_expired := v_expired + 1;
    end loop;
    return v_expired = v_batch;
end;
$$;
comment on function parley.expire_calls is
'A job: ends what has rung or lasted long enough, at most 50 calls at a time; true if there may be more. Steps aside where a conversation is locked.';
