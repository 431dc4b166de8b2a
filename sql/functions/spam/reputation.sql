-- What is known of a sender: what others did about their messages, and whether somebody vouches for them.

create or replace function parley.kept_since(moment timestamptz)
returns double precision
language sql stable security invoker
set search_path = pg_catalog, pg_temp
as $$
    select 0.5 ^ (least(greatest(extract(epoch from now() - moment), 0), 86400 * 3650)::double precision / (86400 * 30))
$$;
comment on function parley.kept_since is 'What is left of a count of that moment: half of it after 30 days.';

create or replace function parley.note_report(user_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    insert into parley.sender_record as r (user_id, reported)
    values (note_report.user_id, 1)
    on conflict on constraint sender_record_pkey do update
    set reported = r.reported * parley.kept_since(r.updated_at) + 1, updated_at = now();
end;
$$;
comment on function parley.note_report is 'Counts a report against a sender: for the functions that take reports.';

create or replace function parley.complaints_about(user_id uuid)
returns double precision
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    -- who has blocked and declined now, each once, however often they did: nobody's word counts as that of many
    return (
        select coalesce(sum(2 * parley.kept_since(b.created_at)), 0)
        from (
            select x.created_at from parley.block as x where x.blocked_id = complaints_about.user_id limit 50
        ) as b
    ) + (
        select coalesce(sum(parley.kept_since(d.answered_at)), 0)
        from (
            select max(x.answered_at) as answered_at
            from parley.message_request as x
            where x.sender_id = complaints_about.user_id and x.status = 'declined'
            group by x.recipient_id
            limit 50
        ) as d
    ) + coalesce(
        (
            select 3 * r.reported * parley.kept_since(r.updated_at)
            from parley.sender_record as r
            where r.user_id = complaints_about.user_id
        ),
        0
    );
end;
$$;
comment on function parley.complaints_about is
'How much speaks against a sender: each user who declines counts 1, each who blocks 2, each report 3; half of it after 30 days.';

create or replace function parley.sender_reputation(user_id uuid)
returns double precision
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_bad constant double precision := parley.complaints_about(sender_reputation.user_id);
    v_good double precision;
begin
    if v_bad = 0 then
        return 1;
    end if;
    -- whoever begins is taken for somebody whom two have answered; accounts made to answer help no further than ten
    select 2 + count(*) into v_good
    from (
        select from parley.conversation_profile as cp
        inner join parley.conversation as c on cp.conversation_id = c.id
        where cp.created_by = sender_reputation.user_id and cp.type = 'direct' and not c.unanswered
        limit 10
    ) as answered;
    return v_good / (v_good + v_bad);
end;
$$;
comment on function parley.sender_reputation is
'How others took what the user sent to strangers, 0 to 1. 1: nothing speaks against the user.';

create or replace function parley.set_phone_verified(user_id uuid, verified boolean default true)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    update parley.account as a
    set
        phone_verified_at = case when set_phone_verified.verified then coalesce(a.phone_verified_at, now()) end,
        updated_at = now()
    where a.id = set_phone_verified.user_id;
    if not found then
        raise exception using
            errcode = 'PT404', message = 'The user does not exist.', hint = 'Register the user with upsert_account.';
    end if;
end;
$$;
comment on function parley.set_phone_verified is
'Records that the application verified a telephone number of the user, or takes that back. Spam rules ask it.';
grant execute on function parley.set_phone_verified to service_role;

create or replace function parley.has_verified_phone(user_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_claim text := parley.setting_value('phone_verified_claim');
begin
    -- the token of somebody else says nothing
    if v_claim <> '' and parley.current_user_id() = has_verified_phone.user_id then
        if nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> string_to_array(v_claim, '.') = 'true' then
            return true;
        end if;
    end if;
    return exists (
        select from parley.account as a
        where a.id = has_verified_phone.user_id and a.phone_verified_at is not null
    );
end;
$$;
comment on function parley.has_verified_phone is
'True if the application or the calling token says that a telephone number of the user was verified.';

create or replace function parley.reports_without_phone(user_id uuid)
returns double precision
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if parley.has_verified_phone(reports_without_phone.user_id) then
        return 0;
    end if;
    return (
        select r.reported * parley.kept_since(r.updated_at)
        from parley.sender_record as r
        where r.user_id = reports_without_phone.user_id
    );
end;
$$;
comment on function parley.reports_without_phone is
'The reports against a user without a verified telephone number; with one, 0.';
