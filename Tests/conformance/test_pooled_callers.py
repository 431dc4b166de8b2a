"""Many users and roles over one pooled connection: each sees its own and may do its own, whoever came before.

A statement is planned once per connection, and some of what a role may do is decided when it is planned.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import uuid

import pytest
from conftest import People
from frames import FrameSocket
from parley import RpcError, Worker
from pooler import transaction_pooler
from sockets import Refused

pytestmark = pytest.mark.asyncio


@pytest.fixture(scope="module", params=["1", "2", "pooler"])
def narrow(cluster, request):
    """A worker with one connection, with two, and with nothing but a pooler that gives each transaction another session."""
    with contextlib.ExitStack() as stack:
        pooled = request.param == "pooler"
        url = stack.enter_context(transaction_pooler(cluster.worker_url)) if pooled else None
        size = "8" if pooled else request.param
        flags = ("--log-level", "warning", "--db-pool-size", size, "--client-events-per-second", "1000")
        worker = stack.enter_context(Worker(cluster, *flags, database_url=url))
        assert ("--listen-database-url" in worker.output()) == pooled
        yield worker


async def call(worker, token: str, function: str, **arguments: object):
    """The answer, or the refusal's status and code."""
    try:
        return await asyncio.to_thread(worker.rpc, function, token, **arguments)
    except RpcError as error:
        return error.status, error.body["code"]


class Crowd:
    """Ten users of several tiers, each in a conversation with a neighbour."""

    tiers = ("free", "privileged", "privileged_plus")

    def __init__(self, people: People):
        self.people = people
        self.names = [f"Caller {uuid.uuid4().hex[:6]}" for _ in range(10)]
        self.tier = {name: self.tiers[n % 3] for n, name in enumerate(self.names)}
        for name in self.names:
            people.id(name, self.tier[name])
        self.room = {}
        for name, neighbour in zip(self.names[::2], self.names[1::2], strict=True):
            # One who pays begins: the free tier does not.
            first = name if self.tier[name] != "free" else neighbour
            self.room[name] = self.room[neighbour] = people.conversation(first, name if first == neighbour else neighbour)


async def test_rpcs_of_many_callers(cluster, narrow):
    """240 calls, shuffled, 20 at a time: what each answers is known beforehand."""
    people = People(cluster, narrow)
    crowd = Crowd(people)
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    anon, service = narrow.anon_key, narrow.service_key
    wrong: list = []
    limit = asyncio.Semaphore(20)

    async def as_user(name: str) -> None:
        async with limit:
            got = await call(narrow, people.token(name), "get_user_conversations")
            if not isinstance(got, dict) or [row["id"] for row in got["conversations"]] != [crowd.room[name]]:
                wrong.append((name, "conversations", got))

    async def entitled(name: str) -> None:
        async with limit:
            got = await call(narrow, people.token(name), "get_entitlements")
            if not isinstance(got, dict) or got["tier"] != crowd.tier[name]:
                wrong.append((name, "entitlements", got))

    async def may(token: str, who: str, function: str, expected: object, **arguments: object) -> None:
        async with limit:
            got = await call(narrow, token, function, **arguments)
            if (got if isinstance(expected, tuple) else got is not None and not isinstance(got, tuple)) != expected:
                wrong.append((who, function, got))

    work = []
    for n in range(20):
        for name in crowd.names[n % 2 :: 2]:
            work.append(as_user(name) if n % 4 < 2 else entitled(name))
        name = chance.choice(crowd.names)
        system = {"conversation_id": crowd.room[name], "content": f"notice {n}"}
        work += [
            may(service, "service_role", "send_system_message", True, **system),
            may(people.token(name), "authenticated", "send_system_message", (403, "42501"), **system),
            may(people.token(name), "authenticated", "set_account_tier", (403, "42501"), user_id=people.id(name), tier="privileged_plus"),
            may(anon, "anon", "get_user_conversations", (401, "42501")),
            may(anon, "anon", "send_system_message", (401, "42501"), **system),
            may(service, "service_role", "get_entitlements", (403, "42501")),
            may(service, "service_role", "upsert_account", True, user_id=people.id(name), display_name=name),
        ]
    chance.shuffle(work)
    assert len(work) == 240
    await asyncio.gather(*work)
    assert wrong == []
    assert {people.rpc(name, "get_entitlements")["tier"] for name in crowd.names} == set(crowd.tiers)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("send_system_message", {"conversation_id": "ROOM", "content": "by the host"}),
        ("set_account_tier", {"user_id": "USER", "tier": "privileged"}),
        ("upsert_account", {"user_id": "USER", "display_name": "Named by the host"}),
        ("revoke_sessions", {"user_id": "OTHER"}),
    ],
)
async def test_what_only_the_service_may_call(cluster, function, arguments):
    """The service calls until Postgres has settled on a plan, on the worker's only connection; then others call too."""
    with Worker(cluster, "--log-level", "error", "--db-pool-size", "1") as worker:
        people = People(cluster, worker)
        room = people.conversation("Alice", "Bob")
        own = {"ROOM": room, "USER": people.id("Alice"), "OTHER": people.id("Carol")}
        arguments = {name: own.get(value, value) for name, value in arguments.items()}
        callers = [(worker.service_key, True), (people.token("Alice"), False), (worker.anon_key, False)]
        for turn in range(24):
            for token, may in callers[: 1 if turn < 12 else 3]:
                got = await call(worker, token, function, **arguments)
                refused = isinstance(got, tuple) and got[1] == "42501"
                assert refused != may, (turn, function, got)


async def test_a_right_that_is_taken_back_ends_at_once(cluster, narrow):
    """Plans are kept, rights are not: what the owner revokes is refused on the connection that just allowed it."""
    people = People(cluster, narrow)
    for _ in range(8):
        assert isinstance(people.rpc("Alice", "get_unread_counts"), (dict, list))
    function = "parley_api.get_unread_counts()"
    cluster.psql(f"revoke execute on function {function} from authenticated")
    try:
        assert await call(narrow, people.token("Alice"), "get_unread_counts") in ((403, "42501"), (404, "PGRST202"))
    finally:
        cluster.psql(f"grant execute on function {function} to authenticated")


async def test_messages_of_many_sockets(cluster, narrow):
    """`message:send` of ten users and of the service by turns, all sent before any is answered, with RPCs in between."""
    people = People(cluster, narrow)
    crowd = Crowd(people)
    sockets: dict[str, FrameSocket] = {}
    for name in crowd.names:
        sockets[name] = await FrameSocket.open(narrow)
        await sockets[name].join(f"conversation:{crowd.room[name]}", people.token(name))
    service = await FrameSocket.open(narrow)
    for room in set(crowd.room.values()):
        await service.join(f"conversation:{room}", narrow.service_key)
    senders = [name for name in crowd.names if crowd.tier[name] == "privileged_plus"]
    wrong: list = []

    async def speak(name: str, n: int) -> None:
        message = await sockets[name].send_message(crowd.room[name], f"{name} {n}")
        if (message["sender_id"], message["content"]) != (people.id(name), f"{name} {n}"):
            wrong.append((name, message))

    async def serve(name: str) -> None:
        try:
            wrong.append(("service", await service.send_message(crowd.room[name], "as nobody")))
        except Refused as refused:
            if refused.response.get("code") != "42501":
                wrong.append(("service", refused.response))

    async def notice(name: str, n: int) -> None:
        got = await call(narrow, narrow.service_key, "send_system_message", conversation_id=crowd.room[name], content=f"notice {n}")
        if isinstance(got, tuple):
            wrong.append(("notice", got))

    for n in range(12):
        await asyncio.gather(*[job for name in senders for job in (speak(name, n), serve(name), notice(name, n))])
    assert wrong == []
    rows = cluster.psql(
        "select jsonb_agg(jsonb_build_array(m.sender_id, m.content)) from parley.message m where m.conversation_id = any("
        f"array[{', '.join(repr(room) for room in set(crowd.room.values()))}]::uuid[]) and m.sender_id is not null"
    )
    assert sorted(map(tuple, json.loads(rows))) == sorted((people.id(name), f"{name} {n}") for name in senders for n in range(12))
    for socket in (*sockets.values(), service):
        await socket.close()
