-- Who follows whom: rows of parley.follow, or what a function of the host says.

create or replace function parley.follow_function()
returns regprocedure
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text := btrim(parley.setting_value('follow_function'));
    v_function regprocedure;
begin
    if coalesce(v_name, '') = '' then
        return null;
    end if;
    v_function := to_regprocedure(format('%s(uuid, uuid)', v_name));
    -- nobody follows nobody would let strangers in, or keep friends out
    if v_function is null or (select p.prorettype from pg_proc as p where p.oid = v_function) <> 'boolean'::regtype then
        raise exception using
            errcode = 'PT500',
            message = 'The setting follow_function names no function (uuid, uuid) that returns boolean.';
    end if;
    return v_function;
end;
$$;
comment on function parley.follow_function is
'The host''s function that says who follows whom; null: the table parley.follow does.';

create or replace function parley.follows(follower_id uuid, followed_id uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_function regprocedure := parley.follow_function();
    v_answer boolean;
begin
    if v_function is null then
        return exists (
            select from parley.follow as f
            where f.follower_id = follows.follower_id and f.followed_id = follows.followed_id
        );
    end if;
    execute format('select %s($1, $2)', v_function::oid::regproc) into v_answer
    using follows.follower_id, follows.followed_id;
    return coalesce(v_answer, false);
end;
$$;
comment on function parley.follows is 'True if the first user follows the second.';
