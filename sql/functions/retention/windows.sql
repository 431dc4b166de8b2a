-- How far back anybody sees in a conversation, and how long what is beyond is still kept.

create or replace function parley.retention_grace()
returns bigint
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    -- a setting that makes no sense must not cost messages
    select case when s.value ~ '^[0-9]{1,5}$' then s.value::bigint else 36500 end
    from parley.setting as s
    where s.name = 'retention_grace_days'
$$;
comment on function parley.retention_grace is 'The setting retention_grace_days.';

create or replace function parley.retention_windows(conversation_ids uuid[])
returns table (
    conversation_id uuid,
    last_seq bigint,
    retired_seq bigint,
    purged_seq bigint,
    swept_seq bigint,
    visible_days bigint,
    grace_days bigint,
    tenant_id uuid,
    tier_name text,
    is_empty boolean,
    reason text,
    held boolean
)
language plpgsql stable security definer
rows 200
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_tiers constant jsonb := (
        select jsonb_object_agg(t.name, (parley.tier_limit_of(t.name, 'retention_days')).amount) from parley.tier as t
    );
    v_longest constant text := (
        select t.key from jsonb_each_text(v_tiers) as t order by t.value::bigint desc nulls first, t.key limit 1
    );
    v_grace constant bigint := parley.retention_grace();
    v_any_hold constant boolean := exists (select from parley.hold as h where h.released_at is null);
begin
    return query
    select
        c.id,
        c.last_seq,
        coalesce(r.retired_seq, 0),
        coalesce(r.purged_seq, 0),
        coalesce(r.swept_seq, 0),
        least(w.days, y.visible_days),
        coalesce(y.grace_days, v_grace),
        cp.tenant_id,
        w.tier,
        n.tier is null,
        case
            when y.visible_days < coalesce(w.days, y.visible_days + 1) then 'policy'
            when n.tier is null then 'left'
            else 'tier'
        end,
        v_any_hold and parley.is_held(c.id)
    -- each by its whole key (offset 0), whatever the statistics say
    from unnest(retention_windows.conversation_ids) as u (id)
    cross join lateral (select k.* from parley.conversation as k where k.id = u.id offset 0) as c
    left join lateral (
        select k.* from parley.conversation_profile as k where k.conversation_id = u.id offset 0
    ) as cp on true
    left join lateral (
        select k.* from parley.conversation_retention as k where k.conversation_id = u.id offset 0
    ) as r on true
    -- the longest window of those who are there
    left join lateral (
        select a.tier
        from parley.participant as p
        cross join lateral (select parley.tier_of(p.user_id) as tier) as a
        -- the role makes the index by user, which has all the rest, no shorter way
        where p.conversation_id = c.id and p.left_at is null and p.role is not null
        order by (v_tiers ->> a.tier)::bigint desc nulls first, a.tier
        limit 1
    ) as n on true
    -- of those who left last
    left join lateral (
        select a.tier
        from parley.participant as p
        cross join lateral (select parley.tier_of(p.user_id) as tier) as a
        where n.tier is null
            and p.conversation_id = c.id
            and p.left_at = (
                select max(q.left_at) from parley.participant as q where q.conversation_id = c.id
            )
        order by (v_tiers ->> a.tier)::bigint desc nulls first, a.tier
        limit 1
    ) as l on true
    cross join lateral (
        select coalesce(n.tier, r.left_tier_name, l.tier, v_longest) as tier
    ) as x
    cross join lateral (select x.tier, (v_tiers ->> x.tier)::bigint as days) as w
    -- the most exact policy that says something
    left join lateral (
        select
            (array_agg(o.visible_days order by o.exactness desc) filter (where o.visible_days is not null))[1] as visible_days,
            (array_agg(o.grace_days order by o.exactness desc) filter (where o.grace_days is not null))[1] as grace_days
        from (
            select
                k.visible_days,
                k.grace_days,
                4 * (k.conversation_id is not null)::integer + 2 * (k.conversation_type is not null)::integer
                + (k.tenant_id is not null)::integer as exactness
            from parley.retention_policy as k
            where (k.conversation_id is null or k.conversation_id = c.id)
                and (k.conversation_type is null or k.conversation_type = cp.type)
                and (k.tenant_id is null or k.tenant_id = cp.tenant_id)
        ) as o
    ) as y on true
    order by c.id;
end;
$$;
comment on function parley.retention_windows is
'Of each conversation how many days back somebody sees (null: all), whose plan or which kind of rule says so, how long what is beyond is kept, and whether it is held; and how far retention has got.';

create or replace function parley.retention_floor(as_of timestamptz, visible_days bigint)
returns uuid
language sql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select case
        when visible_days is null then '00000000-0000-0000-0000-000000000000'::uuid
        -- days of 24 hours, as in message_floor_of
        else parley.uuid_v7_floor(as_of - make_interval(hours => 24 * least(visible_days, 36500)::integer))
    end
$$;
comment on function parley.retention_floor is 'The smallest id that a window of so many days reaches.';
