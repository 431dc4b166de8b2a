"""What happens to a conversation, as those in it see it live: changes, roles, drafts, deletion, and its end."""

from __future__ import annotations

import contextlib
import uuid

import pytest
from parley import RpcError
from sockets import Socket

pytestmark = pytest.mark.asyncio


@contextlib.asynccontextmanager
async def inboxes(people, *names: str):
    """A socket with its user's inbox for each; one user may have several."""
    async with contextlib.AsyncExitStack() as stack:
        sockets = []
        for name in names:
            socket = await stack.enter_async_context(await Socket.open(people.worker))
            await socket.join(f"user:{people.id(name)}", people.token(name))
            sockets.append(socket)
        yield sockets


def texts(socket: Socket, conversation: str) -> list[str]:
    return [e["message"]["content"] for e in socket.events("message:new") if e["conversation_id"] == conversation]


async def settle(socket: Socket, people, name: str, conversation: str) -> None:
    """Returns when this socket has received everything about the conversation that is committed by now."""
    mark = f"mark {uuid.uuid4()}"
    people.rpc(name, "send_message", conversation_id=conversation, content=mark)
    await socket.wait(lambda: mark in texts(socket, conversation))


async def test_a_change_is_said_and_told(people):
    conversation = people.conversation("Ann", "Bob", "Cid", title="Us")
    async with inboxes(people, "Bob", "Cid") as (bob, cid):
        changed = people.rpc(
            "Ann", "update_conversation", conversation_id=conversation, title="All of us",
            permissions={"send_messages": "admins"}, message_ttl_seconds=3600,
        )
        assert changed["permissions"]["send_messages"] == "admins"
        for socket in (bob, cid):
            event = await socket.event("conversation:updated")
            assert event["changed"] == ["title", "message_ttl_seconds", "send_messages"]
            assert event["conversation"]["title"] == "All of us"
            assert texts(socket, conversation) == [
                'Ann changed the title to "All of us".', "Ann made new messages disappear after 1 hour.",
                "Ann allowed only admins to send messages.",
            ]
        with pytest.raises(RpcError) as refused:
            people.rpc("Bob", "send_message", conversation_id=conversation, content="may I")
        assert refused.value.status == 403

        people.rpc("Ann", "set_participant_role", conversation_id=conversation, user_id=people.id("Bob"), role="admin")
        event = await cid.event("participant:updated")
        assert (event["user_id"], event["role"], event["participant"]["role"]) == (people.id("Bob"), "admin", "admin")
        people.rpc("Bob", "send_message", conversation_id=conversation, content="I may")
        await cid.wait(lambda: "I may" in texts(cid, conversation))
        numbers = [m["payload"]["payload"]["event_seq"] for m in cid.messages
                   if m["event"] == "broadcast" and m["payload"]["payload"].get("event_seq")]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "no event is missing"


async def test_own_settings_and_drafts_reach_own_devices_only(people):
    conversation = people.conversation("Ann", "Bob", "Cid")
    async with inboxes(people, "Bob", "Bob", "Cid") as (phone, laptop, cid):
        people.rpc("Bob", "save_draft", conversation_id=conversation, content="perhaps")
        people.rpc("Bob", "update_participant_settings", conversation_id=conversation, pin=True, mute_until="infinity")
        for device in (phone, laptop):
            event = await device.event("draft:updated")
            assert (event["conversation_id"], event["draft"]["content"]) == (conversation, "perhaps")
            event = await device.event("participant:updated")
            assert event["settings"]["is_muted"] and event["settings"]["pinned_at"]
        people.rpc("Bob", "save_draft", conversation_id=conversation)
        await laptop.wait(lambda: len(laptop.events("draft:updated")) == 2)
        assert laptop.events("draft:updated")[-1]["draft"] is None
        await settle(cid, people, "Ann", conversation)
        assert cid.events("draft:updated") == cid.events("participant:updated") == []


async def test_what_one_deletes_the_others_keep(people):
    started = people.rpc("Ann", "start_conversation", participant_ids=[people.id("Bob")], context_type="listing",
                         context_id=str(uuid.uuid4()), message="before")
    conversation, before = started["id"], started["message"]["id"]
    async with inboxes(people, "Bob", "Ann") as (bob, ann):
        people.rpc("Bob", "delete_conversation", conversation_id=conversation)
        event = await bob.event("participant:updated")
        assert (event["settings"]["deleted_seq"], event["settings"]["history_from_seq"]) == (1, 2)
        inbox = people.rpc("Bob", "get_user_conversations")["conversations"]
        assert conversation not in [c["id"] for c in inbox]
        people.rpc("Ann", "edit_message", message_id=before, content="edited")
        people.rpc("Ann", "add_reaction", message_id=before, emoji="👍")
        people.rpc("Ann", "send_message", conversation_id=conversation, content="after")
        await bob.wait(lambda: texts(bob, conversation) == ["after"])
        inbox = people.rpc("Bob", "get_user_conversations")["conversations"]
        assert [(c["last_message"]["content"], c["unread_count"]) for c in inbox if c["id"] == conversation] == [("after", 1)]
        shown = people.rpc("Bob", "get_conversation_messages", conversation_id=conversation)["messages"]
        assert [m["content"] for m in shown] == ["after"]
        shown = people.rpc("Ann", "get_conversation_messages", conversation_id=conversation)["messages"]
        assert [m["content"] for m in shown] == ["edited", "after"]
        await ann.event("message:reaction")
        assert len(ann.events("message:updated")) == 1
        assert bob.events("message:updated") == bob.events("message:reaction") == [], "nothing of before comes back"
        assert ann.events("participant:updated") == []


async def test_a_conversation_goes_with_what_it_is_about(people):
    project = str(uuid.uuid4())
    conversation = people.conversation("Ann", "Bob", "Cid", type="project", context_type="project", context_id=project)
    topic = f"conversation:{conversation}"
    async with inboxes(people, "Bob") as (bob,), await Socket.open(people.worker) as cid:
        await cid.join(topic, people.token("Cid"))
        people.rpc("Ann", "send_message", conversation_id=conversation, content="hello")
        await cid.wait(lambda: texts(cid, conversation) == ["hello"])
        host = people.worker.service_key
        assert people.worker.rpc("delete_conversations_of_context", host, context_type="project", context_id=project) == 1
        assert (await bob.event("conversation:deleted"))["conversation_id"] == conversation
        await cid.wait(lambda: any(m["event"] == "phx_close" and m["topic"] == f"realtime:{topic}" for m in cid.messages))
        with pytest.raises(RpcError) as refused:
            people.rpc("Ann", "get_conversation", conversation_id=conversation)
        assert refused.value.status == 403
        assert people.worker.rpc("delete_conversations_of_context", host, context_type="project", context_id=project) == 0


async def test_who_leaves_a_tenant_leaves_its_conversations_at_once(people):
    tenant = people.cluster.psql("insert into parley.tenant (name) values ('North') returning id").split()[0]
    host = people.worker.service_key
    for name in ("Nia", "Ned", "Nat"):
        people.worker.rpc("set_tenant_member", host, tenant_id=tenant, user_id=people.id(name))
    conversation = people.conversation("Nia", "Ned", "Nat")
    async with inboxes(people, "Ned", "Nat") as (ned, nat):
        people.rpc("Nia", "send_message", conversation_id=conversation, content="here")
        await ned.wait(lambda: "here" in texts(ned, conversation))
        left = people.worker.rpc("remove_tenant_member", host, tenant_id=tenant, user_id=people.id("Ned"))
        assert left["conversations_left"] == 1
        await settle(nat, people, "Nia", conversation)
        await ned.heartbeat()
        assert texts(ned, conversation) == ["here"], "nothing after that"
        for socket in (ned, nat):
            assert (await socket.event("participant:left"))["user_id"] == people.id("Ned")
        assert "Ned left." in texts(nat, conversation)


async def test_a_plan_that_changes_is_told_to_the_user(people):
    async with inboxes(people, "Kim", "Bob") as (kim, bob):
        people.worker.rpc("set_account_tier", people.worker.service_key, user_id=people.id("Kim"), tier="free")
        assert (await kim.event("account:updated"))["tier"] == "free"
        await bob.heartbeat()
        assert bob.events("account:updated") == []
