-- Whether somebody has ever complained of a user stands in the account, which a send reads anyway: of most nobody has,
-- and their messages are not measured by that.

create or replace function parley.note_complaint(user_id uuid)
returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    update parley.account as a set complained_of = true where a.id = note_complaint.user_id and not a.complained_of;
end;
$$;
comment on function parley.note_complaint is
'Marks an account of which somebody complains, for good. Before the lock of a conversation, as whoever suspends an account takes the two.';

create or replace function parley.mark_complaint()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform parley.note_complaint((to_jsonb(new) ->> tg_argv[0])::uuid);
    return null;
end;
$$;
comment on function parley.mark_complaint is 'Trigger: marks the account that the named column names.';

create or replace function parley.begin_account_complaints()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    new.complained_of := new.complained_of or exists (select from parley.block as b where b.blocked_id = new.id);
    return new;
end;
$$;
comment on function parley.begin_account_complaints is 'Trigger: a user can be blocked before they have an account.';

create trigger account_complaint_trigger
before insert on parley_wanted.account
for each row execute function parley.begin_account_complaints();
comment on trigger account_complaint_trigger on parley_wanted.account is 'Marks who was blocked before they had an account.';

create trigger block_complaint_trigger
after insert on parley_wanted.block
for each row execute function parley.mark_complaint('blocked_id');
comment on trigger block_complaint_trigger on parley_wanted.block is 'Marks who is blocked.';

create trigger message_request_complaint_trigger
after insert or update of status on parley_wanted.message_request
for each row
when (new.status = 'declined')
execute function parley.mark_complaint('sender_id');
comment on trigger message_request_complaint_trigger on parley_wanted.message_request is 'Marks who is declined.';

create trigger sender_record_complaint_trigger
after insert on parley_wanted.sender_record
for each row execute function parley.mark_complaint('user_id');
comment on trigger sender_record_complaint_trigger on parley_wanted.sender_record is 'Marks who is reported.';
