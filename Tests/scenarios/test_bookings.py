"""Artist bookings: one thread for each artist and customer, however many bookings they make.

The host keeps its bookings in its own table, with the trigger of Examples/booking_messages.sql on it: a change of status
and what the thread says of it are one transaction.
"""

from __future__ import annotations

import asyncio
import subprocess
import uuid
from pathlib import Path

import pytest
from story import SOMETHING, Deployment, step

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = Path(__file__).resolve().parents[2] / "Examples"
WEDDING, BIRTHDAY = str(uuid.uuid4()), str(uuid.uuid4())


async def test_one_thread_for_two(deployment: Deployment, story):
    """The artist and the customer open the chat from a booking, at the same moment; later from another booking."""
    deployment.setting("direct_threading", "pair")
    story.customer, story.artist, story.rival = customer, artist, rival = await deployment.people(
        "Clara", "Anton", "Rita"
    )
    roles = {customer.id: "customer", artist.id: "artist"}

    def chat(one, other, booking: str):
        return one.do(
            "start_conversation", participant_ids=[other.id], context_type="booking", context_id=booking, app_roles=roles
        )

    with step("ten requests of both sides at once make one thread"):
        started = await asyncio.gather(*(
            chat(one, other, WEDDING) for one, other in [(customer, artist), (artist, customer)] * 5
        ))
        story.thread = thread = started[0]["id"]
        assert {row["id"] for row in started} == {thread}
        assert [row["created"] for row in started].count(True) == 1
        for side in (customer, artist):
            await side.expect("conversation:new", conversation_id=thread)
            rows = await side.inbox()
            assert [row["id"] for row in rows] == [thread]
            assert {p["user_id"]: p["app_role"] for p in rows[0]["participants"]} == roles

    with step("another booking of the same two comes to the same thread, which now serves both"):
        again = await chat(customer, artist, BIRTHDAY)
        assert (again["id"], again["created"]) == (thread, False)
        change = await artist.expect("conversation:updated", conversation_id=thread)
        assert (change["context_type"], change["context_id"]) == ("booking", BIRTHDAY)
        known = await artist.do("get_conversation", conversation_id=thread)
        assert [context["context_id"] for context in known["contexts"]] == [BIRTHDAY, WEDDING]
        for booking in (WEDDING, BIRTHDAY):
            rows = await artist.inbox(context_type="booking", context_id=booking)
            assert [row["id"] for row in rows] == [thread], booking

    with step("another artist has a thread of their own, and no part in this one"):
        story.with_rival = (await chat(artist, rival, str(uuid.uuid4())))["id"]
        other = await chat(customer, rival, str(uuid.uuid4()))
        assert other["id"] != thread
        await rival.refused("PT403", "send_message", conversation_id=thread, content="I am cheaper")
        assert "Unauthorized" in await rival.cannot_join(thread)
        # What the host asks before it shows a chat.
        for user, allowed in ((customer, True), (artist, True), (rival, False)):
            assert await deployment.host.do("can_access_conversation", conversation_id=thread, user_id=user.id) is allowed


async def test_a_booking_changes(deployment: Deployment, story):
    """The host's own transaction: the booking's status and the system message, both or neither."""
    customer, artist, thread = story.customer, story.artist, story.thread
    await asyncio.gather(customer.open(thread), artist.open(thread))
    deployment.sql(f"""
        create table booking (
            id uuid primary key, conversation_id uuid, status text not null,
            constraint booking_status_check check (status in ('requested', 'confirmed', 'paid'))
        );
        insert into booking values ('{WEDDING}', '{thread}', 'requested'), ('{BIRTHDAY}', '{thread}', 'requested');
    """)
    subprocess.run(
        ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", deployment.owner_url, "-f", EXAMPLES / "booking_messages.sql"],
        check=True,
    )

    with step("the artist confirms: the host updates the booking, and both read of it in the thread"):
        deployment.sql(f"update booking set status = 'confirmed' where id = '{WEDDING}'")
        for side in (customer, artist):
            new = (await side.expect("message:new", message={"type": "system"}))["message"]
            assert (new["content"], new["sender_id"]) == ("The booking is now confirmed.", None)
            assert new["metadata"] == {"booking_id": WEDDING, "status": "confirmed"}
        assert (await artist.row(thread))["last_message"]["content"] == "The booking is now confirmed."

    with step("a transaction that fails afterwards leaves neither the status nor the message"):
        before = await artist.texts(thread)
        with pytest.raises(subprocess.CalledProcessError):
            deployment.sql(f"""
                begin;
                update booking set status = 'paid' where id = '{WEDDING}';
                update booking set status = 'no such status' where id = '{BIRTHDAY}';
                commit;
            """)
        deployment.sql(f"begin; update booking set status = 'paid' where id = '{WEDDING}'; rollback;")
        assert deployment.sql(f"select status from booking where id = '{WEDDING}'") == "confirmed"
        assert await artist.texts(thread) == before

    with step("what changes nothing says nothing, and two bookings in one transaction are told in their order"):
        deployment.sql(f"update booking set status = 'confirmed' where id = '{WEDDING}'")
        deployment.sql(f"""
            begin;
            update booking set status = 'paid' where id = '{WEDDING}';
            update booking set status = 'confirmed' where id = '{BIRTHDAY}';
            commit;
        """)
        for booking, status in ((WEDDING, "paid"), (BIRTHDAY, "confirmed")):
            new = await customer.expect("message:new", message={"type": "system"})
            assert new["message"]["metadata"] == {"booking_id": booking, "status": status}
        assert len(await artist.texts(thread)) == len(before) + 2
        customer.never("message:new", message={"content": "The booking is now no such status."})

    with step("only the host speaks for the system: a client can neither send such a message nor call the function"):
        await customer.refused("PT400", "send_message", conversation_id=thread, content="Paid!", type="system")
        answer = await customer.raw("send_system_message", conversation_id=thread, content="Paid!")
        assert answer.status_code == 403
        status, response = await customer.ask(thread, "message:send", content="Paid!", type="system")
        assert status == "error" and response["code"] == "PT400"


async def test_messages_and_images(deployment: Deployment, story):
    """Text and images, with the sender's role on each, and unread counts for the customer and for the artist."""
    customer, artist, thread = story.customer, story.artist, story.thread
    await asyncio.gather(*(side.do("mark_as_read", conversation_id=thread) for side in (customer, artist)))

    with step("the customer writes over the socket, about one of the bookings; the server answers with the message"):
        status, answer = await customer.ask(
            thread, "message:send", content="Could you bring the blue costume?", metadata={"booking_id": BIRTHDAY},
            client_message_id=str(uuid.uuid4()),
        )
        assert status == "ok"
        new = (await artist.expect("message:new", message={"sender_id": customer.id}))["message"]
        assert (new["sender_role"], new["metadata"]) == ("customer", {"booking_id": BIRTHDAY})

    with step("and sends three images in one message"):
        images = [await customer.upload(thread, "image", f"hall-{n}.jpg", "image/jpeg", 90000 + n) for n in (1, 2, 3)]
        sent = await customer.send(thread, type="image", attachment_ids=images)
        heard = (await artist.expect("message:new", message={"id": sent["id"]}))["message"]
        assert [image["file_name"] for image in heard["attachments"]] == ["hall-1.jpg", "hall-2.jpg", "hall-3.jpg"]
        assert heard["content"] is None
        gallery = await artist.do("get_conversation_media", conversation_id=thread, kinds=["image"])
        assert [image["id"] for image in gallery["attachments"]] == [image["id"] for image in heard["attachments"]]

    with step("each side's count, as the two columns of the design"):
        counts = await artist.do("get_role_unread_counts", conversation_id=thread)
        assert counts == {"unread_count_artist": 2, "unread_count_customer": 0}
        assert await artist.unread(thread) == 2 and await customer.unread(thread) == 0

    with step("an upload that fails falls back to text alone"):
        lost = await artist.do(
            "declare_attachment", conversation_id=thread, kind="image", file_name="costume.png",
            content_type="image/png", byte_size=7000,
        )
        await deployment.host.do("record_upload", attachment_id=lost["id"], failure="timeout")
        await artist.refused(
            "PT409", "send_message", "failed", conversation_id=thread, content="This one?", type="image",
            attachment_ids=[lost["id"]],
        )
        await artist.send(thread, "This one? (the picture did not make it)")
        answer = await customer.expect("message:new", message={"sender_role": "artist"})
        assert answer["message"]["attachments"] == []
        counts = await customer.do("get_role_unread_counts", conversation_id=thread)
        assert counts["unread_count_customer"] == 1

    with step("typing is seen by the other, and only by the other"):
        await artist.emit(thread, "user:typing", is_typing=True)
        await customer.expect("typing:start", where=thread, user_id=artist.id)
        await artist.send(story.with_rival, "Hello, Rita")
        await story.rival.expect("message:new", message={"content": "Hello, Rita"})
        story.rival.never("typing:start")
        await artist.send(thread, "The blue one, then")
        await artist.expect("message:new", message={"content": "The blue one, then"})
        artist.never("typing:start", user_id=artist.id)


async def test_receipts(deployment: Deployment, story):
    """Delivered, then read: for one message and for the whole conversation, with the moment it happened."""
    customer, artist, thread = story.customer, story.artist, story.thread
    mine = [m for m in await customer.history(thread) if m["sender_id"] == customer.id]
    question, images = mine[-2:]
    assert (question["status"], question["read_at"]) == ("sent", None)

    with step("it reaches the artist's phone"):
        await artist.do("mark_as_delivered", conversation_id=thread, seq=images["seq"])
        await customer.expect("message:delivered", user_id=artist.id, last_delivered_seq=images["seq"])
        receipts = await customer.do("get_message_receipts", message_id=images["id"])
        assert receipts["status"] == "delivered"
        assert receipts["receipts"] == [
            {"user_id": artist.id, "display_name": "Anton", "delivered": True, "read_at": None}
        ]

    with step("the artist reads the question, and not yet the images"):
        await artist.do("mark_message_as_read", message_id=question["id"])
        read = await customer.expect("message:read", user_id=artist.id, last_read_seq=question["seq"])
        now = {m["id"]: m for m in await customer.history(thread)}
        assert (now[question["id"]]["status"], now[question["id"]]["read_at"]) == ("read", read["read_at"])
        assert (now[images["id"]]["status"], now[images["id"]]["read_at"]) == ("delivered", None)
        assert (await artist.do("get_role_unread_counts", conversation_id=thread))["unread_count_artist"] == 1

    with step("then all of it: the counts of both roles are gone, and the first moment stays what it was"):
        await artist.do("mark_as_read", conversation_id=thread)
        await customer.expect("message:read", user_id=artist.id, last_read_seq=(await artist.history(thread))[-1]["seq"])
        now = {m["id"]: m for m in await customer.history(thread)}
        assert now[question["id"]]["read_at"] == read["read_at"] < now[images["id"]]["read_at"]
        await customer.do("mark_as_read", conversation_id=thread)
        counts = await deployment.host.do("get_role_unread_counts", conversation_id=thread)
        assert counts == {"unread_count_artist": 0, "unread_count_customer": 0}
        assert (await artist.do("get_unread_counts"))["total"] == 0


async def test_the_queue_of_a_phone(deployment: Deployment, story):
    """Written without a network, sent later, and sent again because nobody knew whether it had arrived."""
    customer, artist, thread = story.customer, story.artist, story.thread
    queue = [(f"From the train, {n}", str(uuid.uuid4())) for n in range(1, 6)]

    with step("the queue is worked off, breaks off after three, and starts again from the beginning"):
        for content, key in queue[:3]:
            await customer.send(thread, content, client_message_id=key)
        sent = [await customer.send(thread, content, client_message_id=key) for content, key in queue]
        assert [m["seq"] for m in sent] == list(range(sent[0]["seq"], sent[0]["seq"] + 5))

    with step("the artist has each once, in the order they were written"):
        for content, key in queue:
            await artist.expect("message:new", message={"content": content, "client_message_id": key})
        assert [t for t in await artist.texts(thread) if t and "train" in t] == [content for content, _ in queue]
        pages, before = [], None
        while True:
            more = {} if before is None else {"before_message_id": before}
            page = await artist.do("get_conversation_messages", conversation_id=thread, page_size=4, **more)
            pages = page["messages"] + pages
            if not page["has_more"]:
                break
            before = page["messages"][0]["id"]
        assert [m["seq"] for m in pages] == list(range(1, sent[-1]["seq"] + 1))


async def test_in_either_role(deployment: Deployment, story):
    """The customer is an artist herself: both lists, and both counts, apart."""
    customer = story.customer
    [patron] = await deployment.people("Paul")

    with step("somebody books her"):
        portrait = (await patron.do(
            "start_conversation", participant_ids=[customer.id], context_type="booking", context_id=str(uuid.uuid4()),
            app_roles={patron.id: "customer", customer.id: "artist"}, message="Do you paint dogs?",
        ))["id"]
        new = await customer.expect("message:new", conversation_id=portrait)
        assert new["message"]["sender_role"] == "customer"

    with step("her two lists: where she is the artist, and where she is the customer"):
        assert [row["id"] for row in await customer.inbox(app_role="artist")] == [portrait]
        booked = await customer.inbox(app_role="customer")
        assert story.thread in [row["id"] for row in booked] and portrait not in [row["id"] for row in booked]
        assert {row["me"]["app_role"] for row in booked} == {"customer"}

    with step("and her two counts"):
        await story.artist.send(story.thread, "See you on Saturday")
        await customer.expect("message:new", message={"content": "See you on Saturday"})
        counts = (await customer.do("get_unread_counts"))["conversations"]
        unread = {row["app_role"]: row["unread_count"] for row in counts}
        assert unread["artist"] == 1 and unread["customer"] >= 1


async def test_an_administrator_looks(deployment: Deployment, story):
    """The dashboard reads a chat, says why, and leaves a trace; it changes nothing, and no participant may do that."""
    customer, artist, thread = story.customer, story.artist, story.thread
    known = await artist.do("get_conversation", conversation_id=thread)

    with step("the host reads the thread as it is, a page at a time"):
        seen = await deployment.host.do(
            "conversation_as_of", conversation_id=thread, event_seq=known["last_event_seq"], reason="complaint 12",
            page_size=5,
        )
        assert [m["content"] for m in seen["messages"]] == (await artist.texts(thread))[-5:]
        assert {p["user_id"] for p in seen["participants"]} == {customer.id, artist.id}

    with step("that is on record, with its reason, and nobody in the chat is told or marked"):
        entry = deployment.sql(f"select action, reason from parley.audit_log where conversation_id = '{thread}'")
        assert entry == "conversation_as_of|complaint 12"
        after = await artist.do("get_conversation", conversation_id=thread)
        assert after["last_event_seq"] == known["last_event_seq"]

    with step("why a message did not show for one of them, in one request"):
        sent = await artist.send(thread, "Bring the invoice")
        await customer.expect("message:new", message={"id": sent["id"]})
        await customer.do("delete_message", message_id=sent["id"])
        trace = await deployment.host.do("explain_delivery", message_id=sent["id"], reason="complaint 13")
        why = {p["user_id"]: p["blocked_by"] for p in trace["participants"]}
        assert why == {customer.id: "deleted_for_me"}
        for call, arguments in (
            ("conversation_as_of", {"conversation_id": thread, "event_seq": 1}), ("explain_delivery", {"message_id": sent["id"]})
        ):
            await artist.refused("PT403", call, reason="curious", **arguments)


async def test_a_broken_connection(deployment: Deployment, story):
    """The socket breaks; the stock client comes back by itself, and the application asks for what it has missed."""
    customer, artist, thread = story.customer, story.artist, story.thread
    last = next(h.payload["event_seq"] for h in reversed(customer.heard) if h.where == thread)
    tunnel = await customer.other_device("phone in a tunnel")
    await tunnel.open(thread)

    with step("the connection is gone, and the artist writes meanwhile"):
        await tunnel.client.realtime._ws_connection.close()
        sent = [await artist.send(thread, f"In the tunnel, {n}") for n in (1, 2, 3)]
        await customer.expect("message:new", message={"id": sent[-1]["id"]})

    with step("joined again, what is live comes; the rest is asked for from the last event that the application had"):
        await asyncio.wait_for(_joined(tunnel), 20)
        await artist.send(thread, "Out of it")
        live = await tunnel.expect("message:new", message={"content": "Out of it"})
        page = await tunnel.do("get_events", conversation_id=thread, after_seq=last)
        numbers = [event["payload"]["event_seq"] for event in page["events"]]
        assert numbers == list(range(last + 1, live["event_seq"] + 1)) and page["gap"] is None
        texts = [e["payload"]["message"]["content"] for e in page["events"] if e["event"] == "message:new"]
        assert texts[-4:] == ["In the tunnel, 1", "In the tunnel, 2", "In the tunnel, 3", "Out of it"]
    await tunnel.close()


async def _joined(device) -> None:
    """Until a device is connected again, and subscribed to all that it had open."""
    while not device.client.realtime.is_connected:
        await asyncio.sleep(0.02)
    while not all(channel.is_joined for channel in device.channels.values()):
        await asyncio.sleep(0.02)


async def test_sessions_and_the_end(deployment: Deployment, story):
    """A stolen phone, and a conversation that the host closes: it can be read, and takes nothing more."""
    customer, artist, thread = story.customer, story.artist, story.thread

    with step("the host archives the thread: both are told, it stays readable, and nothing can be sent"):
        await deployment.host.do("update_conversation", conversation_id=thread, status="archived")
        for side in (customer, artist):
            await side.expect("conversation:updated", conversation={"status": "archived", "archived_at": SOMETHING})
            await side.refused("PT403", "send_message", "archived", conversation_id=thread, content="One more thing")
        status, response = await artist.ask(thread, "message:send", content="One more thing")
        assert status == "error" and response["code"] == "PT403"
        assert len(await customer.texts(thread)) > 10
        await deployment.host.do("update_conversation", conversation_id=thread, status="active")
        await artist.send(thread, "Open again")
        await customer.expect("message:new", message={"content": "Open again"})

    with step("the customer's sessions are ended: the socket hears no more, and the token opens nothing"):
        token = customer.token
        await asyncio.sleep(1.1)
        await deployment.host.do("revoke_sessions", user_id=customer.id)
        await artist.send(thread, "Are you there?")
        await artist.expect("message:new", message={"content": "Are you there?"})
        answer = await customer.raw("get_unread_counts", token=token)
        assert answer.status_code in (401, 403), answer.text
        customer.never("message:new", message={"content": "Are you there?"})
