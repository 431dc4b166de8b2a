"""The main job: two stock Supabase clients talk through a real Postgres and the worker."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from postgrest import APIError
from supabase import AsyncClientOptions, acreate_client

pytestmark = pytest.mark.asyncio


class Person:
    """A stock client, signed in, with the broadcasts of its channels by topic and event."""

    def __init__(self, client, user: str):
        self.client, self.user = client, user
        self.received: asyncio.Queue = asyncio.Queue()
        self.seen: list[tuple[str, str, dict]] = []

    @classmethod
    async def sign_in(cls, people, name: str) -> Person:
        options = AsyncClientOptions(schema="parley_api", headers={"Authorization": f"Bearer {people.token(name)}"})
        client = await acreate_client(people.worker.url, people.worker.anon_key, options=options)
        await client.realtime.set_auth(people.token(name))
        return cls(client, people.id(name))

    async def join(self, topic: str) -> object:
        channel = self.client.channel(topic, {"config": {"private": True, "broadcast": {"ack": True, "self": False}}})
        channel.on_broadcast("*", lambda event: self.received.put_nowait((topic, event["event"], event["payload"])))
        states: list = []
        await channel.subscribe(lambda state, error: states.append((state, error)))
        assert channel.is_joined, states
        return channel

    async def next(self, kind: str, topic: str, matches=lambda payload: True) -> dict:
        """The next event of this kind on this topic; what comes before stays in `seen`."""
        for at, (seen_topic, seen_kind, payload) in enumerate(self.seen):
            if (seen_topic, seen_kind) == (topic, kind) and matches(payload):
                del self.seen[at]
                return payload
        while True:
            got = await asyncio.wait_for(self.received.get(), 15)
            if got[:2] == (topic, kind) and matches(got[2]):
                return got[2]
            self.seen.append(got)

    async def rpc(self, function: str, **arguments):
        return (await self.client.rpc(function, arguments).execute()).data

    async def close(self) -> None:
        await self.client.realtime.close()


async def test_two_stock_clients_talk(people):
    alice, bob = await Person.sign_in(people, "Alice"), await Person.sign_in(people, "Bob")
    inbox = f"user:{bob.user}"
    await bob.join(inbox)
    conversation = await alice.rpc("start_conversation", participant_ids=[bob.user])
    assert (await bob.next("conversation:new", inbox))["conversation"]["id"] == conversation["id"]

    topic = f"conversation:{conversation['id']}"
    await bob.join(topic)
    alice_channel = await alice.join(topic)

    key = str(uuid.uuid4())
    sent = await alice.rpc("send_message", conversation_id=conversation["id"], content="Hello", client_message_id=key)
    for where in (inbox, topic):
        got = await bob.next("message:new", where)
        assert got["message"]["content"] == "Hello"
        assert got["message"]["id"] == sent["id"]
        assert got["message"]["client_message_id"] == key
        assert got["conversation_id"] == conversation["id"]
    assert (await alice.next("message:new", topic))["message"]["id"] == sent["id"]

    await alice.rpc("edit_message", message_id=sent["id"], content="Hello, Bob")
    got = await bob.next("message:updated", inbox)
    assert got["message"]["content"] == "Hello, Bob" and got["message"]["edited_at"]

    await bob.rpc("add_reaction", message_id=sent["id"], emoji="👍")
    got = await alice.next("message:reaction", topic)
    assert (got["emoji"], got["op"], got["user_id"]) == ("👍", "added", bob.user)
    await bob.rpc("remove_reaction", message_id=sent["id"], emoji="👍")
    assert (await alice.next("message:reaction", topic))["op"] == "removed"

    await bob.rpc("mark_as_read", conversation_id=conversation["id"], seq=sent["seq"])
    got = await alice.next("message:read", topic)
    assert (got["user_id"], got["last_read_seq"]) == (bob.user, sent["seq"])
    await bob.rpc("mark_as_delivered", conversation_id=conversation["id"], seq=sent["seq"])

    await alice_channel.send_broadcast("typing:start", {})
    assert (await bob.next("typing:start", topic))["user_id"] == alice.user
    await alice_channel.send_broadcast("typing:stop", {})
    assert (await bob.next("typing:stop", topic))["user_id"] == alice.user

    await alice.rpc("delete_message", message_id=sent["id"], for_everyone=True)
    got = await bob.next("message:deleted", topic)
    assert (got["message_id"], got["for_everyone"]) == (sent["id"], True)
    page = await bob.rpc("get_conversation_messages", conversation_id=conversation["id"])
    assert page["messages"][-1]["content"] is None and page["messages"][-1]["deleted_at"]
    await asyncio.gather(alice.close(), bob.close())


async def test_message_send_over_the_stock_channel(people):
    alice, bob = await Person.sign_in(people, "Alice"), await Person.sign_in(people, "Bob")
    conversation = await alice.rpc("start_conversation", participant_ids=[bob.user])
    topic = f"conversation:{conversation['id']}"
    channel = await alice.join(topic)
    bobs_channel = await bob.join(topic)
    key = str(uuid.uuid4())
    await channel.send_broadcast("message:send", {"content": "over the socket", "client_message_id": key})
    got = await bob.next("message:new", topic)
    assert (got["message"]["content"], got["message"]["client_message_id"]) == ("over the socket", key)
    assert got["message"]["sender_id"] == alice.user
    await bobs_channel.send_broadcast("message:read", {"seq": got["message"]["seq"]})
    read = await alice.next("message:read", topic)
    assert (read["user_id"], read["last_read_seq"]) == (bob.user, got["message"]["seq"])
    assert (await bob.rpc("get_unread_counts"))["total"] == 0
    await asyncio.gather(alice.close(), bob.close())


async def test_broadcast_before_joining_goes_through_rest(people):
    """`http_send` is what stock clients use before they have joined."""
    alice, bob = await Person.sign_in(people, "Alice"), await Person.sign_in(people, "Bob")
    conversation = await alice.rpc("start_conversation", participant_ids=[bob.user])
    topic = f"conversation:{conversation['id']}"
    await bob.join(topic)
    channel = alice.client.channel(topic, {"config": {"private": True}})
    await channel.http_send("wave", {"with": "both hands"})
    assert await bob.next("wave", topic) == {"with": "both hands"}
    await asyncio.gather(alice.close(), bob.close())


async def test_presence_of_stock_clients(people):
    alice, bob = await Person.sign_in(people, "Alice"), await Person.sign_in(people, "Bob")
    conversation = await alice.rpc("start_conversation", participant_ids=[bob.user])
    topic = f"conversation:{conversation['id']}"
    joins, leaves, syncs = asyncio.Queue(), asyncio.Queue(), asyncio.Queue()
    watching = bob.client.channel(topic, {"config": {"private": True, "presence": {"key": "bob", "enabled": True}}})
    watching.on_presence_sync(lambda: syncs.put_nowait(None))
    watching.on_presence_join(lambda key, current, new: joins.put_nowait((key, new)))
    watching.on_presence_leave(lambda key, current, left: leaves.put_nowait((key, left)))
    await watching.subscribe()
    await asyncio.wait_for(syncs.get(), 15)
    tracked = alice.client.channel(topic, {"config": {"private": True, "presence": {"key": "alice", "enabled": True}}})
    await tracked.subscribe()
    await tracked.track({"status": "reading"})
    key, metas = await asyncio.wait_for(joins.get(), 15)
    assert key == "alice" and metas[0]["status"] == "reading"
    await tracked.untrack()
    key, _ = await asyncio.wait_for(leaves.get(), 15)
    assert key == "alice"
    await asyncio.gather(alice.close(), bob.close())


async def test_views_through_the_stock_client(people):
    alice = await Person.sign_in(people, "Alice")
    conversation = await alice.rpc("start_conversation", participant_ids=[people.id("Bob")], message="first")
    for n in range(5):
        await alice.rpc("send_message", conversation_id=conversation["id"], content=f"message {n}")
    table = alice.client.table("messages")
    rows = (
        await table.select("seq,content").eq("conversation_id", conversation["id"]).gte("seq", 2)
        .order("seq", desc=True).limit(3).execute()
    ).data
    assert [row["seq"] for row in rows] == [6, 5, 4]
    stranger = await Person.sign_in(people, "Stranger")
    rows = (await stranger.client.table("messages").select("id").eq("conversation_id", conversation["id"]).execute()).data
    assert rows == []
    with pytest.raises(APIError) as refused:
        await stranger.rpc("get_conversation_messages", conversation_id=conversation["id"])
    assert refused.value.code in ("PT403", "PT404")
    await asyncio.gather(alice.close(), stranger.close())
