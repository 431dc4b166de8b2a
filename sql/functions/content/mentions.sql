-- Whom a message mentions.

create or replace function parley.check_mentions(
    conversation_id uuid, mentions uuid[], mentions_all boolean, sender_role text
)
returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_absent text;
begin
    if cardinality(check_mentions.mentions) > 256 then
        raise exception using errcode = 'PT400', message = 'At most 256 users can be mentioned.';
    end if;
    if array_ndims(check_mentions.mentions) > 1 then
        raise exception using errcode = 'PT400', message = 'mentions must be a list of user ids.';
    end if;
    select string_agg(coalesce(u.id::text, 'null'), ', ' order by u.n) into v_absent
    from unnest(check_mentions.mentions) with ordinality as u (id, n)
    where not exists (
        select from parley.participant as p
        where p.conversation_id = check_mentions.conversation_id
            and p.user_id = u.id
            and p.left_at is null
    );
    if v_absent is not null then
        raise exception using
            errcode = 'PT400',
            message = 'Only participants of the conversation can be mentioned.',
            detail = format('Not in it: %s.', v_absent),
            hint = 'Send it again without them.';
    end if;
    if check_mentions.mentions_all then
        if exists (
            select from parley.conversation_profile as cp
            where cp.conversation_id = check_mentions.conversation_id and cp.type = 'direct'
        ) then
            raise exception using errcode = 'PT400', message = 'A direct conversation allows mentions of its two users only.';
        end if;
        if check_mentions.sender_role = 'member'
            and parley.setting_value('who_can_mention_all') is distinct from 'everyone'
        then
            raise exception using errcode = 'PT403', message = 'Only admins can mention everybody.';
        end if;
    end if;
end;
$$;
comment on function parley.check_mentions is
'Fails unless the users mentioned are participants, naming those who are not, and the sender may mention everybody if asked to.';

create or replace function parley.present_of(conversation_id uuid, user_ids uuid[])
returns uuid[]
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return array(
        select u.id
        from unnest(present_of.user_ids) with ordinality as u (id, n)
        inner join parley.participant as p on u.id = p.user_id
        where p.conversation_id = present_of.conversation_id and p.left_at is null
        order by u.n
    );
end;
$$;
comment on function parley.present_of is 'The given users without those outside the conversation, in the same order.';
