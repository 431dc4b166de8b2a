-- What the next pass would do, without doing it.

create or replace function parley.retention_due(as_of timestamptz)
returns table (
    conversation_id uuid, message_id uuid, bytes bigint, tier_name text, tenant_id uuid, reason text, action text
)
language plpgsql stable security definer
rows 100000
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_ids uuid[] := array(select c.id from parley.conversation as c order by c.id limit 1000);
    v_window record;
    v_floor uuid;
    v_before timestamptz;
    v_last_seq bigint;
begin
    while v_ids <> '{}' loop
        for v_window in select w.* from parley.retention_windows(v_ids) as w loop
            v_floor := parley.retention_floor(as_of, v_window.visible_days);
            v_before := as_of - make_interval(days => v_window.grace_days::integer);
            v_last_seq := greatest(
                v_window.retired_seq,
                parley.first_seq_in_window(
                    v_window.conversation_id, v_window.retired_seq, v_window.last_seq, v_floor
                ) - 1
            );
            return query
            select x.conversation_id, x.id, x.bytes, v_window.tier_name, v_window.tenant_id, v_window.reason, x.action
            from (
                select
                    m.conversation_id,
                    m.id,
                    parley.purged_bytes(m) as bytes,
                    case
                        when m.id >= v_floor then 'return'
                        when coalesce(m.retired_at, as_of) <= v_before and v_window.held then 'held'
                        when coalesce(m.retired_at, as_of) <= v_before then 'purge'
                        when m.retired_at is null then 'retire'
                    end as action
                from parley.message as m
                where m.conversation_id = v_window.conversation_id and m.seq <= v_last_seq
            ) as x
            where x.action is not null;
        end loop;
        v_ids := array(
            select c.id from parley.conversation as c where c.id > v_ids[cardinality(v_ids)] order by c.id limit 1000
        );
    end loop;
end;
$$;
comment on function parley.retention_due is
'Each message that the next pass as of that moment would purge, retire or take back, or that only a hold keeps. Reads only what lies behind a window.';

create or replace function parley.retention_preview(as_of timestamptz default now())
returns table (
    action text,
    tier text,
    tenant_id uuid,
    reason text,
    conversations bigint,
    messages bigint,
    bytes bigint,
    checksum bigint
)
language plpgsql stable security definer
rows 20
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    select
        d.action,
        d.tier_name,
        d.tenant_id,
        d.reason,
        count(distinct d.conversation_id),
        count(*),
        sum(d.bytes)::bigint,
        bit_xor(hashtextextended(d.message_id::text, 0))
    from parley.retention_due(as_of) as d
    group by d.action, d.tier_name, d.tenant_id, d.reason
    order by d.action, d.tier_name, d.tenant_id, d.reason;
end;
$$;
comment on function parley.retention_preview is
'What the next pass would purge, retire and take back, and what only a hold keeps, by the plan with the longest window, the tenant and the reason (tier, left: nobody is there any more, policy), with the checksum of the ids as in parley.retention_run. Changes nothing.';
