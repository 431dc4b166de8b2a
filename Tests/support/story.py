"""What the scenarios are told with: a deployment of its own for each design, and people with stock clients.

A `Person` is one device of one user, driven by the stock Supabase client alone: RPC, reads of views, channels. It
remembers every broadcast it hears; `expect` waits for one, `never` says that none came.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
import uuid
from contextlib import contextmanager
from typing import Any

import httpx
from parley import Cluster, Worker
from postgrest import APIError
from realtime.types import RealtimeAcknowledgementStatus
from supabase import AsyncClient, AsyncClientOptions, acreate_client

INBOX = "inbox"
PATIENCE = 20


@contextmanager
def step(what: str):
    """Names a part of a story: a failure inside says which part it was."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"step: {what}")
        raise


class Something:
    """Equal to everything but null: a value that must be there, whatever it is."""

    def __eq__(self, other: object) -> bool:
        return other is not None

    def __repr__(self) -> str:
        return "SOMETHING"

    __hash__ = None  # type: ignore[assignment]


SOMETHING = Something()


def holds(value: Any, wanted: Any) -> bool:
    """Whether `value` has everything that `wanted` names: objects by their keys, lists item by item."""
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(key in value and holds(value[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return (
            isinstance(value, list)
            and len(value) == len(wanted)
            and all(holds(mine, theirs) for mine, theirs in zip(value, wanted, strict=True))
        )
    return wanted == value


class Deployment:
    """One product with messaging in it: a database with Parley installed, and a worker in front of it."""

    def __init__(self, cluster: Cluster, name: str, *flags: str):
        self.cluster, self.name = cluster, name
        base = cluster.superuser_url.rpartition("/")[0]
        # A copy of the database that Parley was installed into: each design has its own settings, and nobody else's rows.
        subprocess.run(
            ["psql", "-Xq", f"{base}/postgres", "-c", f"create database {name} template parley owner parley_owner"],
            check=True,
        )
        self.owner_url = cluster.owner_url.rpartition("/")[0] + f"/{name}"
        self.worker = Worker(
            cluster, "--log-level", "warning", *flags, database_url=cluster.worker_url.rpartition("/")[0] + f"/{name}"
        )
        self.devices: list[Person] = []
        self.host: Person

    async def start(self) -> Deployment:
        await asyncio.to_thread(self.worker.start)
        self.host = await Person(self, "the host", None).sign_in()
        return self

    async def stop(self) -> None:
        await asyncio.gather(*(device.close() for device in self.devices))
        await asyncio.to_thread(self.worker.__exit__)

    def sql(self, statement: str) -> str:
        """The host's own SQL, as the owner of the database."""
        return self.cluster.psql(statement, self.owner_url)

    def others_read(self, user: str | None) -> set[tuple[str, int]]:
        """Conversation and `event_seq` of the receipts of others, if the user shows none and so gets none."""
        if user is None:
            return set()
        rows = self.sql(
            "select e.conversation_id, e.event_seq from parley.event e inner join parley.account a "
            f"on a.id = '{user}' and not a.read_receipts and e.user_id <> a.id "
            "where e.kind = 'message:read' and e.event_seq is not null"
        )
        return {(row.split("|")[0], int(row.split("|")[1])) for row in rows.splitlines()}

    def setting(self, name: str, value: str) -> None:
        self.sql(f"update parley.setting set value = '{value}' where name = '{name}'")

    def age(self, days_by_message: dict[str, int]) -> None:
        """Moves messages so many days into the past, as if they had been sent then; the months of it are made."""
        self.sql("""
            do $$
            declare
                v_from date := date_trunc('month', now() - interval '400 days');
            begin
                while v_from < date_trunc('month', now()) - interval '1 month' loop
                    execute format(
                        'create table if not exists parley.%I partition of parley.message for values from (%L) to (%L)',
                        'message_past_' || to_char(v_from, 'YYYY_MM'),
                        parley.uuid_v7_floor(v_from::timestamp at time zone 'UTC'),
                        parley.uuid_v7_floor((v_from + interval '1 month') at time zone 'UTC')
                    );
                    v_from := v_from + interval '1 month';
                end loop;
            end
            $$
        """)
        for message, days in days_by_message.items():
            self.sql(f"""
                update parley.message
                set id = parley.uuid_v7(now() - interval '{days} days'), created_at = now() - interval '{days} days'
                where id = '{message}'
            """)

    async def user(self, name: str, tier: str = "privileged_plus") -> str:
        user = str(uuid.uuid4())
        await self.host.do("upsert_account", user_id=user, display_name=name, tier=tier)
        return user

    async def person(self, name: str, tier: str = "privileged_plus") -> Person:
        """A new user at their first device, with the inbox open."""
        device = await Person(self, name, await self.user(name, tier)).sign_in()
        await device.join(INBOX)
        return device

    async def people(self, *names: str, tier: str = "privileged_plus") -> list[Person]:
        return list(await asyncio.gather(*(self.person(name, tier) for name in names)))


class Heard:
    """One broadcast that reached a device."""

    def __init__(self, where: str, event: dict):
        self.where, self.kind, self.payload = where, event["event"], event["payload"]
        self.replayed = bool((event.get("meta") or {}).get("replayed"))
        self.at = time.monotonic()
        self.taken = False

    def __repr__(self) -> str:
        return f"{self.where}: {self.kind} {self.payload}"


class Person:
    """One device of one user."""

    def __init__(self, deployment: Deployment, name: str, user: str | None):
        self.deployment, self.name, self.id = deployment, name, user
        self.client: AsyncClient
        self.heard: list[Heard] = []
        self.arrived = asyncio.Event()
        self.channels: dict[str, Any] = {}
        deployment.devices.append(self)

    def __repr__(self) -> str:
        return self.name

    @property
    def token(self) -> str:
        worker = self.deployment.worker
        return worker.token(self.id) if self.id else worker.service_key

    async def sign_in(self, token: str | None = None) -> Person:
        """With a token of the deployment, unless another is to be tried."""
        token = token or self.token
        options = AsyncClientOptions(schema="parley_api", headers={"Authorization": f"Bearer {token}"})
        worker = self.deployment.worker
        self.client = await acreate_client(worker.url, worker.anon_key, options=options)
        await self.client.realtime.set_auth(token)
        return self

    async def other_device(self, name: str) -> Person:
        """The same user at another device, with the inbox open."""
        device = await Person(self.deployment, f"{self.name}'s {name}", self.id).sign_in()
        await device.join(INBOX)
        return device

    async def close(self) -> None:
        """Away: nothing reaches this device any more."""
        await self.client.realtime.close()
        self.channels.clear()

    # --- asking

    async def do(self, function: str, **arguments: Any) -> Any:
        """Calls a function of the API and returns its answer."""
        return (await self.client.rpc(function, arguments).execute()).data

    async def refused(self, code: str, function: str, says: str = "", **arguments: Any) -> APIError:
        """Calls a function that must be refused with this code, and with these words somewhere in what it says."""
        try:
            answer = await self.do(function, **arguments)
        except APIError as error:
            assert error.code == code, f"{self} got {error.code} from {function}, not {code}: {error.message}"
            told = f"{error.message} {error.details} {error.hint}"
            assert says in told, f"{self} was told {told!r}, which does not say {says!r}"
            return error
        raise AssertionError(f"{function} did not refuse {self}: {answer}")

    async def raw(self, function: str, token: str | None = None, **arguments: Any) -> httpx.Response:
        """The HTTP answer itself, where its status, a header or an old token counts."""
        worker = self.deployment.worker
        async with httpx.AsyncClient() as client:
            return await client.post(
                f"{worker.url}/rest/v1/rpc/{function}", json=arguments,
                headers={"Authorization": f"Bearer {token or self.token}", "apikey": worker.anon_key},
            )

    async def send(self, conversation: str, content: str | None = None, **more: Any) -> dict:
        if content is not None:
            more["content"] = content
        return await self.do("send_message", conversation_id=conversation, **more)

    async def send_as_told(self, conversation: str, content: str, **more: Any) -> dict:
        """Sends, and when a limit refuses that, waits as long as the refusal says and tries again, once."""
        try:
            return await self.send(conversation, content, **more)
        except APIError as error:
            assert error.code == "PT429", error
            await asyncio.sleep(int(error.details.partition("Retry-After: ")[2]))
            return await self.send(conversation, content, **more)

    async def upload(self, conversation: str, kind: str, file_name: str, content_type: str, size: int, **more: Any) -> str:
        """A file declared by this user and, when its bytes have arrived, recorded by the host. Returns its id."""
        declared = await self.do(
            "declare_attachment", conversation_id=conversation, kind=kind, file_name=file_name,
            content_type=content_type, byte_size=size, **more,
        )
        assert declared["state"] == "declared"
        recorded = await self.deployment.host.do("record_upload", attachment_id=declared["id"], byte_size=size)
        assert recorded["state"] == "uploaded"
        return declared["id"]

    async def history(self, conversation: str, **more: Any) -> list[dict]:
        return (await self.do("get_conversation_messages", conversation_id=conversation, **more))["messages"]

    async def texts(self, conversation: str, **more: Any) -> list[str | None]:
        return [message["content"] for message in await self.history(conversation, **more)]

    async def inbox(self, **more: Any) -> list[dict]:
        return (await self.do("get_user_conversations", **more))["conversations"]

    async def row(self, conversation: str, **more: Any) -> dict | None:
        """The conversation's row in this user's inbox."""
        return next((row for row in await self.inbox(**more) if row["id"] == conversation), None)

    async def unread(self, conversation: str) -> int:
        counts = await self.do("get_unread_counts")
        return next((row["unread_count"] for row in counts["conversations"] if row["conversation_id"] == conversation), 0)

    # --- listening

    def topic(self, where: str) -> str:
        return f"user:{self.id}" if where == INBOX else f"conversation:{where}"

    async def join(self, where: str, presence: bool = False, **broadcast: Any) -> Any:
        """Subscribes to the inbox, or to a conversation by its id."""
        config: dict = {"private": True, "broadcast": {"ack": True, "self": False, **broadcast}}
        if presence:
            config["presence"] = {"key": self.id, "enabled": True}
        channel = self.client.channel(self.topic(where), {"config": config})
        channel.on_broadcast("*", lambda event: self._hear(where, event))
        if presence:
            channel.on_presence_join(lambda key, _, metas: self._present(where, "join", key, metas))
            channel.on_presence_leave(lambda key, _, metas: self._present(where, "leave", key, metas))
        told: list = []
        await channel.subscribe(lambda state, error: told.append((state.name, str(error))))
        assert channel.is_joined, f"{self} could not join {self.topic(where)}: {told}"
        self.channels[where] = channel
        return channel

    async def open(self, conversation: str, **broadcast: Any) -> Any:
        return await self.join(conversation, **broadcast)

    async def cannot_join(self, where: str) -> str:
        """Tries to subscribe to a conversation and must be refused; returns what the client was told."""
        channel = self.client.channel(self.topic(where), {"config": {"private": True}})
        told: list = []
        await channel.subscribe(lambda state, error: told.append((state.name, str(error))))
        assert not channel.is_joined and told[0][0] == "CHANNEL_ERROR", f"{self} joined {where}: {told}"
        await channel.unsubscribe()
        return told[0][1]

    async def leave(self, where: str) -> None:
        await self.channels.pop(where).unsubscribe()

    def _hear(self, where: str, event: dict) -> None:
        self.heard.append(Heard(where, event))
        self.arrived.set()

    def _present(self, where: str, what: str, key: str, metas: list) -> None:
        self._hear(where, {"event": f"presence:{what}", "payload": {"key": key, "metas": metas}})

    async def _take(self, where: str, kind: str, wanted: dict, timeout: float) -> Heard:
        limit = time.monotonic() + timeout
        while True:
            self.arrived.clear()
            for heard in self.heard:
                if not heard.taken and (heard.where, heard.kind) == (where, kind) and holds(heard.payload, wanted):
                    heard.taken = True
                    return heard
            try:
                await asyncio.wait_for(self.arrived.wait(), limit - time.monotonic())
            except TimeoutError:
                others = [heard for heard in self.heard if not heard.taken and heard.kind == kind]
                raise AssertionError(f"{self} did not hear {kind} {wanted} in {where}; instead: {others}") from None

    async def expect(self, kind: str, where: str | None = None, timeout: float = PATIENCE, **wanted: Any) -> dict:
        """Waits for an event, and takes it. One of a conversation that is open comes there as well, and says the same."""
        first = await self._take(where or INBOX, kind, wanted, timeout)
        payload = first.payload
        conversation = payload.get("conversation_id")
        if where is None and conversation in self.channels and payload.get("event_seq") is not None:
            there = await self._take(conversation, kind, {"event_seq": payload["event_seq"]}, timeout)
            assert there.payload.keys() == payload.keys() and holds(there.payload, wanted), (first, there)
        return payload

    def never(self, kind: str, where: str | None = None, **wanted: Any) -> None:
        """Says that no such event has come so far. Ask after something later has come."""
        for heard in self.heard:
            if heard.kind == kind and where in (None, heard.where) and holds(heard.payload, wanted):
                raise AssertionError(f"{self} should not have heard {heard}")

    def order(self, others_read: set[tuple[str, int]] = frozenset()) -> None:
        """Of every conversation, each topic brought every event once and in order, until its user was out of it.

        `others_read`: what is not for this user, who shows no receipts.
        """
        seen: dict[tuple[str, str], int] = {}
        for heard in self.heard:
            seq, conversation = heard.payload.get("event_seq"), heard.payload.get("conversation_id")
            if seq is None or heard.kind == "replay:gap":
                continue
            if heard.kind == "participant:left" and heard.payload["user_id"] == self.id:
                # Payloads show things as they are now: what came just before may be passed by for who has left by now.
                seen.pop((heard.where, conversation), None)
                continue
            before = seen.get((heard.where, conversation))
            while before is not None and seq > before + 1 and (conversation, before + 1) in others_read:
                before += 1
            assert before is None or seq == before + 1, f"{self} heard {seq} after {before}: {heard}"
            seen[heard.where, conversation] = seq

    # --- speaking over the socket

    async def emit(self, conversation: str, event: str, **payload: Any) -> None:
        """A broadcast over the socket, without waiting for its answer."""
        await self.channels[conversation].send_broadcast(event, payload)

    async def ask(self, conversation: str, event: str, **payload: Any) -> tuple[str, dict]:
        """A broadcast over the socket, and the answer it got: ("ok" or "error", response)."""
        push = await self.channels[conversation].push(
            "broadcast", {"type": "broadcast", "event": event, "payload": payload}
        )
        answer: asyncio.Future = asyncio.get_running_loop().create_future()
        for status in (RealtimeAcknowledgementStatus.Ok, RealtimeAcknowledgementStatus.Error):
            push.receive(status, lambda response, status=status: answer.set_result((status.value, response)))
        return await asyncio.wait_for(answer, PATIENCE)


async def eventually(look, wanted: Any, seconds: float = PATIENCE) -> Any:
    """Asks again until the answer has what is wanted: for what a job of the server does in its own time."""
    limit = time.monotonic() + seconds
    while True:
        answer = await look()
        if holds(answer, wanted):
            return answer
        assert time.monotonic() < limit, f"never {wanted}: {answer}"
        await asyncio.sleep(0.1)
