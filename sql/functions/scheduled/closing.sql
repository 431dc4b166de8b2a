-- Scheduled messages outlive the session that made them, so whoever ends it decides over them: a suspended or erased
-- account sends nothing more, and after a revocation of sessions the user must confirm what is still to be sent.

create or replace function parley.stop_scheduled_messages()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_closed constant boolean := num_nonnulls(new.suspended_at, new.deleted_at) > 0;
    v_scheduled parley.scheduled_message;
begin
    for v_scheduled in
        update parley.scheduled_message as s
        set
            status = case when v_closed then 'cancelled' else 'held' end,
            error_code = null,
            finished_at = case when v_closed then clock_timestamp() end,
            content = case when not v_closed then s.content end,
            metadata = case when not v_closed then s.metadata end,
            mentions = case when not v_closed then s.mentions end,
            attachment_ids = case when not v_closed then s.attachment_ids end
        where s.sender_id = new.id
            and (
                (v_closed and s.finished_at is null)
                or (s.status = 'pending' and s.updated_at < new.tokens_valid_after)
            )
        returning s.*
    loop
        perform parley.append_scheduled_event(v_scheduled);
    end loop;
    return null;
end;
$$;
comment on function parley.stop_scheduled_messages is
'Trigger: cancels what an account that is suspended or erased would send, and holds it when its sessions are revoked.';

-- by its name before account_closed_trigger and account_memberships_trigger, which take more locks
create trigger account_cancels_trigger
after update of suspended_at, deleted_at, tokens_valid_after on parley_wanted.account
for each row
when (
    (old.suspended_at is null and new.suspended_at is not null)
    or (old.deleted_at is null and new.deleted_at is not null)
    or (new.tokens_valid_after is not null and new.tokens_valid_after is distinct from old.tokens_valid_after)
)
execute function parley.stop_scheduled_messages();
comment on trigger account_cancels_trigger on parley_wanted.account is
'What was scheduled in a session is not sent after its end.';

create or replace function parley.confirm_scheduled_message(id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_scheduled parley.scheduled_message := parley.lock_scheduled_message(
        confirm_scheduled_message.id, parley.provision_caller()
    );
begin
    if v_scheduled.status = 'pending' then
        return parley.scheduled_json(v_scheduled);
    end if;
    if v_scheduled.status <> 'held' then
        raise exception using
            errcode = 'PT409',
            message = format('The message is %s.', v_scheduled.status),
            hint = 'Schedule a new one.';
    end if;
    update parley.scheduled_message as s
    set status = 'pending', attempt_at = s.send_at, attempts = 0, updated_at = clock_timestamp()
    where s.conversation_id = v_scheduled.conversation_id and s.id = v_scheduled.id
    returning s.* into v_scheduled;
    perform parley.append_scheduled_event(v_scheduled);
    return parley.scheduled_json(v_scheduled);
end;
$$;
comment on function parley.confirm_scheduled_message is
'Lets a message be sent that was held because the caller''s sessions were revoked after it was scheduled; at once if its time has passed. Again is fine.';
grant execute on function parley.confirm_scheduled_message to authenticated;

create or replace function parley.revoke_sessions(user_id uuid)
returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_account parley.account;
begin
    update parley.account as a
    set tokens_valid_after = clock_timestamp(), updated_at = now()
    where a.id = revoke_sessions.user_id
    returning a.* into v_account;
    if not found then
        raise exception using errcode = 'PT404', message = 'The user does not exist.';
    end if;
    perform parley.append_event(null, 'session:revoked', null, null, null, v_account.id, null);
    return parley.account_json(v_account);
end;
$$;
comment on function parley.revoke_sessions is
'Ends every session of a user: tokens issued until now are refused, and open sockets are closed by the event this writes.';
grant execute on function parley.revoke_sessions to service_role;
