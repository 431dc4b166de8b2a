-- The rules at work: which of them fire at a text of a sender, and what follows from it.

create or replace function parley.near_texts(
    sender_id uuid, simhash bigint, conversation_id uuid, out texts bigint, out recipients bigint
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
begin
    select
        count(*),
        count(distinct f.conversation_id) filter (where f.conversation_id <> near_texts.conversation_id)
    into texts, recipients
    from (
        select
            n.simhash,
            n.conversation_id
        from parley.spam_fingerprint as n
        where n.sender_id = near_texts.sender_id
        order by n.id desc
        limit 32
    ) as f
    where bit_count((f.simhash # near_texts.simhash)::bit(64)) <= 10;
end;
$$;
comment on function parley.near_texts is
'How many of the sender''s last 32 texts to strangers said nearly the same (10 of 48 bits apart at most), and to how many other conversations.';

create or replace function parley.terms_measure(terms jsonb, words text[])
returns double precision
language plpgsql immutable security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
    -- each word once, however often it is there
    return (select sum((terms ->> w.word)::double precision) from (select distinct unnest(words) as word) as w);
end;
$$;
comment on function parley.terms_measure is 'The sum of what the terms give for the words of a text.';

create or replace function parley.link_measure(kind text, parameters jsonb, links parley.message_link[])
returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_listed constant text[] := array(
        select jsonb_array_elements_text(coalesce(parameters -> 'hosts', parameters -> 'shapes'))
    );
begin
    if kind = 'links' then
        return cardinality(links);
    end if;
    return (
        select count(*)
        from unnest(links) as l
        where case kind
            when 'link_shape' then l.shapes && v_listed
            when 'hosts'
                -- or of the host that it is below
                then l.host = any(v_listed) or substring(l.host, E'[^.]+\\.[^.]+$') = any(v_listed)
            when 'lookalike'
                then exists (select from unnest(v_listed) as h (host) where parley.imitates(l.host, h.host))
            when 'bad_links'
                then exists (
                    select from parley.link_verdict as b
                    where b.url_hash = sha256(convert_to(l.url, 'UTF8')) and b.is_bad and b.expires_at > clock_timestamp()
                )
        end
    );
end;
$$;
comment on function parley.link_measure is 'How many of the links a rule of that kind means.';

create or replace function parley.spam_findings(
    content text,
    words text[],
    near_texts bigint,
    near_recipients bigint,
    sender_id uuid,
    is_new boolean,
    rule_name text default null
)
returns parley.spam_finding[]
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- what has no dot before a letter, and no colon with slashes, has no link
    v_links parley.message_link[] := case
        when content ~ E'\\.[0-9A-Za-z\u00aa-\U000e0fff]|://|[\uff0e\u3002]' then parley.links_of(content) else '{}'
    end;
    v_has_links constant boolean := v_links <> '{}';
    v_has_record constant boolean := parley.complaints_about(spam_findings.sender_id) > 0;
    v_findings parley.spam_finding[];
begin
    -- one statement, because a call for each rule would cost more than all of this
    select array_agg((f.name, f.mode, f.weight, f.measure)::parley.spam_finding)
    into v_findings
    from (
        select
            r.name,
            r.mode,
            r.weight,
            r.threshold,
            case r.kind
                when 'near_texts' then spam_findings.near_texts
                when 'near_recipients' then spam_findings.near_recipients
                when 'new_account' then spam_findings.is_new::integer
                when 'reputation' then case when v_has_record then 1 - parley.sender_reputation(spam_findings.sender_id) end
                when 'terms' then parley.terms_measure(r.parameters -> 'terms', spam_findings.words)
                when 'pattern' then regexp_count(spam_findings.content, r.parameters ->> 'pattern', 1, 'i')
                when 'unverified_phone' then case when v_has_record then parley.reports_without_phone(spam_findings.sender_id) end
                when 'safe_browsing' then null
                when 'classifier' then null
                else parley.link_measure(r.kind, r.parameters, v_links)
            end as measure
        from parley.spam_rule as r
        where case
            when spam_findings.rule_name is not null then r.name = spam_findings.rule_name
            when v_has_links then r.mode <> 'off'
            -- what cannot fire is not measured
            else r.mode <> 'off' and r.kind not in ('links', 'hosts', 'link_shape', 'lookalike', 'bad_links')
        end
        offset 0
    ) as f
    where f.measure >= f.threshold;
    return coalesce(v_findings, '{}');
end;
$$;
comment on function parley.spam_findings is
'The rules that fire at a text: all that are not off, or the one named.';

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
