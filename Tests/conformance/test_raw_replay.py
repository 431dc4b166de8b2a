"""Replay on a join (case 34 of the protocol's fact sheet, section 8), and its seam with what is live."""

from __future__ import annotations

import asyncio
import time

import pytest
from frames import VERSIONS, FrameSocket
from sockets import Refused

pytestmark = pytest.mark.asyncio


def split(socket: FrameSocket) -> tuple[list[dict], list[dict]]:
    """Payloads replayed and payloads live; replayed ones come first. What was left out is not among them."""
    seen = [message["payload"] for message in socket.seen("broadcast")]
    seen = [payload for payload in seen if not payload["event"].startswith("replay:")]
    marks = [payload["meta"].get("replayed", False) for payload in seen]
    assert marks == sorted(marks, reverse=True), "a replayed event after a live one"
    events, replayed = [payload["payload"] for payload in seen], sum(marks)
    return events[:replayed], events[replayed:]


async def fill(room, count: int, first: int = 1) -> None:
    for n in range(first, first + count):
        await asyncio.to_thread(
            room.people.rpc, "Alice", "send_message", conversation_id=room.id, content=f"message {n}"
        )


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["conversation", "user"])
async def test_case_34_the_newest_rows_oldest_first_then_live(room, version, kind):
    people = room.people
    topic = room.topic
    if kind == "user":
        topic = f"user:{people.id('Bob')}"
    await fill(room, 30)
    socket = await room.socket(version)
    await socket.join(topic, people.token("Bob"), replay={"since": 0, "limit": 25})
    await fill(room, 1, 31)
    await socket.wait(lambda: split(socket)[1])
    replayed, live = split(socket)
    assert [event["message"]["content"] for event in replayed] == [f"message {n}" for n in range(6, 31)]
    assert [event["message"]["content"] for event in live] == ["message 31"]
    seqs = [event["event_seq"] for event in replayed + live]
    assert seqs == list(range(seqs[0], seqs[0] + 26))
    # What the limit left out is named before anything else; upstream would not say so.
    seen = socket.seen("broadcast")
    gaps = [message["payload"]["payload"] for message in seen if message["payload"]["event"] == "replay:gap"]
    assert [message["payload"]["event"] for message in seen[: len(gaps)]] == ["replay:gap"] * len(gaps)
    assert ("limit", seqs[0] - 1) in [(gap["reason"], gap["to"]) for gap in gaps]
    ends = [message["payload"]["payload"] for message in seen if message["payload"]["event"] == "replay:end"]
    assert [end["to"] for end in ends] == [None if topic.startswith("user:") else seqs[-1] - 1]
    for message in seen[len(gaps) :]:
        if message["payload"]["event"] == "replay:end":
            continue
        assert isinstance(message["payload"]["meta"]["id"], str) and isinstance(message["raw"], str)


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_34_since_a_time(room, version):
    await fill(room, 3)
    people = room.people
    middle = "select (extract(epoch from clock_timestamp()) * 1000)::bigint"
    since = int(people.cluster.psql(middle)) + 1
    time.sleep(0.01)
    await fill(room, 2, 4)
    socket = await room.socket(version)
    await socket.join(room.topic, people.token("Bob"), replay={"since": since})
    await socket.wait(lambda: len(socket.events()) == 2)
    assert [event["message"]["content"] for event in split(socket)[0]] == ["message 4", "message 5"]
    none = await room.socket(version)
    await none.join(room.topic, people.token("Bob"), replay={"since": since + 3_600_000})
    await none.heartbeat()
    assert none.events() == []


@pytest.mark.parametrize("version", VERSIONS)
async def test_case_34_sending_while_joining_neither_doubles_nor_loses(room, version):
    """Every event between what is asked for and what is sent last comes once, in order, replayed or live."""
    people = room.people
    stop = asyncio.Event()
    sent: list[int] = []

    async def talk() -> None:
        async with await FrameSocket.open(people.worker) as socket:
            await socket.join(room.topic, people.token("Alice"))
            while not stop.is_set():
                sent.append((await socket.send_message(room.id, "talk"))["seq"])

    talking = asyncio.create_task(talk())
    readers: list[FrameSocket] = []
    topics = [(room.topic, {"after": 0, "limit": 1000}), (f"user:{people.id('Bob')}", {"since": 0, "limit": 1000})]
    for n in range(20):
        topic, replay = topics[n % 2]
        socket = await room.socket(version)
        await socket.join(topic, people.token("Bob"), replay=replay)
        readers.append(socket)
        await asyncio.sleep(0.01)
    stop.set()
    await talking
    last = int(people.cluster.psql(f"select last_event_seq from parley.conversation where id = '{room.id}'"))
    both = 0
    for n, socket in enumerate(readers):
        def here(socket: FrameSocket = socket) -> list[int]:
            return [event["event_seq"] for event in socket.events() if event["conversation_id"] == room.id]

        await socket.wait(lambda here=here: here() and here()[-1] == last)
        replayed, live = split(socket)
        assert here() == list(range(here()[0], last + 1)) and (n % 2 or here()[0] == 1)
        both += bool(replayed and live)
    assert both > 10, "the joins did not meet the sender"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "replay",
    [{}, {"limit": 5}, {"since": "0"}, {"since": 1.5}, {"since": None}, {"after": "x"}, {"since": 0, "limit": "5"}, [], "all", 5, True],
)
async def test_case_34_parameters_that_are_none(room, version, replay):
    socket = await room.socket(version)
    with pytest.raises(Refused) as refused:
        await socket.join(room.topic, room.people.token("Alice"), replay=replay)
    assert refused.value.response == {"reason": "UnableToReplayMessages: Replay params are not valid"}
    # A public channel has nothing to replay; here there is no public channel.
    with pytest.raises(Refused) as refused:
        await socket.join(room.topic, room.people.token("Alice"), private=False, replay={"since": 0})
    assert refused.value.reason.startswith("PrivateOnly: ")


async def test_case_34_an_inbox_has_no_event_seq(room):
    socket = await room.socket()
    inbox = f"user:{room.people.id('Alice')}"
    with pytest.raises(Refused) as refused:
        await socket.join(inbox, room.people.token("Alice"), replay={"after": 1})
    assert refused.value.reason == "UnableToReplayMessages: Replay params are not valid"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_limit_leaves_the_rest_to_the_client(room, version):
    """After a position the oldest come; a gap and the end say where to go on with `get_events`."""
    await fill(room, 10)
    socket = await room.socket(version)
    await socket.join(room.topic, room.people.token("Bob"), replay={"after": 2, "limit": 3})
    end = await socket.event("replay:end")
    await socket.heartbeat()
    assert [event["event_seq"] for event in split(socket)[0]] == [3, 4, 5]
    page = room.people.rpc("Bob", "get_events", conversation_id=room.id, after_seq=end["to"])
    assert page["events"][0]["payload"]["event_seq"] == 6 and page["to"] == page["last_event_seq"]
    (gap,) = socket.events("replay:gap")
    assert (gap["from"], gap["to"], gap["reason"], gap["readable"]) == (6, page["to"], "limit", True)


@pytest.mark.parametrize("version", VERSIONS)
async def test_replay_again_on_a_channel_that_is_joined(room, version):
    await fill(room, 2)
    socket = await room.socket(version)
    for _ in range(2):
        await socket.join(room.topic, room.people.token("Bob"), replay={"after": 0})
        await socket.heartbeat()
        seqs = [event["event_seq"] for event in socket.events()]
        assert seqs == list(range(1, len(seqs) + 1)) and len(split(socket)[0]) == len(seqs) > 2
        socket.messages.clear()


async def test_presence_state_comes_before_the_replay(room):
    await fill(room, 1)
    socket = await room.socket()
    await socket.join(room.topic, room.people.token("Bob"), replay={"after": 0}, presence={"key": "b", "enabled": True})
    await socket.event("message:new")
    assert socket.messages[0]["event"] == "presence_state"
