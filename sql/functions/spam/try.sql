-- Trying a rule before it counts.

create or replace function parley.try_spam_rule(rule text, since timestamptz, most integer default 10000)
returns table (
    message_id uuid,
    conversation_id uuid,
    sender_id uuid,
    sent_at timestamptz,
    measure double precision,
    answered boolean
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if not exists (
        select from parley.spam_rule as r where r.name = rule and r.kind not in ('safe_browsing', 'classifier')
    ) then
        raise exception using
            errcode = 'PT404',
            message = 'There is no such rule to try.',
            hint = 'See parley.spam_rule; outside services are asked about new messages only.';
    end if;
    return query
    with past as materialized (
        select
            m.id,
            m.conversation_id,
            m.sender_id,
            m.created_at,
            m.text,
            m.words,
            case when cardinality(m.words) >= 4 then parley.simhash(m.words) end as simhash
        from (
            select
                b.*,
                parley.spam_words(b.text) as words
            from (
                select
                    g.id,
                    g.conversation_id,
                    g.sender_id,
                    g.created_at,
                    concat_ws(E'\n', g.content, nullif(g.metadata - 'formatting', '{}')::text) as text
                from parley.message as g
                where g.created_at >= try_spam_rule.since
                    and g.sender_id is not null
                    and g.deleted_at is null
                    and g.type <> 'encrypted'
                order by g.id
                limit try_spam_rule.most
            ) as b
            offset 0
        ) as m
    )

    select
        p.id,
        p.conversation_id,
        p.sender_id,
        p.created_at,
        f.measure,
        not c.unanswered
    from past as p
    inner join parley.conversation as c on p.conversation_id = c.id
    inner join parley.account as a on p.sender_id = a.id
    inner join parley.tier as t on a.tier_name = t.name
    cross join lateral (
        select
            count(*) as texts,
            count(distinct q.conversation_id) filter (where q.conversation_id <> p.conversation_id) as recipients
        from (
            select
                b.simhash,
                b.conversation_id
            from past as b
            where b.sender_id = p.sender_id
                and b.id < p.id
                and b.created_at > p.created_at - interval '1 day'
                and b.simhash is not null
            order by b.id desc
            limit 32
        ) as q
        where bit_count((q.simhash # p.simhash)::bit(64)) <= 10
    ) as n
    cross join lateral unnest(
        parley.spam_findings(
            p.text, p.words, n.texts, n.recipients, p.sender_id,
            coalesce(p.created_at < a.created_at + t.new_account_hours * interval '1 hour', false), try_spam_rule.rule
        )
    ) as f
    order by p.id;
end;
$$;
comment on function parley.try_spam_rule is
'The messages since a moment at which the rule, on or off, would have fired had they been judged, the oldest first; most is how many are looked at. answered: the recipient wrote back, which speaks against the rule. Reputation and answers about links are those of today.';
