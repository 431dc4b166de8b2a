"""Parley under the names of the model: the same operations as plain SQL, and what it answers in the model's terms."""

from __future__ import annotations

import json

import asyncpg
from clock import Clock
from names import Names, literal
from operations import TENANTS, USERS, Operation
from parley import RpcError

# Runs each query as each of the users, as the API's role, and collects what they answer or are refused with.
HELPERS = """
create schema if not exists property;
create or replace function property.attempt(query text) returns jsonb language plpgsql as $$
declare
    v_answer jsonb;
begin
    execute query into v_answer;
    return v_answer;
exception when others then
    return jsonb_build_object('refused', case when sqlstate like 'PT%' then sqlstate else sqlstate || ' ' || sqlerrm end);
end
$$;
create or replace function property.look(people uuid[], queries text[]) returns jsonb language plpgsql as $$
declare
    v_user uuid;
    v_query text;
    v_answers jsonb[] := '{}';
begin
    foreach v_user in array people loop
        perform set_config('role', 'authenticated', true), set_config('request.jwt.claims', property.claims(v_user), true);
        foreach v_query in array queries loop
            v_answers := v_answers || property.attempt(v_query);
        end loop;
    end loop;
    perform set_config('role', 'none', true);
    return to_jsonb(v_answers);
end
$$;
create or replace function property.claims(user_id uuid) returns text language sql immutable as $$
    select json_build_object('sub', user_id, 'role', 'authenticated')::text
$$;
grant usage on schema property to authenticated;
"""

class Call:
    """A function of the API and its arguments."""

    def __init__(self, function: str, **arguments: object):
        self.function, self.arguments = function, arguments

    def __str__(self) -> str:
        return f"select to_jsonb(parley_api.{self.function}({', '.join(f'{k} => {literal(v)}' for k, v in self.arguments.items())}))"


def all_of(job: str) -> str:
    """A job until it says that there is no more."""
    return f"do $$ begin while parley.{job} loop end loop; end $$"


# A better plan brings messages back within a second, by a job.
RETURN = all_of("return_messages()")
HOST = {
    "host_setting": ["update parley.setting set value = {value} where name = 'stranger_messages'"],
    "host_tier": ["update parley.account set tier_name = {tier} where id = {user_id}", RETURN],
    "host_subscribe": [
        "insert into parley.subscription (user_id, tier_name, tenant_id, starts_at, ends_at) select {user_id}, {tier}, {tenant},"
        " t.t + make_interval(mins => {begins}), t.t + make_interval(mins => {begins} + {minutes}) from (select now() as t) as t",
        RETURN,
    ],
    "host_unsubscribe": ["delete from parley.subscription where user_id = {user_id}", RETURN],
    "host_join_tenant": [
        "insert into parley.tenant_member (tenant_id, user_id, role) values ({tenant}, {user_id}, {role})"
        " on conflict (tenant_id, user_id) do update set role = excluded.role",
        RETURN,
    ],
    "host_leave_tenant": ["delete from parley.tenant_member where tenant_id = {tenant} and user_id = {user_id}", RETURN],
    "host_move_tenant": [
        "update parley.tenant_member set tenant_id = {to} where tenant_id = {tenant} and user_id = {user_id}", RETURN,
    ],
    "host_hold": ["select parley.place_hold({kind}, {name}, 'a test')"],
    "host_release": [
        "select parley.release_hold(h.id, 'a test') from parley.hold as h"
        " where h.kind = {kind} and h.target_id = {name} and h.released_at is null",
    ],
    # Upkeep has been there before.
    "host_wait": ["select parley.ensure_partitions(0)", all_of("settle_plans()"), RETURN],
    "host_expire_messages": [all_of("expire_messages()")],
    "host_expire_requests": [all_of("expire_requests()")],
    # The events of what is purged stay until the search has read them, which it does every second.
    "host_retain": [all_of("index_messages()"), all_of("retain_messages()")],
    "host_index": [all_of("index_messages()")],
}


class Subject:
    """Parley through plain SQL, on one connection of the superuser who becomes each user in turn."""

    def __init__(self, connection: asyncpg.Connection, clock: Clock, names: Names | None = None):
        self.connection, self.clock, self.names = connection, clock, names or Names(list(USERS), TENANTS)
        self.last_event, self.minutes = 0, 0

    async def clean(self) -> None:
        """At the true time, with nothing of earlier runs that a job could still do."""
        self.clock.set(0)
        await self.connection.execute(
            "truncate parley.event, parley.message, parley.conversation, parley.hold, parley.tenant, parley.account cascade"
        )

    async def prepare(self) -> None:
        await self.connection.executemany(
            "insert into parley.account (id, display_name, tier_name) values ($1, $2, $3)",
            [(self.names.users[name], name, tier) for name, tier in USERS.items()],
        )
        await self.connection.executemany(
            "insert into parley.tenant (id, name) values ($1, $2)", [(self.names.users[name], name) for name in TENANTS]
        )
        await self.connection.execute(HOST["host_setting"][0].format(value="'inbox'"))
        self.last_event = await self.connection.fetchval("select coalesce(max(id), 0) from parley.event")

    async def do(self, operation: Operation) -> object:
        """What Parley answers; {"refused": code} if it refuses."""
        arguments = {name: literal(value) for name, value in self.names.arguments(operation).items()}
        try:
            if operation.function in HOST:
                return await self.do_as_host(operation, arguments)
            role = "authenticated" if operation.user else "service_role"
            claims = {"role": role} | ({"sub": self.names.id(operation.user)} if operation.user else {})
            call = ", ".join(f"{name} => {value}" for name, value in arguments.items())
            async with self.connection.transaction():
                await self.connection.execute(
                    f"set local role {role}; select set_config('request.jwt.claims', {literal(claims)}, true)"
                )
                answer = await self.connection.fetchval(f"select parley_api.{operation.function}({call})")
                # A draft that was emptied is none.
                return answer and json.loads(answer)
        except asyncpg.PostgresError as error:
            if operation.function == "host_move_tenant" and isinstance(error, asyncpg.UniqueViolationError):
                return {"refused": "PT404"}
            return {"refused": error.sqlstate if error.sqlstate.startswith("PT") else f"{error.sqlstate} {error}"}

    async def do_as_host(self, operation: Operation, arguments: dict) -> object:
        if operation.function == "host_wait":
            self.minutes += operation.arguments["minutes"]
            self.clock.set(self.minutes)
        done = [await self.connection.execute(statement.format(**arguments)) for statement in HOST[operation.function]]
        return {"refused": "PT404"} if operation.function == "host_move_tenant" and done[0] == "UPDATE 0" else None

    async def rest(self) -> None:
        """Whoever left with a tenant while others held the conversation is told of by a job."""
        await self.connection.execute(all_of("settle_departures()"))

    async def look(self, users: list[str], queries: list[Call | str]) -> dict[str, list]:
        """What each user is answered by each query; {"refused": code} where they are refused."""
        answers = json.loads(await self.connection.fetchval(
            "select property.look($1, $2)", [self.names.id(user) for user in users], list(map(str, queries))
        ))
        return {user: answers[n * len(queries):(n + 1) * len(queries)] for n, user in enumerate(users)}

    async def new_events(self) -> list[asyncpg.Record]:
        """The rows that the log has got since the last call."""
        rows = await self.connection.fetch(
            "select id, conversation_id::text, event_seq, kind, actor_id::text, user_id::text, message_id::text, message_seq, data"
            " from parley.event where id > $1 order by id", self.last_event,
        )
        self.last_event = rows[-1]["id"] if rows else self.last_event
        return rows


class Gateway(Subject):
    """The same through the gateway of a worker; what only the host does, and the log, stay plain SQL."""

    def __init__(self, connection: asyncpg.Connection, clock: Clock, worker: object):
        super().__init__(connection, clock)
        self.worker = worker

    async def do(self, operation: Operation) -> object:
        if operation.function in HOST:
            return await super().do(operation)
        user = operation.user and self.names.id(operation.user)
        token = self.worker.token(user, "authenticated" if user else "service_role")
        return self.call(Call(operation.function, **self.names.arguments(operation)), token)

    async def look(self, users: list[str], queries: list[Call | str]) -> dict[str, list]:
        answers = {}
        for user in users:
            token = self.worker.token(self.names.id(user))
            answers[user] = [
                self.call(query, token) if isinstance(query, Call) else (await Subject.look(self, [user], [query]))[user][0]
                for query in queries
            ]
        return answers

    def call(self, call: Call, token: str) -> object:
        try:
            return self.worker.rpc(call.function, token, **call.arguments)
        except RpcError as error:
            return {"refused": error.body.get("code", str(error))}
