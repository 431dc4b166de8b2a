"""Parley under the names of the model: the same operations as plain SQL, and what it answers in the model's terms."""

from __future__ import annotations

import json
import uuid
from collections import Counter

import asyncpg
from clock import Clock
from operations import TENANTS as TENANTS_OF_RUNS
from operations import USERS, Operation
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

# The arguments that name something, and what.
CONVERSATION, MESSAGES, PERSON, PEOPLE = "conversation_id", ("message_id", "reply_to_id"), "user_id", ("participant_ids", "mentions")
TENANTS = ("tenant", "to")
DATA = (
    "op", "emoji", "last_read_seq", "last_delivered_seq", "for_everyone", "history_from_seq", "role", "changed",
    "blocked", "restricted", "followed", "quiet",
)


class Names:
    """What the model's names are called in the database."""

    def __init__(self, users: list[str], tenants: list[str]):
        # Sorted as the names are, so that the model can say who comes first of two who joined together.
        names = [*sorted(users), *sorted(tenants)]
        self.users = dict(zip(names, sorted(str(uuid.uuid4()) for _ in names)))
        self.ids: dict[object, str] = {}
        # Where the message of each label is, as the model has it.
        self.places: dict[str, tuple] = {}
        self.names: dict[str, object] = {id: name for name, id in self.users.items()}

    def bind(self, name: object, id: str) -> None:
        """A conversation by its name, a message by its place."""
        self.ids[name], self.names[id] = id, name

    def id(self, name: object) -> str:
        """The id of a name; one that nothing has, if the name is unknown."""
        known = self.users.get(name) or self.ids.get(self.places.get(name, name))
        return known or str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.users} {name}"))

    def name(self, id: str | None) -> object:
        return None if id is None else self.names.get(id, id)

    def arguments(self, operation: Operation) -> dict:
        """The operation's arguments as the API takes them."""
        given = {}
        for name, value in operation.arguments.items():
            if name == "context":
                given["context_type"], given["context_id"] = value
            elif name in (*PEOPLE, "conversation_ids"):
                given[name] = [self.id(each) for each in value]
            elif value is not None and name in (CONVERSATION, PERSON, "name", *TENANTS, *MESSAGES):
                given[name] = self.id(value)
            elif name == "client_message_id":
                given[name] = str(uuid.uuid5(uuid.NAMESPACE_OID, value))
                self.names[given[name]] = value
            else:
                given[name] = value
        return given

    # What Parley says, in the model's terms.

    def receipts(self, r: dict) -> dict:
        return {
            "status": r["status"],
            "receipts": {self.name(o["user_id"]): (o["delivered"], o["read_at"] is not None) for o in r["receipts"]},
        }

    def message(self, m: dict | None) -> dict | None:
        if m is None:
            return None
        said = None if m["type"] == "system" and m["metadata"].get("event") else m["content"]
        return {
            "seq": m["seq"], "sender": self.name(m["sender_id"]), "sender_role": m["sender_role"], "type": m["type"],
            "key": self.name(m["client_message_id"]), "content": said, "metadata": self.metadata(m["metadata"]),
            "mentions": [self.name(user) for user in m["mentions"]],
            "reply_to": m["reply_to_id"] and self.name(m["reply_to_id"])[1],
            "reactions": [(r["emoji"], [self.name(user) for user in r["user_ids"]]) for r in m["reactions"]],
            "status": m["status"], "edited": m["edited_at"] is not None, "deleted": m["deleted_at"] is not None,
            "expires": m["expires_at"] is not None, "forwarded": m["forwarded"], "pinned": m["pinned_at"] is not None,
            "starred": m.get("starred", False), "quote": self.quote(m["reply_to"]),
        }

    def quote(self, q: dict | None) -> dict | None:
        return q and {
            "seq": q["seq"], "sender": self.name(q["sender_id"]), "type": q["type"], "deleted": q["deleted"],
            "content": None if q["type"] == "system" else q["content"],
        }

    def metadata(self, metadata: dict) -> dict:
        """Of a system message: what it says of whom; who caused it and the order of the users are told elsewhere."""
        if "event" not in metadata:
            return metadata
        said = {name: metadata[name] for name in ("event", "field") if name in metadata}
        return said | ({"user_ids": sorted(self.name(user) for user in metadata["user_ids"])} if "user_ids" in metadata else {})

    def people(self, participants: list[dict]) -> dict[str, tuple]:
        return {
            self.name(p["user_id"]): (p["role"], p["app_role"], p["last_read_seq"], p["last_delivered_seq"])
            for p in participants
        }

    def row(self, c: dict) -> dict:
        me = c["me"]
        return {
            "conversation": self.name(c["id"]), "type": c["type"], "title": c["title"], "status": c["status"],
            "read_only": c["read_only"], "context": c["context_type"] and (c["context_type"], c["context_id"]),
            "tenant": self.name(c["tenant_id"]),
            "last_seq": c["last_seq"], "last_event_seq": c["last_event_seq"], "unread": c["unread_count"],
            "mentioned": c["mention_count"], "draft": c["draft"] and c["draft"]["content"], "permissions": c["permissions"],
            "last_message": self.message(c["last_message"]), "people": self.people(c["participants"]),
            "me": {
                "role": me["role"], "app_role": me["app_role"], "read": me["last_read_seq"], "delivered": me["last_delivered_seq"],
                "history_from": me["history_from_seq"], "marked_unread": me["marked_unread"],
                "pinned": me["pinned_at"] is not None, "archived": me["archived_at"] is not None, "muted": me["is_muted"],
                "level": me["notification_level"], "folder": me["folder"],
            },
        }

    def counts(self, c: dict) -> dict:
        return {
            "total": c["total"], "muted_total": c["muted_total"], "archived_total": c["archived_total"],
            "requests_total": c["requests_total"], "mentions_total": c["mentions_total"],
            "conversations": {
                self.name(row["conversation_id"]): (row["unread_count"], row["marked_unread"]) for row in c["conversations"]
            },
        }

    def event(self, kind: str, actor: str | None, user: str | None, message: str | None, data: dict) -> tuple:
        """As `told` of the model's events."""
        message = self.name(message)
        return (kind, self.name(actor), self.name(user), message and message[1], {k: v for k, v in data.items() if k in DATA})

    def told(self, e: dict) -> tuple:
        """An event as a client gets it."""
        p = e["payload"]
        message = p["message"]["id"] if "message" in p else p.get("message_id")
        return self.event(e["event"], p["actor_id"], p.get("user_id"), message, p)


def literal(value: object) -> str:
    """Of unknown type, so that it takes the type of the argument it is given for."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        value = "{" + ",".join(value) + "}"
    elif isinstance(value, dict):
        value = json.dumps(value)
    return "'" + value.replace("'", "''") + "'"


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
    "host_retain": [all_of("retain_messages()")],
}


class Subject:
    """Parley through plain SQL, on one connection of the superuser who becomes each user in turn."""

    def __init__(self, connection: asyncpg.Connection, clock: Clock, names: Names | None = None):
        self.connection, self.clock, self.names = connection, clock, names or Names(list(USERS), TENANTS_OF_RUNS)
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
            "insert into parley.tenant (id, name) values ($1, $2)", [(self.names.users[name], name) for name in TENANTS_OF_RUNS]
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
        except asyncpg.UniqueViolationError:
            return {"refused": "PT404"}
        except asyncpg.PostgresError as error:
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
