-- The audit log: one function that writes it, none that changes it, and one job that forgets what is old enough.

create or replace function parley.log_id(id uuid)
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if parley.setting_value('log_ids') is distinct from 'hashed' then
        return log_id.id::text;
    end if;
    return (
        select left(encode(sha256(s.value || uuid_send(log_id.id)), 'hex'), 16)
        from parley.secret as s
        where s.name = 'log_salt'
    );
end;
$$;
comment on function parley.log_id is
'An id as the server''s log shows it: plain or, by the setting log_ids, a hash with a salt that changes and is not kept.';

create or replace function parley.log_id_salt()
returns bytea
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return (
        select s.value
        from parley.secret as s
        where s.name = 'log_salt' and parley.setting_value('log_ids') is not distinct from 'hashed'
    );
end;
$$;
comment on function parley.log_id_salt is
'The salt with which a worker hashes ids in its log as parley.log_id does. Null: it shows them.';
grant execute on function parley.log_id_salt to parley_worker;

create or replace function parley.rotate_log_salt()
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_days constant text := parley.setting_value('log_salt_days');
begin
    update parley.secret as s
    set
        value = sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())),
        created_at = clock_timestamp()
    where s.name = 'log_salt'
        and s.created_at < clock_timestamp()
        - make_interval(days => case when v_days ~ '^[1-9][0-9]{0,3}$' then v_days::integer else 30 end);
    return false;
end;
$$;
comment on function parley.rotate_log_salt is
'A job: another salt for hashes in the log. Nobody can tell any more whom the older hashes stand for.';

create or replace function parley.audit(
    action text,
    reason text,
    actor_role text,
    tenant_id uuid default null,
    conversation_id uuid default null,
    target_id uuid default null,
    message_id uuid default null,
    detail jsonb default null
)
returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_reason text := btrim(audit.reason, E' \t\r\n');
    v_id bigint;
begin
    if v_reason is null or char_length(v_reason) > 1000 or not parley.shows_something(v_reason) then
        raise exception using
            errcode = 'PT400',
            message = 'A reason of 1 to 1000 characters is required.',
            hint = 'It is kept in the audit log.';
    end if;
    insert into parley.audit_log as l (
        tenant_id, conversation_id, message_id, actor_id, target_id, actor_role, action, reason, detail
    )
    values (
        audit.tenant_id, audit.conversation_id, audit.message_id, parley.current_user_id(), audit.target_id,
        audit.actor_role, audit.action, v_reason, audit.detail
    )
    returning l.id into v_id;
    -- ids only: at once, and also when the transaction takes the entry back
    raise log 'parley audit: % by % as %, tenant %, conversation %, user %, message %',
        audit.action, parley.log_id(parley.current_user_id()), audit.actor_role, audit.tenant_id,
        parley.log_id(audit.conversation_id), parley.log_id(audit.target_id), parley.log_id(audit.message_id);
    return v_id;
end;
$$;
comment on function parley.audit is
'Records that the caller used a power over others, in the transaction that uses it; PT400 without a reason. Returns the entry''s id. A line in the server''s log comes at once.';

create or replace function parley.audit_retention()
returns interval
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    -- a setting that makes no sense keeps everything
    select case when s.value ~ '^[1-9][0-9]{0,4}$' then make_interval(days => s.value::integer) end
    from parley.setting as s
    where s.name = 'audit_retention_days'
$$;
comment on function parley.audit_retention is 'How long entries of the audit log are kept. Null: for good.';

create or replace function parley.keep_audit_log()
returns trigger
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'DELETE' then
        if old.created_at < clock_timestamp() - parley.audit_retention() then
            return old;
        end if;
    end if;
    raise exception using
        errcode = '42501',
        message = 'The audit log is append-only.',
        hint = 'Entries older than the setting audit_retention_days can be deleted.';
end;
$$;
comment on function parley.keep_audit_log is
'Refuses every change of the audit log but the deletion of what is old enough.';

create trigger audit_log_is_append_only
before update or delete on parley_wanted.audit_log
for each row execute function parley.keep_audit_log();

create trigger audit_log_is_not_truncated
before truncate on parley_wanted.audit_log
for each statement execute function parley.keep_audit_log();

create or replace function parley.purge_audit_log()
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
    -- looked up once: whatever the planner makes of the rest, not once a row
    v_before constant timestamptz := clock_timestamp() - parley.audit_retention();
    v_purged bigint;
begin
    -- the oldest by id: id and created_at rise together but for transactions that were held open
    delete from parley.audit_log as l
    where l.id = any (array(
        select o.id
        from (select x.id, x.created_at from parley.audit_log as x order by x.id limit 10000) as o
        where o.created_at < v_before
    ));
    get diagnostics v_purged = row_count;
    return v_purged > 0;
end;
$$;
comment on function parley.purge_audit_log is
'A job: deletes the oldest entries of the audit log that are past retention, at most 10,000.';
