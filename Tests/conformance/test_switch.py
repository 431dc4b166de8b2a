"""The kill switch, through every door and without a restart: what is new is refused in clear words, and reading goes on."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

import pytest
from parley import Cluster, RpcError, Worker
from sockets import Refused, Socket
from waiting import until


@pytest.fixture(scope="module")
def world():
    """A cluster of its own: the switch is for everybody."""
    with Cluster() as cluster, Worker(cluster) as worker:
        yield cluster, worker


def broadcast(worker: Worker, token: str, topic: str, content: str) -> int:
    body = {"messages": [{"topic": topic, "event": "message:send", "payload": {"content": content}}]}
    request = urllib.request.Request(
        f"{worker.url}/realtime/v1/api/broadcast", json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "apikey": token, "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.asyncio
async def test_the_switch_for_messaging_is_obeyed_at_every_door_at_once(world):
    cluster, worker = world
    ann, bob = cluster.account("Ann"), cluster.account("Bob")
    token = worker.token(ann)
    group = worker.rpc("start_conversation", token, participant_ids=[bob], type="group")["id"]
    first = worker.rpc("send_message", token, conversation_id=group, content="one")["id"]
    in_an_hour = (datetime.now(timezone.utc) + timedelta(hours=1)).isoformat()
    worker.rpc("schedule_message", token, conversation_id=group, content="scheduled", send_at=in_an_hour)
    topic = f"conversation:{group}"
    new = {
        "send_message": {"conversation_id": group, "content": "two"},
        "edit_message": {"message_id": first, "content": "one!"},
        "add_reaction": {"message_id": first, "emoji": "👍"},
        "declare_attachment": {
            "conversation_id": group, "kind": "file", "file_name": "a.txt", "content_type": "text/plain", "byte_size": 10},
        "forward_message": {"message_id": first, "conversation_ids": [group]},
        "create_poll": {"conversation_id": group, "question": "which?", "options": ["a", "b"]},
        "start_conversation": {"participant_ids": [bob], "type": "group"},
        "start_call": {"conversation_id": group, "kind": "voice", "device_id": "d1"},
    }
    async with await Socket.open(worker) as socket:
        await socket.join(topic, token)
        worker.rpc("set_feature_flag", worker.service_key, name="messaging", state="off")
        for function, arguments in new.items():
            with pytest.raises(RpcError) as error:
                worker.rpc(function, token, **arguments)
            assert (error.value.status, error.value.body["code"]) == (503, "PT503"), function
            assert "Reading goes on" in error.value.body["hint"]
        with pytest.raises(Refused) as refused:
            await socket.broadcast(topic, "message:send", {"content": "two"})
        assert (refused.value.response["code"], refused.value.response["retriable"]) == ("PT503", True)
        assert broadcast(worker, token, topic, "two") == 503
        # what falls due waits
        cluster.psql("update parley.scheduled_message set send_at = now(), attempt_at = now()")
        until(lambda: cluster.psql("select error_code from parley.scheduled_message") == "PT503")
        # reading goes on
        assert [m["content"] for m in worker.rpc("get_conversation_messages", token, conversation_id=group)["messages"]].count("one") == 1
        assert worker.rpc("mark_as_read", worker.token(bob), conversation_id=group)["unread_count"] == 0
        assert worker.rpc("get_entitlements", token)["flags"]["messaging"] is False

        worker.rpc("set_feature_flag", worker.service_key, name="messaging", state="on")
        for function, arguments in new.items():
            assert worker.rpc(function, token, **arguments) is not None, function
        assert (await socket.broadcast(topic, "message:send", {"content": "three"}))["message"]["content"] == "three"
        assert broadcast(worker, token, topic, "four") == 202
        cluster.psql("update parley.scheduled_message set attempt_at = now()")
        until(lambda: cluster.psql("select status from parley.scheduled_message") == "sent")
        said = [m["content"] for m in worker.rpc("get_conversation_messages", token, conversation_id=group)["messages"]]
        assert [said.count(text) for text in ("one!", "two", "three", "four", "scheduled")] == [2, 1, 1, 1, 1]


@pytest.mark.asyncio
async def test_a_flag_reaches_sockets_by_an_event_and_the_next_statement_obeys(world):
    cluster, worker = world
    cid = cluster.account("Cid")
    token = worker.token(cid)
    async with await Socket.open(worker) as socket:
        await socket.join(f"user:{cid}", token)
        for state, expected in [("on", True), ("off", False)]:
            worker.rpc("set_feature_flag", worker.service_key, name="stickers", state=state)
            assert worker.rpc("get_entitlements", token)["flags"]["stickers"] is expected
            await socket.wait(lambda expected=expected: any(
                e["flags"].get("stickers") is expected for e in socket.events("flags:updated")), 30)
