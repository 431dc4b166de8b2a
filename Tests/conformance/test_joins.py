"""Who may subscribe, and with which words the rest is refused."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid

import jwt
import pytest
import websockets
from sockets import Refused, Socket

pytestmark = pytest.mark.asyncio
DENIED = "Unauthorized: You do not have permissions to read from this Channel topic: "


async def test_a_participant_may_join_and_a_stranger_may_not(people):
    conversation = people.conversation("Alice", "Bob")
    async with await Socket.open(people.worker) as socket:
        assert (await socket.join(f"conversation:{conversation}", people.token("Bob")))["postgres_changes"] == []
        for topic in (f"conversation:{conversation}", f"user:{people.id('Bob')}"):
            async with await Socket.open(people.worker) as stranger:
                with pytest.raises(Refused) as refused:
                    await stranger.join(topic, people.token("Stranger"))
                assert refused.value.reason == DENIED + topic
                with pytest.raises(Refused) as refused:
                    await stranger.join(topic)  # the anonymous key alone
                assert refused.value.reason == DENIED + topic


@pytest.mark.parametrize("topic", [
    pytest.param(f"conversation:{uuid.uuid4()}", id="no conversation"), "room:1", "user:nobody", "conversation:", "tenant:x:moderation",
])
async def test_absent_and_unknown_topics_answer_like_forbidden_ones(people, topic):
    async with await Socket.open(people.worker) as socket:
        with pytest.raises(Refused) as refused:
            await socket.join(topic, people.token("Alice"))
        assert refused.value.reason == DENIED + topic


async def test_public_channels_are_refused(people):
    async with await Socket.open(people.worker) as socket:
        with pytest.raises(Refused) as refused:
            await socket.join(f"user:{people.id('Alice')}", people.token("Alice"), private=False)
        assert refused.value.reason.startswith("PrivateOnly: ")
        with pytest.raises(Refused) as refused:
            await socket.join("", people.token("Alice"))
        assert refused.value.reason == "TopicNameRequired: You must provide a topic name"


def unsigned(claims: dict, algorithm: str) -> str:
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()  # noqa: E731
    return f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims)}."


def hostile_tokens(people) -> list[tuple[str, str, str]]:
    """Name, token, and the start of the reason."""
    user, now = people.id("Alice"), int(time.time())
    claims = {"sub": user, "role": "authenticated", "exp": now + 3600}
    good = people.token("Alice")
    head, body, signature = good.split(".")
    forged = base64.urlsafe_b64encode(json.dumps({**claims, "role": "service_role"}).encode()).rstrip(b"=").decode()
    return [
        ("expired", people.token("Alice", ttl=-10), "InvalidJWTToken: Token has expired"),
        ("tampered claims", f"{head}.{forged}.{signature}", "JwtSignatureError: "),
        ("other secret", jwt.encode(claims, "x" * 64, algorithm="HS256"), "JwtSignatureError: "),
        ("none", unsigned(claims, "none"), "J"),
        ("None", unsigned(claims, "None"), "J"),
        ("HS512", jwt.encode(claims, people.worker.secret, algorithm="HS512"), "J"),
        ("no expiry", people.worker.token(user, exp=None), "InvalidJWTToken: Fields `role` and `exp` are required"),
        ("no role", people.worker.token(user, role=None), "InvalidJWTToken: Fields `role` and `exp` are required"),
        ("not a token", "not.a.jwt", "MalformedJWT: The token provided is not a valid JWT"),
        ("text", "hello", "MalformedJWT: The token provided is not a valid JWT"),
    ]


async def test_hostile_tokens_are_refused_at_the_join(people):
    async with await Socket.open(people.worker) as socket:
        for name, token, reason in hostile_tokens(people):
            with pytest.raises(Refused) as refused:
                await socket.join(f"user:{people.id('Alice')}", token)
            assert refused.value.reason.startswith(reason), (name, refused.value.reason)
        # None of them cost the connection, and a good one works on it.
        await socket.join(f"user:{people.id('Alice')}", people.token("Alice"))


async def test_hostile_tokens_are_refused_at_the_handshake(people):
    for name, token, _ in hostile_tokens(people):
        with pytest.raises(websockets.InvalidStatus) as refused:
            await Socket.open(people.worker, token)
        assert refused.value.response.status_code == 401, name
        assert "error" in json.loads(refused.value.response.body), name


@pytest.mark.parametrize("role", ["postgres", "supabase_admin", "parley_worker", "", "authenticated; drop table x"])
async def test_a_token_with_another_role_reaches_nothing(people, role):
    token = people.worker.token(people.id("Alice"), role=role)
    with pytest.raises((Refused, websockets.InvalidStatus)):
        async with await Socket.open(people.worker) as socket:
            await socket.join(f"user:{people.id('Alice')}", token)


async def test_a_token_that_expires_closes_its_channels_and_not_the_socket(people):
    async with await Socket.open(people.worker) as socket:
        topic = f"user:{people.id('Alice')}"
        await socket.join(topic, people.token("Alice", ttl=2))
        await socket.wait(lambda: any(m["event"] == "phx_close" for m in socket.messages))
        system = next(m for m in socket.messages if m["event"] == "system")
        assert system["payload"]["status"] == "error"
        assert system["payload"]["message"].startswith("Token has expired")
        await socket.join(topic, people.token("Alice"))


async def test_a_refreshed_token_keeps_the_channel(people):
    conversation = people.conversation("Alice", "Bob")
    async with await Socket.open(people.worker) as socket:
        topic = f"conversation:{conversation}"
        await socket.join(topic, people.token("Alice", ttl=3))
        await socket.send(f"realtime:{topic}", "access_token", {"access_token": people.token("Alice")}, None)
        await asyncio.sleep(4)
        people.rpc("Bob", "send_message", conversation_id=conversation, content="still there?")
        await socket.event("message:new")
        assert not [m for m in socket.messages if m["event"] in ("system", "phx_close")]


async def test_joining_twice_is_one_membership(people):
    conversation = people.conversation("Alice", "Bob")
    for version in ("1.0.0", "2.0.0"):
        async with await Socket.open(people.worker, version=version) as socket:
            topic = f"conversation:{conversation}"
            await socket.join(topic, people.token("Alice"))
            await socket.join(topic, people.token("Alice"))
            people.rpc("Bob", "send_message", conversation_id=conversation, content="once")
            await socket.event("message:new")
            await socket.heartbeat()
            assert len(socket.events("message:new")) == 1


async def test_leaving_ends_delivery(people):
    conversation = people.conversation("Alice", "Bob")
    async with await Socket.open(people.worker) as socket:
        topic = f"conversation:{conversation}"
        await socket.join(topic, people.token("Alice"))
        assert await socket.leave(topic) == {}
        await socket.wait(lambda: any(m["event"] == "phx_close" for m in socket.messages))
        people.rpc("Bob", "send_message", conversation_id=conversation, content="gone")
        async with await Socket.open(people.worker) as other:
            await other.join(topic, people.token("Bob"), replay={"after": 0, "limit": 100})
            await other.event("message:new")
        await socket.heartbeat()
        assert socket.events() == []


async def test_replay_continues_where_the_client_was(people):
    conversation = people.conversation("Alice", "Bob")
    topic = f"conversation:{conversation}"
    for n in range(10):
        people.rpc("Alice", "send_message", conversation_id=conversation, content=f"message {n}")
    async with await Socket.open(people.worker) as socket:
        await socket.join(topic, people.token("Bob"), replay={"after": 0, "limit": 1000})
        await socket.wait(lambda: len(socket.events("message:new")) == 10)
        last = socket.events()[-1]["event_seq"]
        assert [event["event_seq"] for event in socket.events()] == list(range(1, last + 1))
        replayed = [m["payload"]["meta"].get("replayed") for m in socket.messages if "meta" in (m["payload"] or {})]
        assert set(replayed) == {True}
    people.rpc("Alice", "send_message", conversation_id=conversation, content="while away")
    async with await Socket.open(people.worker, version="1.0.0") as socket:
        await socket.join(topic, people.token("Bob"), replay={"after": last, "limit": 1000})
        await socket.event("message:new")
        people.rpc("Alice", "send_message", conversation_id=conversation, content="live")
        await socket.wait(lambda: len(socket.events("message:new")) == 2)
        assert [event["event_seq"] for event in socket.events()] == [last + 1, last + 2]
        assert [event["message"]["content"] for event in socket.events()] == ["while away", "live"]


async def test_a_purged_range_is_an_explicit_gap(people):
    conversation = people.conversation("Alice", "Bob")
    for n in range(5):
        people.rpc("Alice", "send_message", conversation_id=conversation, content=f"message {n}")
    people.cluster.psql(f"delete from parley.event where conversation_id = '{conversation}' and event_seq <= 3")
    async with await Socket.open(people.worker) as socket:
        await socket.join(f"conversation:{conversation}", people.token("Bob"), replay={"after": 0, "limit": 1000})
        await socket.wait(lambda: len(socket.events()) >= 3)
        first = socket.messages[0]["payload"]
        assert first["event"] == "replay:gap"
        assert (first["payload"]["from"], first["payload"]["to"]) == (1, 3) and first["payload"]["reason"]
        assert socket.events()[1]["event_seq"] == 4


async def test_what_lies_beyond_the_tier_is_an_explicit_gap(people):
    conversation = people.conversation("Alice", "Bob")
    people.rpc("Alice", "send_message", conversation_id=conversation, content="long ago")
    last = int(people.cluster.psql(f"""
        update parley.event set created_at = now() - interval '366 days' where conversation_id = '{conversation}';
        select last_event_seq from parley.conversation where id = '{conversation}'
    """))
    people.rpc("Alice", "send_message", conversation_id=conversation, content="today")
    async with await Socket.open(people.worker) as socket:
        await socket.join(f"conversation:{conversation}", people.token("Bob"), replay={"after": 1, "limit": 1000})
        await socket.event("message:new")
        told = socket.events()
        assert told[0] == {
            "conversation_id": conversation, "from": 2, "to": last, "reason": "beyond_tier", "readable": False
        }
        assert [event["event_seq"] for event in told[1:]] == [last + 1]


async def test_replay_by_time_as_upstream(people):
    conversation = people.conversation("Alice", "Bob")
    people.rpc("Alice", "send_message", conversation_id=conversation, content="one")
    async with await Socket.open(people.worker) as socket:
        await socket.join(f"user:{people.id('Bob')}", people.token("Bob"), replay={"since": 0, "limit": 25})
        assert (await socket.event("message:new"))["message"]["content"] == "one"
    async with await Socket.open(people.worker) as socket:
        with pytest.raises(Refused) as refused:
            await socket.join(f"user:{people.id('Bob')}", people.token("Bob"), replay={})
        assert refused.value.reason == "UnableToReplayMessages: Replay params are not valid"


async def test_typing_is_throttled_to_one_a_second(people):
    conversation = people.conversation("Alice", "Bob")
    topic = f"conversation:{conversation}"
    async with await Socket.open(people.worker) as alice, await Socket.open(people.worker) as bob:
        await alice.join(topic, people.token("Alice"))
        await bob.join(topic, people.token("Bob"))
        for _ in range(20):
            await alice.broadcast(topic, "typing:start", {})
        await alice.broadcast(topic, "message:send", {"content": "done", "client_message_id": str(uuid.uuid4())})
        await bob.event("message:new")
        starts = bob.events("typing:start")
        assert 1 <= len(starts) <= 2
        assert starts[0]["user_id"] == people.id("Alice") and starts[0]["conversation_id"] == conversation


@pytest.mark.parametrize("event", ["message:new", "message:deleted", "participant:left", "conversation:updated"])
async def test_a_client_cannot_forge_what_only_the_server_says(people, event):
    conversation = people.conversation("Alice", "Bob")
    topic = f"conversation:{conversation}"
    async with await Socket.open(people.worker) as alice, await Socket.open(people.worker) as bob:
        await alice.join(topic, people.token("Alice"))
        await bob.join(topic, people.token("Bob"))
        with pytest.raises(Refused):
            await alice.broadcast(topic, event, {"message": {"content": "forged"}})
        await alice.broadcast(topic, "wave", {"hello": True})
        await bob.event("wave")
        assert bob.events(event) == []


async def test_nobody_may_speak_on_a_topic_without_being_in_it(people):
    conversation = people.conversation("Alice", "Bob")
    async with await Socket.open(people.worker) as socket:
        with pytest.raises(Refused) as refused:
            await socket.broadcast(f"conversation:{conversation}", "message:send", {"content": "hi"})
        assert refused.value.reason == "unmatched topic"
    assert people.cluster.psql(f"select count(*) from parley.message where conversation_id = '{conversation}'") == "0"
