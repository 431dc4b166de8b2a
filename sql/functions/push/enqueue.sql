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

create or replace function parley.queue_event_pushes(event_ids bigint[])
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_event parley.event;
begin
    perform parley.queue_message_pushes(event_ids);
    for v_event in
        select e.*
        from unnest(event_ids) as i (id)
        cross join lateral (select a.* from parley.event as a where a.id = i.id offset 0) as e
        where e.kind in ('message:read', 'message:deleted', 'participant:left', 'participant:updated')
            or e.kind like 'call:%'
        order by e.id
    loop
        perform parley.queue_pushes_of(v_event);
    end loop;
end;
$$;
comment on function parley.queue_event_pushes is
'Turns events into jobs: messages first, so that what was read of them already ends.';

create or replace function parley.queue_pushes_of(event parley.event)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_conversation_id constant uuid := coalesce(event.conversation_id, (event.data ->> 'conversation_id')::uuid);
    v_call_id constant uuid := (event.data ->> 'call_id')::uuid;
begin
    if event.kind = 'message:read' then
        perform parley.queue_read_pushes(
            event.user_id, v_conversation_id, (event.data ->> 'last_read_seq')::bigint
        );
    elsif event.kind = 'message:deleted' and event.conversation_id is not null then
        perform parley.queue_deleted_pushes(v_conversation_id, event.message_id, event.message_seq);
    elsif event.kind = 'call:ring' then
        perform parley.queue_call_pushes(v_conversation_id, v_call_id);
    elsif event.kind in (
        'call:answered_elsewhere', 'call:declined', 'call:busy', 'call:missed', 'call:cancelled', 'call:ended'
    ) then
        perform parley.queue_call_ends(v_conversation_id, v_call_id);
    elsif event.kind not like 'call:%' and event.user_id is not null then
        -- muted, archived, left, hidden: other messages count for this user
        perform parley.queue_badge_pushes(event.user_id, parley.push_tenant(v_conversation_id));
    end if;
end;
$$;
comment on function parley.queue_pushes_of is 'Queues what an event is worth that is not a new message: of reading, of deleting, of a call, or one that changes what counts for a user.';

create or replace function parley.queue_event_push(event_id bigint)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.queue_event_pushes(array[event_id]);
exception
    when others then
        if parley.is_passing_error(sqlstate) then
            raise;
        end if;
        update parley.push_state as s
        set skipped = s.skipped + 1, skipped_at = clock_timestamp(), skipped_code = sqlstate;
        raise warning 'push passes over event %: %', event_id, sqlstate;
end;
$$;
comment on function parley.queue_event_push is
'Turns one event into jobs; if that fails it is passed over, and noted in push_state.';

create or replace function parley.queue_event_share(event_ids bigint[])
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_half constant integer := cardinality(event_ids) / 2;
begin
    perform parley.queue_event_pushes(event_ids);
exception
    when others then
        if parley.is_passing_error(sqlstate) then
            raise;
        end if;
        -- whatever it is, it must not stop the others
        if v_half = 0 then
            perform parley.queue_event_push(event_ids[1]);
        else
            perform parley.queue_event_share(event_ids[:v_half]);
            perform parley.queue_event_share(event_ids[v_half + 1:]);
        end if;
end;
$$;
comment on function parley.queue_event_share is 'Turns events into jobs; those that fail are passed over.';

create or replace function parley.push_work(event_ids bigint[], apart numeric default 0)
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return (
        with
        worth as (
            select e.conversation_id, e.actor_id, e.kind = 'message:new' as is_message
            from unnest(event_ids) as i (id)
            cross join lateral (
                select a.conversation_id, a.actor_id, a.kind
                from parley.event as a
                where a.id = i.id
                offset 0
            ) as e
            where e.kind in (
                'message:new', 'message:read', 'message:deleted', 'participant:left', 'participant:updated'
            ) or e.kind like 'call:%'
        )

        select coalesce(ceil(sum(greatest(s.senders, s.messages * s.apart) * s.participants)), 0)
            -- measured: each as much as eight decisions
            + 8 * (select count(*) from worth as w where not w.is_message)
        from (
            select
                m.senders,
                m.messages,
                case when c.restricted then 1 else push_work.apart end as apart,
                (
                    select count(*)
                    from (select from parley.participant as q where q.conversation_id = m.conversation_id limit 1000) as q
                ) as participants
            from (
                select w.conversation_id, count(distinct w.actor_id) as senders, count(*) as messages
                from worth as w
                where w.is_message and w.conversation_id is not null
                group by w.conversation_id
            ) as m
            cross join lateral (
                select x.restricted from parley.conversation as x where x.id = m.conversation_id offset 0
            ) as c
        ) as s
    );
end;
$$;
comment on function parley.push_work is
'About how many decisions these events need: the messages of one sender in a conversation one for each participant. apart: the share of them that is decided one by one, as mentions and those of which somebody has read some; all of them where messages expire or not everybody may write.';

create or replace function parley.enqueue_push(batch integer default 500)
returns integer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    -- each may be a message to a large group, which is work for hundreds: more than these go together only if all of them
    -- are not too much work, and after the first share no more than the time allows that the last one took. The fewer
    -- shares, the less is done: of a conversation every share decides anew
    v_few constant integer := 25;
    v_most_work constant bigint := 3000;
    v_share integer := batch;
    v_work bigint;
    v_until constant timestamptz := clock_timestamp() + interval '1 second';
    v_begun timestamptz;
    v_ids bigint[];
    v_read integer := 0;
begin
    if not exists (select from parley.consumer as c where c.name = 'push') then
        return 0;
    end if;
    -- the log is read again after a crash that loses this; none of it is sent before a claim has waited for its commit
    perform set_config('synchronous_commit', 'off', true);
    perform parley.catch_up_push();
    -- share by share until there are no more, or this has taken long enough: the cursor stands behind the last one
    loop
        v_begun := clock_timestamp();
        v_share := least(v_share, batch - v_read);
        exit when v_share <= 0 or v_begun > v_until;
        begin
            v_ids := parley.consume_ids('push', v_share);
            -- late commits come on top of a share; where they alone are too much, a smaller one would not help
            if v_share > v_few and cardinality(v_ids) > v_few then
                v_work := parley.push_work(v_ids, apart => case when v_read = 0 then 0.125 else 0 end);
                if v_work > v_most_work then
                    raise exception using errcode = 'PT503', message = 'These events are too much work at once.';
                end if;
            end if;
        exception
            -- the cursor is back where it was
            when sqlstate 'PT503' then
                -- halved at least: late commits are in these, whatever the share is
                v_share := greatest(v_few, least(v_share / 2, cardinality(v_ids) * v_most_work / v_work));
                continue;
        end;
        exit when v_ids = '{}';
        perform parley.queue_event_share(v_ids);
        v_read := v_read + cardinality(v_ids);
        exit when cardinality(v_ids) < v_share;
        -- at most twice as many: later ones may cost much more
        v_share := greatest(
            1, v_share * least(2, 0.2 / greatest(0.001, extract(epoch from clock_timestamp() - v_begun)))
        );
    end loop;
    return v_read;
end;
$$;
comment on function parley.enqueue_push is
'Turns the next events of the log into jobs, at most so many, and no further share of them after a second, in one transaction with the cursor; returns how many events it read. As many as asked for, or after a second: call it again soon.';
grant execute on function parley.enqueue_push to parley_worker;

create or replace function parley.feed_push(
    batch integer, worker text, claims jsonb, secret text default null, provider_set text default null
)
returns table (read integer, job jsonb)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_commit constant text := current_setting('synchronous_commit');
    v_begun constant timestamptz := clock_timestamp();
    v_claim record;
    v_has_claimed boolean := false;
begin
    read := parley.enqueue_push(batch);
    return next;
    if read = 0 then
        return;
    end if;
    read := null;
    for v_claim in
        select c.provider, c.lanes, c.max, c.paused
        from jsonb_to_recordset(claims) as c (provider text, lanes text[], max integer, paused text[])
    loop
        for job in
            select j.job
            from parley.claim_push_jobs(
                feed_push.worker, v_claim.lanes, v_claim.max, v_claim.provider, v_claim.paused, feed_push.secret,
                feed_push.provider_set, v_begun
            ) as j (job)
        loop
            return next;
            v_has_claimed := true;
        end loop;
    end loop;
    if v_has_claimed then
        -- what is sent must not be forgotten, or it would come again under another id
        perform set_config('synchronous_commit', v_commit, true);
    end if;
end;
$$;
comment on function parley.feed_push is
'enqueue_push, and at once, in the same transaction, what claim_push_jobs gives for each of claims, [{provider, lanes, max, paused}]: how many events were read, in a row of its own, and the jobs.';
grant execute on function parley.feed_push to parley_worker;
