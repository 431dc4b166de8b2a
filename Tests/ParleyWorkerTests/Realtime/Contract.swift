/// The functions that the service calls, reduced to what its tests need: who may read what is a table, and a sent message
/// is a row. The real ones are tested with the schema.
enum Contract {
    static let script = #"""
        do $$
        declare
            role_name text;
        begin
            foreach role_name in array array['authenticated', 'service_role'] loop
                begin
                    execute format('create role %I', role_name);
                exception when duplicate_object or unique_violation then null; -- another database of the cluster has it
                end;
            end loop;
        end
        $$;
        create schema parley;
        create schema parley_api;
        create table parley.member (conversation_id uuid, user_id uuid, history_from bigint default 1);
        create table parley.event (
            id bigint primary key, xid xid8 default pg_current_xact_id(), conversation_id uuid, event_seq bigint, payload text
        );
        create table parley.sent (n bigint generated always as identity, conversation_id uuid, content text, role text, claims text);

        create table parley.event_kind (name text primary key);
        insert into parley.event_kind values ('message:new'), ('participant:left');
        create function parley.event_kinds() returns setof parley.event_kind
        language sql stable as $$ select * from parley.event_kind $$;

        create function parley.authorize_join(role text, user_id uuid, issued_at numeric, topic text)
        returns table (
            allowed boolean, snapshot pg_snapshot, max_id bigint, last_event_seq bigint, conversation_ids uuid[],
            history_from bigint[]
        )
        language sql stable
        as $$
            select
                $1 = 'service_role' or $4 like 'user:%' or count(*) > 0,
                pg_current_snapshot(), (select coalesce(max(e.id), 0) from parley.event e), null::bigint,
                coalesce(array_agg(m.conversation_id), '{}'), coalesce(array_agg(m.history_from), '{}')
            from parley.member m
            where m.user_id = $2 and ($4 like 'user:%' or $4 = 'conversation:' || m.conversation_id)
        $$;

        create function parley.discretion_of(user_id uuid, topic text, out quiet boolean, out hides_presence boolean)
        language sql stable
        as $$ select false, false $$;

        create function parley.worker_limits(user_id uuid) returns jsonb
        language sql stable
        as $$
            select jsonb_object_agg(
                l.name, jsonb_build_object('amount', null, 'period_seconds', l.period_seconds, 'burst', null)
            )
            from (
                values ('requests_per_minute', 60), ('receipts_per_minute', 60), ('max_connections', null),
                ('retention_days', null)
            ) as l (name, period_seconds)
        $$;

        create function parley.replay(
            role text, reader_id uuid, topic text, after_event_seq bigint, since timestamptz, max_rows integer
        )
        returns table (
            id bigint, xid xid8, conversation_id uuid, event_seq bigint, user_id uuid, kind text, actor_id uuid,
            message_id uuid, message_seq bigint, history_from_seq bigint, payload text, revoked uuid[]
        )
        language sql stable
        as $$
            select
                0, null::xid8, null::uuid, null::bigint, null::uuid, 'replay:gap', null::uuid, null::uuid, null::bigint,
                null::bigint, '{"from":1,"to":2,"reason":"purged"}', null::uuid[]
            where $4 < 2
            union all
            (
                select
                    e.id, e.xid, e.conversation_id, e.event_seq, null, 'message:new', null, null, null, null, e.payload, null
                from parley.event e where e.event_seq > $4 or $5 is not null
                order by e.id limit $6
            )
        $$;

        create function parley_api.send_message(conversation_id uuid, content text, client_message_id uuid default null)
        returns jsonb
        language plpgsql
        as $$
        begin
            if content = 'conflict' then
                raise sqlstate 'PT409' using message = 'The id is in use', detail = 'detail', hint = 'hint';
            end if;
            insert into parley.sent (conversation_id, content, role, claims)
            values ($1, $2, current_user, current_setting('request.jwt.claims'));
            return jsonb_build_object('content', content);
        end
        $$;
        create function parley_api.mark_as_read(conversation_id uuid, seq bigint)
        returns void language sql as $$ insert into parley.sent (conversation_id, content) values ($1, 'read ' || $2) $$;

        grant usage on schema parley, parley_api to authenticated, service_role;
        grant all on all tables in schema parley to authenticated, service_role;
        """#
}
