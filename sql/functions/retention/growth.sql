-- A better plan reaches further back: what was retired and is still there comes back within a second, without waiting
-- for the next pass over all conversations.

create or replace function parley.return_messages()
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_growth parley.window_growth;
    v_ids uuid[];
    v_window record;
    v_border bigint;
    v_budget bigint := 5000;
begin
    select g.* into v_growth from parley.window_growth as g order by g.changed_at limit 1 for update skip locked;
    if not found then
        return false;
    end if;
    v_ids := array(
        select p.conversation_id
        from parley.participant as p
        inner join parley.conversation_retention as r on p.conversation_id = r.conversation_id
        where p.user_id = v_growth.user_id
            and p.left_at is null
            and p.conversation_id > v_growth.after_conversation_id
            and r.retired_seq > r.purged_seq
        order by p.conversation_id
        limit 100
    );
    for v_window in select w.* from parley.retention_windows(v_ids) as w loop
        v_border := parley.first_seq_in_window(
            v_window.conversation_id, 0, v_window.retired_seq, parley.retention_floor(now(), v_window.visible_days)
        );
        if v_border <= v_window.retired_seq then
            v_budget := v_budget - parley.return_range(
                v_window.conversation_id, v_border, v_window.retired_seq, v_budget
            );
            exit when v_budget <= 0;
        end if;
        v_growth.after_conversation_id := v_window.conversation_id;
    end loop;
    if v_budget > 0 and cardinality(v_ids) < 100 then
        -- if the plan has changed again meanwhile, the row is another one
        delete from parley.window_growth as g where g.user_id = v_growth.user_id;
    else
        update parley.window_growth as g
        set after_conversation_id = v_growth.after_conversation_id
        where g.user_id = v_growth.user_id;
    end if;
    return exists (select from parley.window_growth);
end;
$$;
comment on function parley.return_messages is
'A job: takes back retired messages that the windows of a user whose plan has changed reach again, up to 5,000 at a time. True: there is more.';
