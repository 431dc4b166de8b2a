"""The stock Python client `realtime` alone: what it makes of our answers, on paths its own users take."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
from parley import Worker
from realtime import AsyncRealtimeClient

pytestmark = pytest.mark.asyncio


class Stock:
    """A client of one user, and what its channels were told."""

    def __init__(self, worker, token: str):
        self.client = AsyncRealtimeClient(f"ws://127.0.0.1:{worker.port}/realtime/v1", token=worker.anon_key, auto_reconnect=True)
        self.token = token
        self.states: list[str] = []
        self.heard: list[dict] = []

    async def channel(self, topic: str, presence: str | None = None, **broadcast: object):
        await self.client.set_auth(self.token)
        config: dict = {"private": True, "broadcast": {"ack": True, "self": False, **broadcast}}
        if presence is not None:
            config["presence"] = {"key": presence, "enabled": True}
        channel = self.client.channel(topic, {"config": config})
        channel.on_broadcast("*", self.heard.append)
        return channel

    async def joined(self, topic: str, **more):
        channel = await self.channel(topic, **more)
        await channel.subscribe(lambda state, error: self.states.append(state.name))
        assert channel.is_joined, self.states
        return channel

    def texts(self) -> list[str]:
        return [heard["payload"]["message"]["content"] for heard in self.heard if heard["event"] == "message:new"]

    async def until(self, condition, seconds: float = 20) -> None:
        limit = asyncio.get_running_loop().time() + seconds
        while not condition():
            assert asyncio.get_running_loop().time() < limit, (self.states, self.heard[-5:])
            await asyncio.sleep(0.02)


@pytest_asyncio.fixture
async def stock(people):
    made: list[Stock] = []

    def make(name: str, worker=None) -> Stock:
        worker = worker or people.worker
        made.append(Stock(worker, worker.token(people.id(name))))
        return made[-1]

    yield make
    for one in made:
        await one.client.close()


async def test_case_27_joining_again_stays_subscribed(people, stock):
    """The client does not look at the ref of a `phx_close`: one for the join of before would close the new channel."""
    topic = f"conversation:{people.conversation('Alice', 'Bob')}"
    alice = stock("Alice")
    channel = await alice.joined(topic)
    for _ in range(3):
        await channel._rejoin()
    await alice.until(lambda: channel.is_joined)
    people.rpc("Bob", "send_message", conversation_id=topic.partition(":")[2], content="once")
    await alice.until(alice.texts)
    await asyncio.sleep(0.3)
    assert alice.texts() == ["once"] and channel.is_joined
    assert set(alice.states) == {"SUBSCRIBED"}


async def test_case_28_presence_asked_for_later(people, stock):
    """A presence callback on a joined channel makes the client leave and join again by itself."""
    topic = f"conversation:{people.conversation('Alice', 'Bob')}"
    alice, bob = stock("Alice"), stock("Bob")
    channel = await alice.joined(topic)
    tracked = await bob.joined(topic, presence="bob")
    await tracked.track({"status": "here"})
    channel.on_presence_sync(lambda: None)
    await alice.until(lambda: alice.states.count("SUBSCRIBED") == 2)
    await alice.until(lambda: "bob" in channel.presence_state())
    assert channel.is_joined and alice.states == ["SUBSCRIBED", "CLOSED", "SUBSCRIBED"]


async def test_case_26_unsubscribing_closes(people, stock):
    topic = f"conversation:{people.conversation('Alice', 'Bob')}"
    alice = stock("Alice")
    channel = await alice.joined(topic)
    await channel.unsubscribe()
    await alice.until(lambda: channel.is_closed)
    assert alice.states == ["SUBSCRIBED", "CLOSED"]
    # The same topic again, on the same client.
    await alice.joined(topic)


async def test_a_refused_join_is_a_channel_error(people, stock):
    topic = f"conversation:{people.conversation('Alice', 'Bob')}"
    stranger = stock("Stranger")
    channel = await stranger.channel(topic)
    told: list = []
    await channel.subscribe(lambda state, error: told.append((state.name, str(error))))
    assert told[0][0] == "CHANNEL_ERROR" and "Unauthorized: You do not have permissions" in told[0][1]
    assert not channel.is_joined
    await channel.unsubscribe()


async def test_case_25_an_expired_token_closes_the_channel(people, stock):
    topic = f"conversation:{people.conversation('Alice', 'Bob')}"
    alice = stock("Alice")
    alice.token = people.token("Alice", ttl=2)
    channel = await alice.joined(topic)
    await alice.until(lambda: alice.states[1:])
    # The client takes the `system` error for a failed channel, and the `phx_close` after it for its end.
    assert alice.states[-1] == "CLOSED" and channel.is_closed
    alice.token = people.token("Alice")
    await alice.joined(topic)


async def test_case_37_asking_for_changes_of_tables_does_not_end_in_a_storm(people, stock):
    topic = f"conversation:{people.conversation('Alice', 'Bob')}"
    alice = stock("Alice")
    channel = await alice.channel(topic)
    channel.on_postgres_changes("*", lambda change: None, table="messages", schema="public", filter="id=eq.1")
    channel.on_postgres_changes("INSERT", lambda change: None, table="other", schema="public")
    await channel.subscribe(lambda state, error: alice.states.append(state.name))
    people.rpc("Bob", "send_message", conversation_id=topic.partition(":")[2], content="hello")
    await alice.until(alice.texts)
    await asyncio.sleep(1.5)
    assert channel.is_joined and alice.states == ["SUBSCRIBED"]


async def test_case_41_a_restarted_worker_brings_its_clients_back(people, cluster, stock):
    """Closed with 1012, the client is back by itself, joined, with its presence known to the others."""
    topic = f"conversation:{people.conversation('Alice', 'Bob')}"
    with Worker(cluster, "--log-level", "warning", "--drain-seconds", "2") as worker:
        alice, bob = stock("Alice", worker), stock("Bob", worker)
        channel = await alice.joined(topic, presence="alice")
        await bob.joined(topic)
        worker.stop()
        worker.start()
        await alice.until(lambda: alice.states.count("SUBSCRIBED") == 2, 40)
        await bob.until(lambda: bob.states.count("SUBSCRIBED") == 2, 40)
        await channel.send_broadcast("message:send", {"content": "I am back"})
        await bob.until(bob.texts)
        assert bob.texts() == ["I am back"]
        for one in (alice, bob):
            await one.client.close()


async def test_bytes_by_post(people, stock):
    """`http_send` takes bytes too; its receivers are sockets of 2.0.0, and this client, of 1.0.0, hears nothing."""
    topic = f"conversation:{people.conversation('Alice', 'Bob')}"
    alice, bob = stock("Alice"), stock("Bob")
    await bob.joined(topic)
    channel = await alice.channel(topic)
    await channel.http_send("blob", b"\x00\xff")
    await channel.http_send("json", {"n": 1})
    await bob.until(lambda: bob.heard)
    assert [heard["event"] for heard in bob.heard] == ["json"]
    with pytest.raises(Exception, match="reserved for the server"):
        await channel.http_send("message:new", {})
