"""What can be done with messages and files, through the gateway, as those it concerns see it live."""

from __future__ import annotations

import uuid

import pytest
from parley import RpcError
from sockets import Socket

pytestmark = pytest.mark.asyncio


def refusal(call) -> RpcError:
    with pytest.raises(RpcError) as refused:
        call()
    return refused.value


def upload(people, name: str, conversation: str, kind: str, content_type: str, **more: object) -> str:
    """Declares a file, and records it as the service that keeps the files does."""
    declared = people.rpc(name, "declare_attachment", conversation_id=conversation, kind=kind, file_name=f"{kind}.bin",
                          content_type=content_type, byte_size=1000, **more)
    service = people.worker.service_key
    recorded = people.worker.rpc("record_upload", service, attachment_id=declared["id"], byte_size=1000,
                                 variants=[{"name": "small"}], url="https://files.example/1")
    assert recorded["state"] == "uploaded"
    return declared["id"]


async def test_files_go_with_messages(people, worker):
    conversation = people.conversation("Ann", "Bob")
    other = people.conversation("Bob", "Cid")
    async with await Socket.open(worker) as bob, await Socket.open(worker) as cid:
        await bob.join(f"user:{people.id('Bob')}", people.token("Bob"))
        await cid.join(f"user:{people.id('Cid')}", people.token("Cid"))

        wrong = refusal(lambda: upload(people, "Ann", conversation, "image", "image/svg+xml"))
        assert wrong.status == 400 and "image/png" in wrong.body["hint"]
        large = refusal(lambda: people.rpc(
            "Ann", "declare_attachment", conversation_id=conversation, kind="image", file_name="a", content_type="image/png",
            byte_size=10485761))
        assert large.status == 413 and "10485760" in large.body["message"]
        assert refusal(lambda: upload(people, "Cid", conversation, "image", "image/png")).status == 403

        voice = upload(people, "Ann", conversation, "voice", "audio/ogg; codecs=opus", duration_ms=1500, waveform=[0, 128, 255])
        sent = people.rpc("Ann", "send_message", conversation_id=conversation, type="voice", attachment_ids=[voice])
        new = (await bob.event("message:new"))["message"]
        assert new["attachments"] == sent["attachments"] and new["content"] is None
        assert (new["attachments"][0]["waveform"], new["attachments"][0]["duration_ms"]) == ([0, 128, 255], 1500)
        assert refusal(lambda: people.rpc(
            "Ann", "send_message", conversation_id=conversation, content="again", attachment_ids=[voice])).status == 409

        # passed on, it is the same file
        retry = str(uuid.uuid4())
        for _ in range(2):
            copies = people.rpc(
                "Bob", "forward_message", message_id=sent["id"], conversation_ids=[other], client_message_id=retry)
        copy = (await cid.event("message:new"))["message"]
        assert copy["id"] == copies["messages"][0]["id"] and copy["forwarded"] and copy["sender_id"] == people.id("Bob")
        assert copy["attachments"][0]["url"] == "https://files.example/1"
        media = people.rpc("Cid", "get_conversation_media", conversation_id=other, kinds=["voice"])
        assert [one["message_id"] for one in media["attachments"]] == [copy["id"]]

        # found to be harmful, it is gone for all who have it
        worker.rpc("record_scan", worker.service_key, attachment_id=voice, scan_state="infected")
        for socket in (bob, cid):
            shown = (await socket.event("message:updated"))["message"]["attachments"][0]
            assert (shown["scan_state"], shown["url"], shown["variants"]) == ("infected", None, [])

        people.rpc("Ann", "delete_message", message_id=sent["id"], for_everyone=True)
        assert (await bob.event("message:deleted"))["message_id"] == sent["id"]
        people.rpc("Bob", "delete_message", message_id=copy["id"], for_everyone=True)
        path = f"attachments/{voice}"
        assert path in worker.rpc("objects_to_delete", worker.service_key, batch=1000)
        assert worker.rpc("object_deleted", worker.service_key, storage_path=path) is True
        assert len(cid.events("message:new")) == 1


async def test_stars_are_private_and_pins_are_not(people, worker):
    conversation = people.conversation("Ann", "Bob", "Cid")
    message = people.rpc("Ann", "send_message", conversation_id=conversation, content="remember this")
    async with await Socket.open(worker) as phone, await Socket.open(worker) as bob:
        await phone.join(f"user:{people.id('Ann')}", people.token("Ann"))
        await bob.join(f"user:{people.id('Bob')}", people.token("Bob"))
        people.rpc("Ann", "star_message", message_id=message["id"])
        people.rpc("Ann", "star_message", message_id=message["id"])
        starred = await phone.event("message:starred")
        assert (starred["message_id"], starred["conversation_id"]) == (message["id"], conversation)
        page = people.rpc("Ann", "get_starred_messages")
        assert [one["content"] for one in page["messages"]] == ["remember this"] and page["next_cursor"] is None
        people.rpc("Ann", "unstar_message", message_id=message["id"])
        await phone.event("message:unstarred")
        assert people.rpc("Bob", "get_starred_messages")["messages"] == []

        people.rpc("Ann", "pin_message", message_id=message["id"])
        pinned = await bob.event("message:pinned")
        assert (pinned["message_id"], pinned["actor_id"]) == (message["id"], people.id("Ann"))
        pins = people.rpc("Bob", "get_pinned_messages", conversation_id=conversation)["messages"]
        assert [one["id"] for one in pins] == [message["id"]]
        people.rpc("Ann", "unpin_message", message_id=message["id"])
        await bob.event("message:unpinned")
        # all that Bob's device received of it, and nothing of the stars
        assert [event for event in ("message:starred", "message:unstarred") if bob.events(event)] == []
        assert len(phone.events("message:starred")) == 1


async def test_everybody_is_mentioned_over_the_socket(people, worker):
    conversation = people.conversation("Ann", "Bob", "Cid")
    said = people.rpc("Ann", "send_message", conversation_id=conversation, content="x" * 300)
    async with await Socket.open(worker) as ann, await Socket.open(worker) as bob:
        await ann.join(f"conversation:{conversation}", people.token("Ann"), broadcast={"ack": True})
        await bob.join(f"user:{people.id('Bob')}", people.token("Bob"))
        text = "<script>alert('all')</script>"
        sent = await ann.broadcast(f"conversation:{conversation}", "message:send", {
            "content": text, "mentions_all": True, "reply_to_id": said["id"],
            "metadata": {"formatting": [{"start": 0, "length": 8, "style": "code"}]},
        })
        new = (await bob.event("message:new"))["message"]
        assert new["content"] == text and new["mentions_all"] is True and new["id"] == sent["message"]["id"]
        assert (new["reply_to"]["content"], new["reply_to"]["sender_id"]) == ("x" * 200, people.id("Ann"))
        place = await ann.broadcast(f"conversation:{conversation}", "message:send", {
            "type": "location", "metadata": {"latitude": 52.5, "longitude": 13.4}})
        assert place["message"]["content"] is None

        people.rpc("Ann", "edit_message", message_id=new["id"], content="quieter")
        people.rpc("Ann", "edit_message", message_id=new["id"], content="quiet")
        revisions = people.rpc("Bob", "get_message_revisions", message_id=new["id"])["revisions"]
        assert [one["content"] for one in revisions] == [text, "quieter"]
