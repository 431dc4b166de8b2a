-- Rules are written by a DBA. One that makes no sense is refused when it is written, and not at every send.

create or replace function parley.check_spam_rule()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_problem text;
begin
    case
        when new.kind in ('hosts', 'lookalike', 'link_shape')
            then
                if jsonb_typeof(new.parameters -> case new.kind when 'link_shape' then 'shapes' else 'hosts' end)
                    is distinct from 'array'
                then
                    v_problem := 'hosts (for link_shape: shapes) must be a list of texts.';
                end if;
        when new.kind = 'terms'
            then
                if jsonb_typeof(new.parameters -> 'terms') is distinct from 'object'
                    or jsonb_path_exists(new.parameters, '$.terms.* ? (@.type() != "number")')
                then
                    v_problem := 'terms must be an object: a number for each word.';
                end if;
        when new.kind = 'pattern'
            then
                begin
                    if regexp_count('', new.parameters ->> 'pattern', 1, 'i') is null then
                        v_problem := 'pattern must be a regular expression.';
                    end if;
                exception
                    when invalid_regular_expression then
                        v_problem := 'pattern is no regular expression of PostgreSQL.';
                end;
        when new.kind in ('safe_browsing', 'classifier')
            then
                if coalesce(new.parameters ->> 'url', '') !~ '^https?://' then
                    v_problem := 'url must be the address of the service.';
                end if;
        else null;
    end case;
    if v_problem is not null then
        raise exception using
            errcode = 'PT400', message = format('The rule %s cannot work.', new.name), detail = v_problem;
    end if;
    return new;
end;
$$;
comment on function parley.check_spam_rule is 'Trigger: the parameters of a spam rule are what its kind needs.';

create trigger spam_rule_check_trigger
before insert or update on parley_wanted.spam_rule
for each row execute function parley.check_spam_rule();
comment on trigger spam_rule_check_trigger on parley_wanted.spam_rule is 'Refuses a rule that cannot work.';
