-- From events to jobs: a durable consumer of the log, so that each event is turned into jobs exactly once, by whichever
-- worker comes first. Nothing of it is in a send.

create or replace function parley.catch_up_push()
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_epoch constant text := parley.log_epoch();
    v_reason text;
begin
    select case
        when c.max_id < s.purged_id then 'the log was purged before it was read'
        -- a failover, another timeline, changes nothing: the cursor came with the rows
        when split_part(c.epoch, '/', 1) <> split_part(v_epoch, '/', 1)
            or split_part(c.epoch, '/', 3) <> split_part(v_epoch, '/', 3)
            then 'another epoch of the log began'
    end
    into v_reason
    from parley.consumer as c
    cross join parley.log_state as s
    where c.name = 'push';
    if v_reason is null then
        return;
    end if;
    perform parley.adopt_log();
    update parley.consumer as c
    set snapshot = parley.cursor_snapshot(), max_id = parley.log_end(), epoch = v_epoch, updated_at = clock_timestamp()
    where c.name = 'push';
    update parley.push_state as s
    set resets = s.resets + 1, reset_at = clock_timestamp(), reset_reason = v_reason;
    raise warning 'push begins anew at the end of the log: %', v_reason;
end;
$$;
comment on function parley.catch_up_push is
'Has push go on from the end of the log where what it would read is gone, or was sent by an older copy of this database; notes it in push_state.';

create or replace function parley.enqueue_push(batch integer default 500)
returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_ids bigint[];
    v_event parley.event;
begin
    if not exists (select from parley.consumer as c where c.name = 'push') then
        return 0;
    end if;
    perform parley.catch_up_push();
    v_ids := parley.consume_ids('push', batch);
    for v_event in
        select e.*
        from unnest(v_ids) as i (id)
        cross join lateral (select a.* from parley.event as a where a.id = i.id offset 0) as e
        where e.kind in ('message:new', 'conversation:new', 'message:read') or e.kind like 'call:%'
        order by e.id
    loop
        if v_event.kind = 'message:new' and v_event.conversation_id is not null then
            perform parley.queue_message_pushes(
                v_event.conversation_id, v_event.message_id, v_event.message_seq, null, v_event.actor_id
            );
        elsif v_event.kind = 'conversation:new' and v_event.created_at > clock_timestamp() - parley.push_lifetime() then
            perform parley.queue_message_pushes(
                coalesce(v_event.conversation_id, (v_event.data ->> 'conversation_id')::uuid), null, 0,
                case when v_event.conversation_id is null then v_event.user_id end, v_event.actor_id
            );
        elsif v_event.kind = 'message:read' then
            perform parley.queue_read_pushes(
                v_event.user_id, coalesce(v_event.conversation_id, (v_event.data ->> 'conversation_id')::uuid),
                (v_event.data ->> 'last_read_seq')::bigint
            );
        elsif v_event.kind = 'call:ring' then
            perform parley.queue_call_pushes(v_event.conversation_id, (v_event.data ->> 'call_id')::uuid);
        elsif v_event.kind in (
            'call:answered_elsewhere', 'call:declined', 'call:busy', 'call:missed', 'call:cancelled', 'call:ended'
        ) then
            perform parley.queue_call_ends(
                coalesce(v_event.conversation_id, (v_event.data ->> 'conversation_id')::uuid),
                (v_event.data ->> 'call_id')::uuid
            );
        end if;
    end loop;
    return coalesce(cardinality(v_ids), 0);
end;
$$;
comment on function parley.enqueue_push is
'Turns the next events of the log into jobs, in one transaction with the cursor; returns how many events it read. As many as batch: call it again at once.';
grant execute on function parley.enqueue_push to parley_worker;
