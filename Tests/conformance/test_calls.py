"""Calls over the sockets: two people with two devices each, from the ring to the thread, also across broken connections."""

from __future__ import annotations

import asyncio
import json
import urllib.request
import uuid

import pytest
import pytest_asyncio
from frames import VERSIONS
from parley import Cluster, Worker
from realtime import AsyncRealtimeClient
from sockets import Refused, Socket

pytestmark = pytest.mark.asyncio


class Device:
    """A stock client of one user, subscribed to that user's inbox."""

    def __init__(self, worker, user: str, token: str, name: str):
        self.client = AsyncRealtimeClient(f"ws://127.0.0.1:{worker.port}/realtime/v1", token=worker.anon_key)
        self.user, self.token, self.name = user, token, name
        self.heard: list[tuple[str, dict]] = []
        self.arrived = asyncio.Event()

    def hear(self, message: dict) -> None:
        self.heard.append((message["event"], message["payload"]))
        self.arrived.set()

    async def subscribe(self) -> Device:
        await self.client.set_auth(self.token)
        config = {"config": {"private": True, "broadcast": {"ack": True, "self": False}}}
        self.channel = self.client.channel(f"user:{self.user}", config)
        self.channel.on_broadcast("*", self.hear)
        await self.channel.subscribe()
        assert self.channel.is_joined
        return self

    async def say(self, event: str, **payload: object) -> None:
        await self.channel.send_broadcast(f"call:{event}", payload)

    def all(self, event: str) -> list[dict]:
        return [payload for kind, payload in self.heard if kind == f"call:{event}"]

    async def next(self, event: str, seconds: float = 15) -> dict:
        """The next event of calls of this kind; it is heard once."""
        async with asyncio.timeout(seconds):
            while True:
                for at, (kind, payload) in enumerate(self.heard):
                    if kind == event:
                        del self.heard[at]
                        return payload
                self.arrived.clear()
                await self.arrived.wait()


@pytest_asyncio.fixture
async def devices(people):
    made = []

    async def make(name: str, device: str) -> Device:
        made.append(Device(people.worker, people.id(name), people.token(name), device))
        return await made[-1].subscribe()

    yield make
    for device in made:
        await device.client.close()


async def test_two_people_with_two_devices_each(people, devices):
    conversation = people.conversation("Alice", "Bob")
    phone, laptop = await devices("Alice", "a-phone"), await devices("Alice", "a-laptop")
    mobile, tablet = await devices("Bob", "b-phone"), await devices("Bob", "b-tablet")
    everybody = (phone, laptop, mobile, tablet)

    await phone.say("start", conversation_id=conversation, kind="video", device_id="a-phone")
    rings = [await device.next("call:ring") for device in everybody]
    call = rings[0]["call_id"]
    for ring in rings:
        assert ring["conversation_id"] == conversation and ring["actor_id"] == phone.user
        assert (ring["call"]["id"], ring["call"]["kind"], ring["call"]["state"]) == (call, "video", "ringing")
        assert [(part["user_id"], part["state"]) for part in ring["call"]["participants"]] == [
            (phone.user, "accepted"), (mobile.user, "ringing")
        ]

    await mobile.say("accept", call_id=call, device_id="b-phone")
    for device in everybody:
        accepted = await device.next("call:accepted")
        assert accepted["user_id"] == mobile.user and accepted["call"]["state"] == "active"
    elsewhere = await tablet.next("call:answered_elsewhere")
    assert (elsewhere["call_id"], elsewhere["device_id"]) == (call, "b-phone")
    assert not phone.all("answered_elsewhere") and not laptop.all("answered_elsewhere")

    # The devices connect. Every device of the addressee hears it and knows by to_device_id whether it is meant.
    sdp = "v=0\r\n" + "a=candidate " * 500
    await phone.say("offer", call_id=call, to_user_id=mobile.user, to_device_id="b-phone", payload={"sdp": sdp})
    for device in (mobile, tablet):
        offer = await device.next("call:offer")
        assert offer["payload"] == {"sdp": sdp} and offer["to_device_id"] == "b-phone"
        assert (offer["from_user_id"], offer["from_device_id"]) == (phone.user, "a-phone")
    await mobile.say("answer", call_id=call, to_user_id=phone.user, to_device_id="a-phone", payload={"sdp": "v=0"})
    assert (await phone.next("call:answer"))["payload"] == {"sdp": "v=0"}
    for n in range(20):
        await mobile.say("ice", callId=call, toUserId=phone.user, toDeviceId="a-phone", payload={"n": n})
    assert [(await phone.next("call:ice"))["payload"]["n"] for _ in range(20)] == list(range(20))
    await phone.say("renegotiate", call_id=call, to_user_id=mobile.user, payload={"sdp": "screen"})
    assert (await mobile.next("call:renegotiate"))["payload"] == {"sdp": "screen"}
    assert not mobile.all("ice") and not phone.all("offer")

    await mobile.say("end", call_id=call, device_id="b-phone")
    for device in everybody:
        ended = await device.next("call:ended")
        assert (ended["call"]["state"], ended["call"]["outcome"], ended["actor_id"]) == ("ended", "completed", mobile.user)
        notice = (await device.next("message:new"))["message"]
        assert notice["type"] == "system" and notice["content"].startswith("Video call, ")
        assert notice["metadata"] == {
            "event": "call_ended", "actor_id": phone.user, "call_id": call, "kind": "video", "outcome": "completed",
            "duration_seconds": ended["call"]["duration_seconds"], "notice": notice["content"],
        }
    for name in ("Alice", "Bob"):
        assert people.rpc(name, "get_calls", conversation_id=conversation)["calls"] == [ended["call"]]
        assert people.rpc(name, "get_call", call_id=call) == ended["call"]


async def test_decline_busy_and_cancel_are_heard_by_all(people, devices):
    conversation = people.conversation("Alice", "Bob")
    phone, mobile, tablet = await devices("Alice", "a"), await devices("Bob", "b"), await devices("Bob", "t")
    for word, event, who in (("decline", "declined", mobile), ("busy", "busy", mobile), ("cancel", "cancelled", phone)):
        await phone.say("start", conversation_id=conversation, kind="voice", device_id="a")
        call = (await tablet.next("call:ring"))["call_id"]
        if word == "busy":
            await who.say("decline", call_id=call, busy=True)
        else:
            await who.say(word, call_id=call)
        for device in (phone, mobile, tablet):
            heard = await device.next(f"call:{event}")
            assert heard["call_id"] == call and heard["call"]["outcome"] == event and heard["actor_id"] == who.user


async def test_both_call_each_other_at_once(people, devices):
    conversation = people.conversation("Alice", "Bob")
    phone, mobile = await devices("Alice", "a"), await devices("Bob", "b")
    for _ in range(10):
        await asyncio.gather(
            phone.say("start", conversation_id=conversation, kind="voice", device_id="a"),
            mobile.say("start", conversation_id=conversation, kind="voice", device_id="b"),
        )
        first, second = await phone.next("call:accepted"), await mobile.next("call:accepted")
        assert first["call_id"] == second["call_id"] and first["call"]["state"] == "active"
        assert first["actor_id"] != first["call"]["initiator_id"]
        await mobile.say("end", call_id=first["call_id"])
        await phone.next("call:ended")
        await mobile.next("call:ended")
    calls = people.rpc("Alice", "get_calls", conversation_id=conversation)["calls"]
    assert len(calls) == 10 and len(phone.all("ring")) == len(mobile.all("ring")) == 10


async def join(socket: Socket, people, name: str, **config: object) -> str:
    topic = f"user:{people.id(name)}"
    await socket.join(topic, people.token(name), **config)
    return topic


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["user", "conversation"])
async def test_commands_are_answered(people, version, kind):
    conversation = people.conversation("Alice", "Bob")
    async with await Socket.open(people.worker, version=version) as alice, await Socket.open(people.worker) as bob:
        theirs = await join(bob, people, "Bob")
        mine = await join(alice, people, "Alice")
        start = {"kind": "voice", "device_id": "a", "client_call_id": str(uuid.uuid4())}
        if kind == "conversation":
            mine = f"conversation:{conversation}"
            await alice.join(mine, people.token("Alice"))
        else:
            with pytest.raises(Refused) as refused:
                await alice.broadcast(mine, "call:start", start)
            assert refused.value.response["message"] == "conversation_id is required"
            assert (refused.value.response["code"], refused.value.response["retriable"]) == ("PT400", False)
            start["conversation_id"] = conversation
        call = (await alice.broadcast(mine, "call:start", start))["call"]
        assert call["state"] == "ringing" and call["client_call_id"] == start["client_call_id"]
        assert (await alice.broadcast(mine, "call:start", start))["call"]["id"] == call["id"]
        assert (await bob.event("call:ring"))["call_id"] == call["id"]

        accept = {"call_id": call["id"], "device_id": "b"}
        assert (await bob.broadcast(theirs, "call:accept", accept))["call"]["state"] == "active"
        with pytest.raises(Refused) as refused:
            await bob.broadcast(theirs, "call:accept", {**accept, "device_id": "t"})
        assert refused.value.response["code"] == "PT409" and not refused.value.response["retriable"]
        with pytest.raises(Refused) as refused:
            await alice.broadcast(mine, "call:cancel", {"call_id": call["id"]})
        assert refused.value.response["code"] == "PT409"
        offer = {"call_id": call["id"], "to_user_id": people.id("Bob"), "payload": {"sdp": "v=0"}}
        sent = await alice.broadcast(mine, "call:offer", offer)
        assert sent["call_id"] == call["id"] and (await bob.event("call:offer"))["signal_id"] == sent["signal_id"]
        with pytest.raises(Refused) as refused:
            await alice.broadcast(mine, "call:ice", {**offer, "payload": {"candidate": "x" * 16384}})
        assert refused.value.response["code"] == "PT413"
        ended = (await alice.broadcast(mine, "call:end", {"call_id": call["id"]}))["call"]
        assert ended["outcome"] == "completed"
        with pytest.raises(Refused) as refused:
            await alice.broadcast(mine, "call:offer", offer)
        assert refused.value.response["code"] == "PT409" and refused.value.response["details"] == "outcome: completed"


@pytest.mark.parametrize(
    ("event", "payload", "reason"),
    [
        ("accept", {"device_id": "a"}, "call_id is required"),
        ("accept", {"call_id": str(uuid.UUID(int=1))}, "device_id is required"),
        ("accept", {"call_id": 7, "device_id": "a"}, None),
        ("decline", {"call_id": str(uuid.UUID(int=1)), "busy": "perhaps"}, None),
        ("offer", {"call_id": str(uuid.UUID(int=1)), "payload": {}}, "to_user_id is required"),
        ("ice", {"call_id": str(uuid.UUID(int=1)), "to_user_id": str(uuid.UUID(int=2))}, "payload is required"),
        ("start", {"conversation_id": "here", "device_id": "a"}, "conversation_id must be a uuid"),
        # what only the server says
        ("ended", {"call_id": str(uuid.UUID(int=1))}, "This event name is reserved for the server"),
        ("answered_elsewhere", {}, "This event name is reserved for the server"),
    ],
)
async def test_bad_commands(people, event, payload, reason):
    async with await Socket.open(people.worker) as socket:
        topic = await join(socket, people, "Alice")
        with pytest.raises(Refused) as refused:
            await socket.broadcast(topic, f"call:{event}", payload)
        assert refused.value.response["retriable"] is False
        assert reason is None or refused.value.reason == reason


async def test_strangers_learn_and_do_nothing(people):
    conversation = people.conversation("Alice", "Bob")
    call = people.rpc("Alice", "start_call", conversation_id=conversation, kind="voice", device_id="a")["id"]
    async with await Socket.open(people.worker) as eve:
        topic = await join(eve, people, "Eve")
        for event, more in (
            ("accept", {"device_id": "e"}), ("decline", {}), ("cancel", {}), ("end", {}),
            ("offer", {"to_user_id": people.id("Alice"), "payload": {}}),
        ):
            with pytest.raises(Refused) as refused:
                await eve.broadcast(topic, f"call:{event}", {"call_id": call, **more})
            assert refused.value.response["code"] == "PT404"
        with pytest.raises(Refused) as refused:
            await eve.broadcast(topic, "call:start", {"conversation_id": conversation, "device_id": "e"})
        assert refused.value.response["code"] == "PT403"
        people.rpc("Bob", "accept_call", call_id=call, device_id="b")
        people.rpc("Alice", "end_call", call_id=call)
        await eve.heartbeat()
        assert not [message for message in eve.messages if message["event"] == "broadcast"]


async def test_a_device_that_was_away_finds_the_call_and_what_was_said(people):
    conversation = people.conversation("Alice", "Bob")
    call = people.rpc("Alice", "start_call", conversation_id=conversation, kind="voice", device_id="a")["id"]
    people.rpc("Alice", "signal_call", call_id=call, to_user_id=people.id("Bob"), kind="offer", payload={"sdp": "early"})
    async with await Socket.open(people.worker) as bob:
        await join(bob, people, "Bob", replay={"since": 0, "limit": 100})
        assert (await bob.event("call:ring"))["call"]["state"] == "ringing"
        assert (await bob.event("call:offer"))["payload"] == {"sdp": "early"}
    people.rpc("Alice", "cancel_call", call_id=call)
    async with await Socket.open(people.worker) as bob:
        await join(bob, people, "Bob", replay={"since": 0, "limit": 100})
        # Too late: it does not ring, and what was said is gone.
        assert (await bob.event("call:ring"))["call"]["outcome"] == "cancelled"
        assert (await bob.event("call:offer"))["payload"] is None
        assert (await bob.event("call:cancelled"))["call"]["id"] == call


async def test_over_rest(people):
    conversation = people.conversation("Alice", "Bob")
    worker, token = people.worker, people.token("Alice")
    async with await Socket.open(worker) as bob:
        await join(bob, people, "Bob")
        body = {"messages": [{
            "topic": f"conversation:{conversation}", "event": "call:start", "payload": {"kind": "voice", "device_id": "a"},
        }]}
        request = urllib.request.Request(
            f"{worker.url}/realtime/v1/api/broadcast", json.dumps(body).encode(),
            {"Authorization": f"Bearer {token}", "apikey": token, "Content-Type": "application/json"},
        )
        answer = await asyncio.to_thread(urllib.request.urlopen, request, timeout=15)
        assert answer.status == 202
        assert (await bob.event("call:ring"))["call"]["initiator_id"] == people.id("Alice")


async def test_calls_outlive_the_worker():
    """`kill -9` while it rings: the call still rings for who comes back; and when its time is over, it is missed."""
    with Cluster() as cluster, Worker(cluster, "--log-level", "warning") as worker:
        alice, bob = cluster.account("Alice"), cluster.account("Bob")
        conversation = worker.rpc("start_conversation", worker.token(alice), participant_ids=[bob])["id"]

        async def ringing() -> tuple[str, Socket]:
            """A call that rings, after the worker was killed and started again, and Bob's socket."""
            async with await Socket.open(worker) as before:
                await before.join(f"user:{bob}", worker.token(bob))
                call = worker.rpc(
                    "start_call", worker.token(alice), conversation_id=conversation, kind="voice", device_id="a")["id"]
                await before.event("call:ring")
                await asyncio.to_thread(worker.kill9)
            await asyncio.to_thread(worker.start)
            socket = await Socket.open(worker)
            await socket.join(f"user:{bob}", worker.token(bob), replay={"since": 0, "limit": 100})
            await socket.wait(lambda: any(event["call_id"] == call for event in socket.events("call:ring")))
            return call, socket

        call, socket = await ringing()
        accepted = await socket.broadcast(f"user:{bob}", "call:accept", {"call_id": call, "device_id": "b"})
        assert accepted["call"]["state"] == "active"
        worker.rpc("end_call", worker.token(alice), call_id=call)
        await socket.event("call:ended")
        await socket.close()

        cluster.psql("update parley.setting set value = '5' where name = 'call_ring_seconds'")
        call, socket = await ringing()
        missed = await socket.event("call:missed", timeout=30)
        assert missed["call_id"] == call and missed["call"]["outcome"] == "missed" and missed["actor_id"] is None
        await socket.close()
