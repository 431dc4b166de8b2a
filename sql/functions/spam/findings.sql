-- The rules at work: which of them fire at a text of a sender, and what follows from it.

create or replace function parley.spam_findings(
    content text,
    words text[],
    simhash bigint,
    sender_id uuid,
    is_new boolean,
    conversation_id uuid,
    near_simhashes bigint[],
    near_conversations uuid[],
    rule_name text default null
)
returns parley.spam_finding[]
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- what has no dot before a letter, no colon and slashes has no link
    v_links parley.message_link[] := case
        when content ~ E'\\.[[:alnum:]]|://|。' then parley.links_of(content) else '{}'
    end;
    v_has_links boolean := cardinality(v_links) > 0;
    v_findings parley.spam_finding[];
begin
    -- one statement, because each call of a function for each rule would cost more than all of this
    select array_agg((f.name, f.mode, f.weight, f.measure)::parley.spam_finding order by f.weight desc, f.name)
    into v_findings
    from (
        select
            r.name,
            r.mode,
            r.weight,
            r.threshold,
            case r.kind
                when 'near_texts' then (
                    select count(*)
                    from unnest(near_simhashes) as n (simhash)
                    where bit_count((n.simhash # spam_findings.simhash)::bit(64)) <= (r.parameters ->> 'distance')::integer
                )
                when 'near_recipients' then (
                    select count(distinct n.conversation_id)
                    from unnest(near_simhashes, near_conversations) as n (simhash, conversation_id)
                    where n.conversation_id <> spam_findings.conversation_id
                        and bit_count((n.simhash # spam_findings.simhash)::bit(64)) <= (r.parameters ->> 'distance')::integer
                )
                when 'links' then cardinality(v_links)
                when 'hosts' then (
                    select count(*)
                    from unnest(v_links) as l
                    where exists (
                        select from jsonb_array_elements_text(r.parameters -> 'hosts') as h (host)
                        where l.host = h.host or right(l.host, length(h.host) + 1) = '.' || h.host
                    )
                )
                when 'link_shape' then (
                    select count(*)
                    from unnest(v_links) as l
                    where l.shapes && array(select jsonb_array_elements_text(r.parameters -> 'shapes'))
                )
                when 'lookalike' then (
                    select count(*)
                    from unnest(v_links) as l
                    where exists (
                        select from jsonb_array_elements_text(r.parameters -> 'hosts') as h (host)
                        where parley.imitates(l.host, h.host)
                    )
                )
                when 'bad_links' then (
                    select count(*)
                    from unnest(v_links) as l
                    where exists (
                        select from parley.link_verdict as b
                        where b.url_hash = sha256(convert_to(l.url, 'UTF8'))
                            and b.is_bad
                            and b.expires_at > clock_timestamp()
                    )
                )
                when 'terms' then (
                    select sum((t.terms ->> w.word)::double precision)
                    from (select r.parameters -> 'terms' as terms offset 0) as t
                    cross join unnest(words) as w (word)
                )
                when 'pattern' then regexp_count(content, r.parameters ->> 'pattern', 1, 'i')
                when 'reputation' then 1 - parley.sender_reputation(sender_id)
                when 'new_account' then is_new::integer
                when 'unverified_phone' then case
                    when not parley.has_verified_phone(sender_id)
                        then (
                            select n.reported * parley.kept_since(n.updated_at)
                            from parley.sender_record as n
                            where n.user_id = spam_findings.sender_id
                        )
                end
            end as measure
        from parley.spam_rule as r
        where case
            when rule_name is not null then r.name = rule_name
            -- what cannot fire is not measured
            else r.mode <> 'off'
                and r.kind not in ('safe_browsing', 'classifier')
                and (v_has_links or r.kind not in ('links', 'hosts', 'link_shape', 'lookalike', 'bad_links'))
                and (spam_findings.simhash is not null or r.kind not in ('near_texts', 'near_recipients'))
        end
    ) as f
    where f.measure >= f.threshold;
    return coalesce(v_findings, '{}');
end;
$$;
comment on function parley.spam_findings is
'The rules that fire at a text: all that are not off, or the one named. near_simhashes and near_conversations are what the sender wrote of late.';

create or replace function parley.spam_confidence(findings parley.spam_finding[])
returns double precision
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
    v_finding parley.spam_finding;
    v_doubt double precision := 1;
begin
    foreach v_finding in array findings loop
        if v_finding.mode = 'on' then
            v_doubt := v_doubt * (1 - v_finding.weight);
        end if;
    end loop;
    return 1 - v_doubt;
end;
$$;
comment on function parley.spam_confidence is 'How sure the rules that count are together, 0 to 1.';

create or replace function parley.spam_action(confidence double precision)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return case
        when confidence >= parley.setting_number('spam_block_at', 0.9) then 'block'
        when confidence >= parley.setting_number('spam_filter_at', 0.5) then 'filter'
        else 'allow'
    end;
end;
$$;
comment on function parley.spam_action is
'What is done with a message of which the rules are so sure: allow, filter or block, by the settings.';
