-- What the worker asks services about, and what it makes of their answers.

create or replace function parley.set_spam_key(rule_name text, key text)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if not exists (select from parley.spam_rule as r where r.name = set_spam_key.rule_name) then
        raise exception using errcode = 'PT404', message = 'There is no such rule.', hint = 'See parley.spam_rule.';
    end if;
    if octet_length(key) < 32 then
        raise exception using errcode = 'PT400', message = 'A key has at least 32 bytes.';
    end if;
    if key is null then
        delete from parley.secret as s where s.name = left('spam_' || set_spam_key.rule_name, 63);
        return;
    end if;
    insert into parley.secret as s (name, value)
    values (left('spam_' || set_spam_key.rule_name, 63), convert_to(key, 'UTF8'))
    on conflict on constraint secret_pkey do update set value = excluded.value, created_at = now();
end;
$$;
comment on function parley.set_spam_key is
'Sets the key with which the worker asks the service of a rule; null takes it away. For the owner of the schema.';

create or replace function parley.claim_spam_checks(most integer default 50)
returns table (
    conversation_id uuid,
    message_id uuid,
    rule_name text,
    kind text,
    url text,
    key text,
    content text,
    urls text[]
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_check record;
    v_urls text[];
    v_unknown text[];
begin
    for v_check in
        with due as (
            select
                c.conversation_id,
                c.message_id,
                c.rule_name
            from parley.spam_check as c
            where c.next_try_at <= clock_timestamp()
            order by c.next_try_at
            limit claim_spam_checks.most
            for update skip locked
        ),

        taken as (
            update parley.spam_check as c
            -- whoever dies with it leaves it to another
            set tries = c.tries + 1, next_try_at = clock_timestamp() + interval '60 seconds'
            from due
            where c.conversation_id = due.conversation_id
                and c.message_id = due.message_id
                and c.rule_name = due.rule_name
            returning c.conversation_id, c.message_id, c.rule_name
        )

        select
            t.*,
            r.kind,
            r.parameters,
            convert_from(s.value, 'UTF8') as key,
            m.content
        from taken as t
        inner join parley.spam_rule as r on t.rule_name = r.name
        left join parley.secret as s on s.name = left('spam_' || t.rule_name, 63)
        left join parley.message as m
            on m.id = t.message_id and m.conversation_id = t.conversation_id and m.deleted_at is null
    loop
        v_urls := '{}';
        if v_check.content is null then
            -- it is gone: there is nothing to ask about
            delete from parley.spam_check as c
            where c.conversation_id = v_check.conversation_id
                and c.message_id = v_check.message_id
                and c.rule_name = v_check.rule_name;
            continue;
        elsif v_check.kind = 'safe_browsing' then
            v_urls := array(select distinct l.url from unnest(parley.links_of(v_check.content)) as l);
            v_unknown := array(
                select u.url
                from unnest(v_urls) as u (url)
                where not exists (
                    select from parley.link_verdict as v
                    where v.url_hash = sha256(convert_to(u.url, 'UTF8'))
                        and v.rule_name = v_check.rule_name
                        and v.expires_at > clock_timestamp()
                )
            );
            if v_unknown = '{}' then
                perform parley.answer_spam_check(v_check.conversation_id, v_check.message_id, v_check.rule_name);
                continue;
            end if;
            v_urls := v_unknown;
        end if;
        conversation_id := v_check.conversation_id;
        message_id := v_check.message_id;
        rule_name := v_check.rule_name;
        kind := v_check.kind;
        url := v_check.parameters ->> 'url';
        key := v_check.key;
        content := case when v_check.kind = 'classifier' then v_check.content end;
        urls := v_urls;
        return next;
    end loop;
end;
$$;
comment on function parley.claim_spam_checks is
'Takes messages that services are to be asked about, for 60 seconds; those whose links are all known are answered at once. For a classifier content, for link safety urls.';
grant execute on function parley.claim_spam_checks to parley_worker;

create or replace function parley.note_links(rule_name text, urls text[], bad_urls text[], cache_seconds integer[])
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    insert into parley.link_verdict as v (url_hash, rule_name, is_bad, expires_at)
    select
        sha256(convert_to(u.url, 'UTF8')),
        note_links.rule_name,
        b.place is not null,
        -- a service says how long a warning holds; no warning is asked about again after five minutes
        clock_timestamp() + make_interval(
            secs => case
                when note_links.cache_seconds[b.place] is null then 300
                else least(greatest(note_links.cache_seconds[b.place], 1), 86400)
            end
        )
    from (select distinct unnest(note_links.urls) as url) as u
    cross join lateral (select array_position(note_links.bad_urls, u.url) as place) as b
    order by 1
    on conflict on constraint link_verdict_pkey do update
    set is_bad = excluded.is_bad, expires_at = excluded.expires_at;
end;
$$;
comment on function parley.note_links is
'Keeps what a service of link safety said of links, for as long as it said (cache_seconds, one for each of bad_urls).';
grant execute on function parley.note_links to parley_worker;

create or replace function parley.answer_spam_check(
    conversation_id uuid, message_id uuid, rule_name text, confidence double precision default null
)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_rule parley.spam_rule;
    v_content text;
    v_measure double precision := answer_spam_check.confidence;
begin
    select r.* into v_rule from parley.spam_rule as r where r.name = answer_spam_check.rule_name;
    -- as it is now: it may have been edited, and is asked about again then
    select m.content into v_content
    from parley.message as m
    where m.id = answer_spam_check.message_id and m.conversation_id = answer_spam_check.conversation_id;
    if v_rule.kind = 'safe_browsing' then
        select count(distinct l.url)
        into v_measure
        from unnest(parley.links_of(v_content)) as l
        inner join parley.link_verdict as v
            on v.url_hash = sha256(convert_to(l.url, 'UTF8')) and v.rule_name = v_rule.name and v.is_bad;
    end if;
    return parley.end_spam_check(
        answer_spam_check.conversation_id, answer_spam_check.message_id, v_rule, coalesce(v_measure >= v_rule.threshold, false)
    );
end;
$$;
comment on function parley.answer_spam_check is
'A service has answered: of links note_links was told, a classifier gave a confidence. True: it was spam, and the rule counts.';
grant execute on function parley.answer_spam_check to parley_worker;

create or replace function parley.fail_spam_check(conversation_id uuid, message_id uuid, rule_name text)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_rule parley.spam_rule;
    v_tries integer;
begin
    update parley.spam_check as c
    -- 2, 4, 8... seconds
    set next_try_at = clock_timestamp() + make_interval(secs => least(2 ^ least(c.tries, 10), 300))
    where c.conversation_id = fail_spam_check.conversation_id
        and c.message_id = fail_spam_check.message_id
        and c.rule_name = fail_spam_check.rule_name
    returning c.tries into v_tries;
    select r.* into v_rule from parley.spam_rule as r where r.name = fail_spam_check.rule_name;
    if v_tries is null or v_tries < coalesce((v_rule.parameters ->> 'tries')::integer, 5) then
        return false;
    end if;
    return parley.end_spam_check(
        fail_spam_check.conversation_id, fail_spam_check.message_id, v_rule, v_rule.on_failure = 'closed'
    );
end;
$$;
comment on function parley.fail_spam_check is
'A service gave no answer: it is asked again later, 5 times (tries of the rule''s parameters). Then the rule fails open, or closed, which treats the message as spam: true.';
grant execute on function parley.fail_spam_check to parley_worker;
