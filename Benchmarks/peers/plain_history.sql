-- The tables most teams write first, filled with the messages of a Parley database: the peer of Benchmarks/history.py.
-- An index by conversation and time, a policy that looks up who takes part, a GIN index on to_tsvector, and a function
-- of its owner for the search: the policy alone would keep PostgreSQL from using that index, because @@ is not leakproof.
create schema plain;
grant usage on schema plain to authenticated;
create table plain.participants (
    conversation_id uuid not null,
    user_id uuid not null,
    primary key (conversation_id, user_id)
);
create table plain.messages (
    id bigint generated always as identity,
    conversation_id uuid not null,
    sender_id uuid not null,
    content text not null,
    created_at timestamptz not null default now()
);
insert into plain.participants select p.conversation_id, p.user_id from parley.participant as p where p.left_at is null;
insert into plain.messages (conversation_id, sender_id, content, created_at)
select m.conversation_id, m.sender_id, m.content, m.created_at
from parley.message as m where m.deleted_at is null order by m.id;
alter table plain.messages add primary key (id);
create index on plain.messages (conversation_id, created_at);
create index on plain.messages using gin (to_tsvector('simple', content));
create index on plain.participants (user_id);
alter table plain.messages enable row level security;
create policy members on plain.messages for select to authenticated using (
    exists (
        select from plain.participants as p
        where p.conversation_id = messages.conversation_id
            and p.user_id = (current_setting('request.jwt.claims', true)::json ->> 'sub')::uuid
    )
);
alter table plain.participants enable row level security;
create policy mine on plain.participants for select to authenticated
using (user_id = (current_setting('request.jwt.claims', true)::json ->> 'sub')::uuid);
grant select on plain.messages, plain.participants to authenticated;

create function plain.search(query text) returns setof plain.messages language sql stable security definer as $$
    select m.*
    from plain.messages as m
    inner join plain.participants as p
        on p.conversation_id = m.conversation_id
        and p.user_id = (current_setting('request.jwt.claims', true)::json ->> 'sub')::uuid
    where to_tsvector('simple', m.content) @@ websearch_to_tsquery('simple', query)
    order by m.created_at desc
    limit 20
$$;
grant execute on function plain.search(text) to authenticated;
vacuum analyze plain.messages;
vacuum analyze plain.participants;
