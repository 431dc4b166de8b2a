-- Upkeep of what the rules keep.

create or replace function parley.purge_spam_records()
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
-- plans made while the tables were empty would read all of them ever after
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_now constant timestamptz := clock_timestamp();
    v_days double precision := least(parley.setting_number('spam_verdict_days', 90), 36500);
    v_more boolean;
begin
    with old as (
        select f.sender_id, f.id
        from parley.spam_fingerprint as f
        where f.sent_at < v_now - interval '1 day'
        limit 10000
        for update skip locked
    ),

    gone as (
        delete from parley.spam_fingerprint as f
        using old
        where f.sender_id = old.sender_id and f.id = old.id
        returning f.id
    )

    select count(*) = 10000 into v_more from gone;
    with old as (
        select v.id
        from parley.spam_verdict as v
        where v.at < v_now - make_interval(secs => v_days * 86400)
        order by v.at
        limit 10000
        for update skip locked
    ),

    gone as (
        delete from parley.spam_verdict as v using old where v.id = old.id returning v.id
    )

    select v_more or count(*) = 10000 into v_more from gone;
    with old as (
        select l.url_hash, l.rule_name
        from parley.link_verdict as l
        where l.expires_at < v_now
        order by l.expires_at
        limit 10000
        for update skip locked
    ),

    gone as (
        delete from parley.link_verdict as l
        using old
        where l.url_hash = old.url_hash and l.rule_name = old.rule_name
        returning l.rule_name
    )

    select v_more or count(*) = 10000 into v_more from gone;
    return v_more;
end;
$$;
comment on function parley.purge_spam_records is
'A job: forgets fingerprints of yesterday, verdicts of before spam_verdict_days, and answers about links that no longer hold. True: there are more.';
