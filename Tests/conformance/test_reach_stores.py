"""Open sockets of two stores that overlap, and of a third with members of both: nothing of one is heard, counted or told in another."""

from __future__ import annotations

import json
import re

import pytest
import pytest_asyncio
from parley import RpcError
from sockets import Refused, Socket
from test_rest_broadcast import bearer, request, single
from town import Store, Town

pytestmark = pytest.mark.asyncio
DENIED = "Unauthorized: You do not have permissions to read from this Channel topic: "
ABSENT = "99999999-9999-4999-8999-999999999999"


@pytest_asyncio.fixture
async def town(people):
    town = Town(people)
    await town.connect()
    yield town
    for socket in town.sockets.values():
        await socket.close()


def plain(answer: object, store: Store) -> str:
    """An answer without what was asked for: of another store and of nothing it must read the same."""
    text = json.dumps(answer, sort_keys=True)
    for secret in {*store.secrets - {store.mark}, *map(store.people.id, store.members)}:
        text = text.replace(secret, ABSENT)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)?", "then", text)


async def answer_of(asking) -> dict:
    try:
        return {"ok": await asking}
    except Refused as refused:
        return refused.response


async def test_topics_of_another_store_are_as_topics_that_are_not_there(town):
    """To join, with and without replay, and to broadcast without having joined, by socket and over HTTP."""
    people = town.people
    for name in town.names:
        socket, token = town.sockets[name], people.token(name)
        topics = [topic for store in town.foreign(name) for topic in store.topics]
        topics += [topic for store in town.of(name) for topic in store.topics if topic not in store.topics_of(name)]
        topics += [town.inbox(other) for other in town.names if other != name]
        topics += [f"tenant:{store.tenant}:moderation" for store in town.stores.values()]
        for topic in [*topics, f"conversation:{ABSENT}"]:
            for replay in (None, {"since": 0}, {"after": 0}):
                if replay == {"after": 0} and not topic.startswith("conversation:"):
                    continue
                with pytest.raises(Refused) as refused:
                    await socket.join(topic, token, replay=replay, presence={"key": "", "enabled": True})
                assert refused.value.response == {"reason": DENIED + topic}
            socket.join_refs.pop(topic)
            for event in ("wave", "typing:start", "message:send"):
                await socket.send(f"realtime:{topic}", "broadcast", {"type": "broadcast", "event": event, "payload": {"content": "intruder"}}, "7")
        statuses = {
            topic: (await request(people.worker, "POST", single(topic, "wave"), {"x": "intruder"}, authorization=bearer(token)))[::2]
            for topic in [*topics, f"conversation:{ABSENT}"]
        }
        assert len(set(statuses.values())) == 1, statuses
    await town.settle()
    for name, socket in town.sockets.items():
        town.nothing_foreign(name, [m for m in socket.messages if m["event"] != "phx_reply"])
        assert "intruder" not in json.dumps(socket.messages)


async def test_commands_of_a_socket_find_nothing_in_another_store(town):
    """What is named of another store is what does not exist, in the same words; and nobody there hears of the attempt."""
    people = town.people

    def commands(store: Store, conversation: str, message: str, call: str, user: str):
        named = {"conversation_id": conversation}
        yield "rpc:send_message", {**named, "content": "intruder"}
        yield "message:send", {**named, "content": "intruder", "client_message_id": ABSENT, "reply_to_id": message}
        yield "message:send", {**named, "content": "elsewhere"}
        yield "rpc:forward_message", {"message_id": message, "conversation_ids": [conversation]}
        for function in ("get_conversation_messages", "get_conversation", "get_participants", "mark_as_read", "get_pinned_messages",
                         "get_conversation_media", "leave_conversation"):
            yield f"rpc:{function}", named
        yield "rpc:get_events", {**named, "after_seq": 0}
        yield "rpc:search_members", {**named, "query": "Sam"}
        yield "rpc:search_messages", {**named, "query": store.mark if message != ABSENT else "nothing"}
        yield "rpc:add_participants", {**named, "participant_ids": [user]}
        yield "rpc:start_conversation", {"participant_ids": [user], "message": "intruder"}
        yield "rpc:add_reaction", {"message_id": message, "emoji": "👍"}
        yield "rpc:get_message_receipts", {"message_id": message}
        yield "call:start", {**named, "kind": "voice", "device_id": "a"}
        yield "call:accept", {"call_id": call, "device_id": "a"}
        yield "call:ice", {"call_id": call, "to_user_id": user, "payload": {}}
        yield "rpc:may", {"action": "start", "target_id": user}
        yield "rpc:may", {"action": "write", "target_id": conversation}

    asked = 0
    for name in ("Ann", "Sid", "Bo"):
        socket = town.sockets[name]
        for store in town.foreign(name):
            stranger = next(iter(town.strangers(name) & set(map(people.id, store.members))), ABSENT)
            of_store = commands(store, store.group, store.message, store.call, stranger)
            of_nothing = commands(store, ABSENT, ABSENT, ABSENT, ABSENT)
            for (event, there), (_, nowhere) in zip(of_store, of_nothing, strict=True):
                topic = town.of(name)[0].topics[0] if event == "message:send" else town.inbox(name)
                answers = [plain(await answer_of(socket.broadcast(topic, event, payload)), store) for payload in (there, nowhere)]
                assert answers[0] == answers[1], (name, event, answers)
                assert '"ok"' not in answers[0] or event in ("rpc:may", "rpc:search_messages"), (event, answers)
                asked += 1
    assert asked > 60
    await town.settle()
    for socket in town.sockets.values():
        assert "intruder" not in json.dumps(socket.messages)


async def busy(town: Town, store: Store) -> None:
    """Everything of which sockets are told, by the first two members of a store."""
    host, guest = (town.sockets[member] for member in store.members[:2])
    group, mark = store.topics[0], store.mark
    sent = await host.send_message(store.group, mark)
    store.secrets.add(sent["id"])
    for function, arguments in (
        ("edit_message", {"content": f"{mark} again"}), ("add_reaction", {"emoji": "👍"}), ("pin_message", {}), ("star_message", {}),
    ):
        store.ask(function, message_id=sent["id"], **arguments)
    await guest.broadcast(group, "message:delivered", {"seq": sent["seq"]})
    await guest.broadcast(group, "message:read", {"seq": sent["seq"]})
    await guest.broadcast(group, "typing:start", {})
    await host.broadcast(group, "wave", {"mark": mark})
    await host.push(group, "presence", {"type": "presence", "event": "track", "payload": {"mark": mark, "again": True}})
    poll = store.ask("create_poll", conversation_id=store.group, question=mark, options=["a", "b"])
    store.secrets.add(poll["id"])
    store.people.rpc(store.members[1], "vote", message_id=poll["id"], option_ids=[1])
    store.ask("update_conversation", conversation_id=store.group, title=f"Club {mark}")
    store.ask("save_draft", conversation_id=store.group, content=mark)
    await host.broadcast(group, "call:cancel", {"call_id": store.call})
    ring = await host.broadcast(group, "call:start", {"kind": "voice", "device_id": "a"})
    store.secrets.add(ring["call"]["id"])
    await host.broadcast(group, "call:cancel", {"call_id": ring["call"]["id"]})
    store.ask("delete_message", message_id=sent["id"], for_everyone=True)
    await guest.broadcast(group, "typing:stop", {})


HEARD = {
    "message:new", "message:updated", "message:reaction", "message:pinned", "message:delivered", "message:read", "typing:start", "wave",
    "poll:updated", "conversation:updated", "call:ring", "call:cancelled", "message:deleted", "typing:stop",
}


async def test_what_happens_in_a_store_stays_in_it(town):
    """Events, presence, typing and broadcasts, what a replay brings, what `sync` brings, and every count."""
    people = town.people
    for quiet in town.stores.values():
        # In all stores but this one much happens; of it nothing changes for whoever is in this one alone.
        alone = [name for name in town.names if town.of(name) == [quiet]]
        before = {name: people.rpc(name, "get_unread_counts") for name in alone}
        for store in town.stores.values():
            if store is not quiet:
                await busy(town, store)
        for name in alone:
            assert people.rpc(name, "get_unread_counts") == before[name]
    await town.settle()
    for store in town.stores.values():
        for member in store.members[1:]:
            kinds = {m["payload"]["event"] for m in town.sockets[member].messages
                     if m["event"] == "broadcast" and m["topic"] == f"realtime:{store.topics[0]}"}
            assert HEARD - {"typing:start", "typing:stop", "message:read", "message:delivered"} <= kinds, (member, kinds)
            assert HEARD <= kinds or member == store.members[1], (member, kinds)
    for name, socket in town.sockets.items():
        town.nothing_foreign(name, socket.messages)
        # Who is in two stores hears of each in its own topics, and is seen in each as what they are there.
        for store in town.of(name):
            others = {other.mark for other in town.stores.values()} - {store.mark}
            told = json.dumps([m for m in socket.messages if m["topic"].removeprefix("realtime:") in store.topics])
            assert store.mark in told and not [mark for mark in others if mark in told], (name, told)
        async with await Socket.open(people.worker) as later:
            inbox = town.inbox(name)
            await later.join(inbox, people.token(name), replay={"since": 0, "limit": 1000})
            for store in town.of(name):
                await later.join(store.topics[0], people.token(name), replay={"after": 0}, presence={"key": "", "enabled": True})
            for function in ("sync", "get_user_conversations", "get_unread_counts", "get_entitlements", "get_calls"):
                town.nothing_foreign(name, await later.broadcast(inbox, f"rpc:{function}", {}))
            found = await later.broadcast(inbox, "rpc:search_messages", {"query": "alpha or omega or delta"})
            town.nothing_foreign(name, found)
            await later.heartbeat()
            assert later.events("message:updated", inbox)
            town.nothing_foreign(name, later.messages)


@pytest.mark.parametrize("how", ["deleted", "moved", "removed"])
async def test_who_is_in_two_stores_leaves_one_while_connected(town, how):
    """By a row deleted or moved, or by `remove_tenant_member`: the one store is closed at its position in the log, the other goes on."""
    people, bo = town.people, town.sockets["Bo"]
    north, south, west = town.stores.values()
    where = f"tenant_id = '{south.tenant}' and user_id = '{people.id('Bo')}'"
    await town.settle()
    last = max(event["event_seq"] for event in bo.events("message:new", south.topics[0]))
    if how == "deleted":
        people.cluster.psql(f"delete from parley.tenant_member where {where}")
    elif how == "moved":
        people.cluster.psql(f"update parley.tenant_member set tenant_id = '{west.tenant}' where {where}")
    else:
        people.worker.rpc("remove_tenant_member", people.worker.service_key, tenant_id=south.tenant, user_id=people.id("Bo"))
    south.ask("send_message", conversation_id=south.group, content="after the end")
    await bo.wait(lambda: any(m["event"] == "phx_close" and m["topic"] == f"realtime:{south.topics[0]}" for m in bo.messages))
    assert bo.events("participant:left", town.inbox("Bo"))[0]["conversation_id"] == south.group
    for name in ("Sid", "Sue"):
        assert (await town.sockets[name].event("participant:left", south.topics[0]))["user_id"] == people.id("Bo")
        gone = [m for m in town.sockets[name].messages if m["event"] == "presence_diff" and people.id("Bo") in json.dumps(m["payload"]["leaves"])]
        assert gone, "who has left is no longer present"
    for socket in town.sockets.values():
        socket.messages.clear()
    for replay in (None, {"after": last}, {"since": 0}):
        with pytest.raises(Refused) as refused:
            await bo.join(south.topics[0], people.token("Bo"), replay=replay)
        assert refused.value.response == {"reason": DENIED + south.topics[0]}
    for event in ("wave", "typing:start", "message:send"):
        await bo.send(f"realtime:{south.topics[0]}", "broadcast", {"type": "broadcast", "event": event, "payload": {"content": "intruder"}}, "7")
    with pytest.raises(Refused) as refused:
        await bo.broadcast(town.inbox("Bo"), "rpc:send_message", {"conversation_id": south.group, "content": "intruder"})
    assert refused.value.response["code"] == "PT403"
    with pytest.raises(RpcError):
        people.rpc("Bo", "get_events", conversation_id=south.group, after_seq=last)
    for store in (south, west):
        await busy(town, store)
    await busy(town, north)
    for name, socket in town.sockets.items():
        if name != "Bo":
            await socket.heartbeat()
    north.ask("send_message", conversation_id=north.group, content="the barrier")
    await bo.wait(lambda: any(e["message"]["content"] == "the barrier" for e in bo.events("message:new", north.topics[0])))
    await bo.heartbeat()
    heard = json.dumps([m for m in bo.messages if m["event"] != "phx_reply"])
    assert north.mark in heard and not [secret for secret in south.secrets | west.secrets if secret in heard], heard
    assert HEARD <= {m["payload"]["event"] for m in bo.messages if m["event"] == "broadcast" and m["topic"] == f"realtime:{north.topics[0]}"}
    await bo.send_message(north.group, "still here")
    for name in ("Ann", "Amy"):
        await town.sockets[name].wait(
            lambda name=name: any(e["message"]["content"] == "still here" for e in town.sockets[name].events("message:new", north.topics[0]))
        )
    for name in ("Sid", "Sue"):
        assert "intruder" not in json.dumps(town.sockets[name].messages)
    for function in ("sync", "get_user_conversations", "get_unread_counts", "search_messages"):
        arguments = {"query": "omega"} if function == "search_messages" else {}
        told = json.dumps(await bo.broadcast(town.inbox("Bo"), f"rpc:{function}", arguments))
        assert not [secret for secret in {south.mark, south.group, south.message} if secret in told], (function, told)
