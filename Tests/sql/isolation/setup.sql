-- What the specs share, made once in the database they run in: people, a group, and short calls whose answers are the
-- same in every run. Sessions are the superuser and become the role they speak of.
create schema t;
grant usage on schema t to public;

create function t.user_id(name text) returns uuid language sql immutable as $$
    select ('00000000-0000-4000-8000-00000000000' || position($1 in '-ann-bob-cid-dan') / 4 + 1)::uuid
$$;

create function t.claims(name text) returns text language sql stable as $$
    select json_build_object('sub', t.user_id($1), 'role', 'authenticated')::text
$$;

-- The session is this user's from now on.
create procedure t.act(name text) language plpgsql as $$
begin
    perform set_config('request.jwt.claims', t.claims($1), false);
    perform set_config('role', 'authenticated', false);
end
$$;

-- Ann's group of Ann, Bob and Cid, with one message of hers; Dan is not in it.
create procedure t.make() language plpgsql as $$
begin
    insert into parley.account (id, display_name, tier_name)
    select t.user_id(n), initcap(n), 'privileged' from unnest(array['ann', 'bob', 'cid', 'dan']) n;
    perform set_config('request.jwt.claims', t.claims('ann'), true);
    perform parley_api.start_conversation(array[t.user_id('bob'), t.user_id('cid')], 'group', 'us', message => 'hello');
    perform set_config('request.jwt.claims', '', true);
end
$$;

create procedure t.clear() language plpgsql as $$
begin
    truncate parley.account, parley.conversation, parley.message, parley.message_key, parley.message_revision,
        parley.message_tombstone, parley.message_hidden, parley.reaction, parley.read_marker, parley.rate_bucket,
        parley.event, parley.consumer, parley.worker restart identity cascade;
end
$$;

create function t.us() returns uuid language sql stable security definer as $$
    select c.conversation_id from parley.conversation_profile c where c.title = 'us'
$$;

create function t.message(seq bigint) returns uuid language sql stable security definer as $$
    select m.id from parley.message m where m.conversation_id = t.us() and m.seq = $1
$$;

create function t.send(content text, client_message_id uuid default null) returns text language sql as $$
    select 'seq ' || (m ->> 'seq') || ': ' || (m ->> 'content')
    from parley_api.send_message(t.us(), $1, client_message_id => $2) m
$$;

-- The messages and the events of the group, with who did them: what all sessions together have made.
create function t.messages() returns text language sql stable security definer as $$
    select string_agg(format('%s %s', m.seq, coalesce(m.content, '-')), ', ' order by m.seq)
    from parley.message m where m.conversation_id = t.us()
$$;

create function t.events() returns text language sql stable security definer as $$
    select string_agg(
        format('%s %s%s', e.event_seq, e.kind, coalesce(' by ' || a.display_name, '')), ', ' order by e.event_seq
    )
    from parley.event e
    left join parley.account a on a.id = e.actor_id
    where e.conversation_id = t.us() and e.event_seq > 5
$$;

create function t.dense() returns boolean language sql stable security definer as $$
    select
        c.last_seq = (select count(*) from parley.message m where m.conversation_id = c.id)
        and c.last_seq = (select max(m.seq) from parley.message m where m.conversation_id = c.id)
        and c.last_event_seq = (select count(*) from parley.event e where e.conversation_id = c.id)
        and c.last_event_seq = (select max(e.event_seq) from parley.event e where e.conversation_id = c.id)
    from parley.conversation c where c.id = t.us()
$$;

create function t.members() returns text language sql stable security definer as $$
    select string_agg(a.display_name || ' ' || p.role, ', ' order by a.display_name)
    from parley.participant p inner join parley.account a on a.id = p.user_id
    where p.conversation_id = t.us() and p.left_at is null
$$;

create function t.unread(name text) returns text language sql stable security definer as $$
    select format('%s unread, read up to %s', parley.unread_count(p, c.last_seq), p.last_read_seq)
    from parley.participant p inner join parley.conversation c on c.id = p.conversation_id
    where p.conversation_id = t.us() and p.user_id = t.user_id($1)
$$;
