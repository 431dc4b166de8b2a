"""The student marketplace: buyers and sellers, one thread for each listing.

A buyer writes to the seller of a bicycle from its listing; they negotiate, send pictures and a place to meet, and each
sees what the other has read. Then what goes wrong on a campus network: an answer that is lost, a phone that is away.
"""

from __future__ import annotations

import asyncio
import uuid

import pytest
from story import INBOX, SOMETHING, Deployment, eventually, step

pytestmark = pytest.mark.asyncio(loop_scope="module")

BICYCLE, LAMP = str(uuid.uuid4()), str(uuid.uuid4())


async def test_first_contact(deployment: Deployment, story):
    """A buyer views a listing and writes; the seller, who has no conversation yet, is told at once."""
    story.buyer, story.seller, story.stranger = buyer, seller, stranger = await deployment.people(
        "Mara", "Jonas", "Timo"
    )
    roles = {buyer.id: "buyer", seller.id: "seller"}

    with step("the buyer starts from the listing, with a first message"):
        story.started = await buyer.do(
            "start_conversation", participant_ids=[seller.id], context_type="listing", context_id=BICYCLE,
            app_roles=roles, message="Hello! Is the bicycle still there?",
        )
        story.bicycle = bicycle = story.started["id"]
        assert story.started["created"] and story.started["message"]["sender_role"] == "buyer"

    with step("the seller hears of it in the inbox, without having subscribed to anything new"):
        new = await seller.expect("conversation:new", conversation_id=bicycle)
        assert (new["conversation"]["context_type"], new["conversation"]["context_id"]) == ("listing", BICYCLE)
        first = await seller.expect("message:new", message={"content": "Hello! Is the bicycle still there?"})
        assert first["message"] == {**first["message"], "seq": 1, "sender_id": buyer.id, "sender_role": "buyer"}
        row = await seller.row(bicycle)
        assert row["unread_count"] == 1 and row["last_message"]["content"] == "Hello! Is the bicycle still there?"
        assert {p["user_id"]: p["app_role"] for p in row["participants"]} == roles
        # For the buyer nothing is unread: what they wrote themselves is not news to them.
        assert (await buyer.row(bicycle))["unread_count"] == 0

    with step("asking again about the same listing comes to the same thread"):
        again = await buyer.do(
            "start_conversation", participant_ids=[seller.id], context_type="listing", context_id=BICYCLE
        )
        assert (again["id"], again["created"]) == (bicycle, False)

    with step("nobody else can read it, write to it or listen to it"):
        for call, arguments in (
            ("get_conversation_messages", {}),
            ("send_message", {"content": "cheaper?"}),
            ("get_conversation", {}),
            ("mark_as_read", {}),
        ):
            await stranger.refused("PT403", call, conversation_id=bicycle, **arguments)
        told = await stranger.cannot_join(bicycle)
        assert "Unauthorized" in told
        rows = (await stranger.client.table("messages").select("id").eq("conversation_id", bicycle).execute()).data
        assert rows == []


async def test_negotiation(deployment: Deployment, story):
    """Both have the thread open: replies with what they quote, reactions, a corrected price, a place to meet."""
    buyer, seller, bicycle = story.buyer, story.seller, story.bicycle
    await asyncio.gather(buyer.open(bicycle), seller.open(bicycle))

    with step("the seller answers, quoting the question"):
        answer = await seller.send(bicycle, "Yes, for 120 euros.", reply_to_id=story.started["message"]["id"])
        heard = (await buyer.expect("message:new", message={"id": answer["id"]}))["message"]
        assert heard["sender_role"] == "seller"
        assert heard["reply_to"] == {
            "id": story.started["message"]["id"], "seq": 1, "sender_id": buyer.id, "type": "text",
            "content": "Hello! Is the bicycle still there?", "attachment": None, "deleted": False,
        }

    with step("the buyer offers less; the seller reacts, thinks again, and takes the reaction back"):
        offer = await buyer.send(bicycle, "Would you take 100?", client_message_id=str(uuid.uuid4()))
        await seller.expect("message:new", message={"id": offer["id"]})
        await seller.do("add_reaction", message_id=offer["id"], emoji="🤔")
        await seller.do("add_reaction", message_id=offer["id"], emoji="👍")
        for emoji in ("🤔", "👍"):
            await buyer.expect("message:reaction", message_id=offer["id"], emoji=emoji, op="added", user_id=seller.id)
        await seller.do("remove_reaction", message_id=offer["id"], emoji="🤔")
        await buyer.expect("message:reaction", emoji="🤔", op="removed")
        assert (await buyer.history(bicycle))[-1]["reactions"] == [
            {"emoji": "👍", "count": 1, "user_ids": [seller.id]}
        ]

    with step("the buyer corrects the offer, and nobody else can"):
        await seller.refused("PT403", "edit_message", message_id=offer["id"], content="I pay 200")
        await buyer.do("edit_message", message_id=offer["id"], content="Would you take 105?")
        edited = await seller.expect("message:updated", message={"id": offer["id"]})
        assert edited["message"]["content"] == "Would you take 105?" and edited["message"]["edited_at"]
        assert edited["message"]["reactions"][0]["emoji"] == "👍"

    with step("the listing is linked, with formatting carried as data and text stored as it was written"):
        script = "<script>alert('cheap')</script> see https://market.example/listings/1"
        formatting = {"format": [{"kind": "link", "from": 37, "to": 68}], "listing_id": BICYCLE}
        link = await seller.send(bicycle, script, metadata=formatting)
        heard = await buyer.expect("message:new", message={"id": link["id"]})
        assert heard["message"]["content"] == script and heard["message"]["metadata"] == formatting

    with step("a place to meet is a message of its own type"):
        place = await seller.send(
            bicycle, "In front of the library", type="location",
            metadata={"latitude": 52.5186, "longitude": 13.3934, "name": "Library"},
        )
        heard = await buyer.expect("message:new", message={"id": place["id"], "type": "location"})
        assert heard["message"]["metadata"]["latitude"] == 52.5186

    with step("bad input is refused with the reason, and changes nothing"):
        before = (await buyer.history(bicycle))[-1]["seq"]
        await buyer.refused("PT400", "send_message", conversation_id=bicycle, content="")
        await buyer.refused("PT400", "send_message", "5000", conversation_id=bicycle, content="x" * 5001)
        await buyer.refused("PT400", "send_message", conversation_id=bicycle, content="sold!", type="system")
        await buyer.refused("PT404", "send_message", conversation_id=bicycle, content="?", reply_to_id=str(uuid.uuid4()))
        assert (await buyer.history(bicycle))[-1]["seq"] == before


async def test_pictures(deployment: Deployment, story):
    """Photos are declared, recorded by the host when they have arrived, and sent together."""
    buyer, seller, bicycle = story.buyer, story.seller, story.bicycle

    with step("a file that is too large, or of a type that a browser would run, is refused before it is uploaded"):
        wanted = {"conversation_id": bicycle, "kind": "image", "file_name": "bicycle.jpg", "content_type": "image/jpeg"}
        await seller.refused("PT413", "declare_attachment", "10485760", **wanted, byte_size=10485761)
        await seller.refused(
            "PT400", "declare_attachment", "image/jpeg", **{**wanted, "content_type": "image/svg+xml"}, byte_size=900
        )
        await story.stranger.refused("PT403", "declare_attachment", **wanted, byte_size=900)

    with step("two photos are uploaded; until then they cannot be sent, and only the host says that they are there"):
        front = await seller.do("declare_attachment", **wanted, byte_size=204800, width=1600, height=1200)
        await seller.refused(
            "PT409", "send_message", "uploaded", conversation_id=bicycle, type="image", attachment_ids=[front["id"]]
        )
        refused = await seller.raw("record_upload", attachment_id=front["id"])
        assert refused.status_code == 403
        await deployment.host.do("record_upload", attachment_id=front["id"], byte_size=204800)
        side = await seller.upload(bicycle, "image", "side.webp", "image/webp", 102400)

    with step("they arrive as one message, in their order"):
        photos = await seller.send(bicycle, "Front and side", type="image", attachment_ids=[front["id"], side])
        heard = (await buyer.expect("message:new", message={"id": photos["id"]}))["message"]
        assert [(a["file_name"], a["kind"], a["state"]) for a in heard["attachments"]] == [
            ("bicycle.jpg", "image", "attached"), ("side.webp", "image", "attached"),
        ]
        assert (heard["attachments"][0]["width"], heard["attachments"][0]["byte_size"]) == (1600, 204800)

    with step("the buyer reads them as rows, the stranger sees none, and nobody sends another's file"):
        table = buyer.client.table("attachments")
        rows = (await table.select("file_name,byte_size").eq("message_id", photos["id"]).order("position").execute()).data
        assert rows == [
            {"file_name": "bicycle.jpg", "byte_size": 204800}, {"file_name": "side.webp", "byte_size": 102400}
        ]
        theirs = story.stranger.client.table("attachments")
        assert (await theirs.select("id").eq("message_id", photos["id"]).execute()).data == []
        await buyer.refused("PT404", "send_message", conversation_id=bicycle, type="image", attachment_ids=[side])
        await seller.refused("PT409", "send_message", conversation_id=bicycle, type="image", attachment_ids=[side])


async def test_reading_and_typing(deployment: Deployment, story):
    """What each side has got to, as horizons, as receipts of one message, and as it happens."""
    buyer, seller, bicycle = story.buyer, story.seller, story.bicycle
    last = (await buyer.history(bicycle))[-1]

    with step("the buyer types, and stops"):
        await buyer.emit(bicycle, "typing:start")
        typing = await seller.expect("typing:start", where=bicycle)
        assert (typing["user_id"], typing["conversation_id"]) == (buyer.id, bicycle)
        await buyer.emit(bicycle, "typing:stop")
        await seller.expect("typing:stop", where=bicycle, user_id=buyer.id)

    with step("the seller's message is delivered to the buyer, and not yet read"):
        assert last["sender_id"] == seller.id
        await buyer.emit(bicycle, "message:delivered", seq=last["seq"])
        await seller.expect("message:delivered", user_id=buyer.id, last_delivered_seq=last["seq"])
        assert (await seller.history(bicycle))[-1]["status"] == "delivered"

    with step("the buyer reads up to it: the count is gone, and the seller sees when"):
        assert await buyer.unread(bicycle) > 0
        await buyer.emit(bicycle, "message:read", message_id=last["id"])
        read = await seller.expect("message:read", user_id=buyer.id, last_read_seq=last["seq"])
        assert read["read_at"]
        assert (await seller.history(bicycle))[-1]["status"] == "read"
        assert await buyer.unread(bicycle) == 0

    with step("an older position changes nothing: what was read stays read"):
        state = await buyer.do("mark_as_read", conversation_id=bicycle, seq=1)
        assert state["last_read_seq"] == last["seq"]

    with step("a new message makes one unread, and marking the conversation by hand keeps the horizon"):
        await seller.send(bicycle, "Tomorrow at ten?")
        await buyer.expect("message:new", message={"content": "Tomorrow at ten?"})
        assert await buyer.unread(bicycle) == 1
        await buyer.do("mark_as_read", conversation_id=bicycle)
        await seller.expect("message:read", last_read_seq=last["seq"] + 1)
        await buyer.do("mark_as_unread", conversation_id=bicycle)
        row = await buyer.row(bicycle, filter="unread")
        assert row["me"]["marked_unread"] and row["me"]["last_read_seq"] == last["seq"] + 1
        await buyer.do("mark_as_read", conversation_id=bicycle)
        assert await buyer.row(bicycle, filter="unread") is None


async def test_second_listing(deployment: Deployment, story):
    """The same two about another listing have another thread; muting, archiving and searching keep them apart."""
    buyer, seller, bicycle = story.buyer, story.seller, story.bicycle

    with step("both ask for the thread of the lamp at the same moment, and get the same one"):
        wanted = {"context_type": "listing", "context_id": LAMP}
        one, two = await asyncio.gather(
            buyer.do("start_conversation", participant_ids=[seller.id], **wanted),
            seller.do("start_conversation", participant_ids=[buyer.id], **wanted),
        )
        story.lamp = lamp = one["id"]
        assert two["id"] == lamp != bicycle and sorted([one["created"], two["created"]]) == [False, True]
        for side in (buyer, seller):
            await side.expect("conversation:new", conversation_id=lamp)

    with step("the threads of one listing, from either side, by its id"):
        for side in (buyer, seller):
            rows = await side.inbox(context_type="listing", context_id=LAMP)
            assert [row["id"] for row in rows] == [lamp]

    with step("the seller mutes the lamp: it still counts, but apart"):
        await buyer.send(lamp, "And the lamp?")
        await seller.expect("message:new", conversation_id=lamp)
        before = await seller.do("get_unread_counts")
        await seller.do("update_participant_settings", conversation_id=lamp, mute_until="infinity")
        await seller.expect("participant:updated", where=INBOX, settings={"is_muted": True})
        after = await seller.do("get_unread_counts")
        assert (before["total"] - after["total"], after["muted_total"] - before["muted_total"]) == (1, 1)

    with step("the buyer archives the bicycle: it leaves the inbox of the buyer alone"):
        await buyer.do("update_participant_settings", conversation_id=bicycle, archive=True)
        await buyer.expect("participant:updated", where=INBOX, conversation_id=bicycle)
        # By then the buyer would have heard of the seller's mute as well.
        buyer.never("participant:updated", conversation_id=lamp)
        assert [row["id"] for row in await buyer.inbox()] == [lamp]
        assert [row["id"] for row in await buyer.inbox(filter="archived")] == [bicycle]
        assert await seller.row(bicycle) is not None
        await buyer.do("update_participant_settings", conversation_id=bicycle, archive=False)

    with step("search finds a word in all of one's threads, with the place marked, and for nobody else"):
        found = await eventually(lambda: buyer.do("search_messages", query="library"), {"results": [SOMETHING]})
        assert found["results"][0]["conversation_id"] == bicycle
        assert "library" in str(found["results"][0]["highlight"]).lower()
        inside = await buyer.do("search_messages", query="library", conversation_id=lamp)
        assert inside["results"] == []
        await story.stranger.refused("PT403", "search_messages", query="library", conversation_id=bicycle)
        assert (await story.stranger.do("search_messages", query="library"))["results"] == []

    with step("from the result one jumps into the thread"):
        place = found["results"][0]["message"]["id"]
        window = await buyer.do(
            "get_conversation_messages", conversation_id=bicycle, around_message_id=place, page_size=3
        )
        assert [m["id"] for m in window["messages"]][1] == place
        assert window["has_more_before"] and window["has_more_after"]


async def test_a_bad_network(deployment: Deployment, story):
    """An answer that is lost, a retry while the first is still under way, a phone that was away."""
    buyer, seller, bicycle = story.buyer, story.seller, story.bicycle

    with step("the answer to a send is lost: the same again, even many at once, is the same message"):
        key = str(uuid.uuid4())
        sent = await asyncio.gather(*(buyer.send(bicycle, "I take it!", client_message_id=key) for _ in range(8)))
        assert len({message["id"] for message in sent}) == 1
        await seller.expect("message:new", message={"client_message_id": key})
        await buyer.refused("PT409", "send_message", conversation_id=bicycle, content="I do not", client_message_id=key)

    with step("the buyer's phone goes away, and meanwhile the seller writes, edits and deletes"):
        phone = await buyer.other_device("phone")
        await phone.open(bicycle)
        position = await phone.do("sync")
        last = (await phone.do("get_conversation", conversation_id=bicycle))["last_event_seq"]
        await phone.close()
        kept = await seller.send(bicycle, "Great, see you at ten")
        gone = await seller.send(bicycle, "My number is 0123")
        await seller.do("edit_message", message_id=kept["id"], content="Great, see you at eleven")
        await seller.do("delete_message", message_id=gone["id"], for_everyone=True)
        await buyer.expect("message:deleted", message_id=gone["id"], for_everyone=True)

    with step("back again, it names the last event it has and gets the rest, oldest first, then what is live"):
        again = await buyer.other_device("phone, later")
        await again.open(bicycle, replay={"after": last, "limit": 100})
        new = await again.expect("message:new", where=bicycle, message={"id": kept["id"]})
        # What is replayed is shown as it is now: edited, and without what was deleted.
        assert new["message"]["content"] == "Great, see you at eleven"
        dead = await again.expect("message:new", where=bicycle, message={"id": gone["id"]})
        assert dead["message"]["content"] is None and dead["message"]["deleted_at"]
        await again.expect("message:updated", where=bicycle, message={"id": kept["id"]})
        await again.expect("message:deleted", where=bicycle, message_id=gone["id"])
        end = await again.expect("replay:end", where=bicycle)
        assert end["to"] == last + 4
        replayed = [heard for heard in again.heard if heard.where == bicycle and "event_seq" in heard.payload]
        assert [heard.payload["event_seq"] for heard in replayed] == list(range(last + 1, last + 5))
        assert all(heard.replayed for heard in replayed)
        await seller.send(bicycle, "Bring a lock")
        live = await again.expect("message:new", message={"content": "Bring a lock"})
        assert live["event_seq"] == last + 5

    with step("an inbox asks once, with its cursor, for all that it has missed"):
        missed = await again.do("sync", cursor=position["cursor"])
        kinds = [event["event"] for event in missed["events"] if event["payload"].get("conversation_id") == bicycle]
        assert kinds == ["message:new", "message:new", "message:updated", "message:deleted", "message:new"]
        # Two are unread: what was deleted does not count.
        assert missed["unread"][bicycle] == 2 and not missed["has_more"] and not missed["resync_required"]
        await again.close()

    with step("both sides read the same history: dense, with a tombstone where something was deleted"):
        mine, theirs = await asyncio.gather(buyer.history(bicycle), seller.history(bicycle))
        assert [m["seq"] for m in mine] == list(range(1, len(mine) + 1))
        assert [(m["id"], m["content"]) for m in mine] == [(m["id"], m["content"]) for m in theirs]
        assert [m["content"] for m in mine].count("I take it!") == 1


async def test_three_at_the_table(deployment: Deployment, story):
    """What the design calls optional: a negotiation of several, a voice message, passing on, and what does not last."""
    buyer, seller, friend, bicycle = story.buyer, story.seller, story.stranger, story.bicycle

    with step("the buyer brings a friend: a group about the same listing, in which everybody has their role"):
        roles = {buyer.id: "buyer", friend.id: "buyer", seller.id: "seller"}
        group = (await buyer.do(
            "start_conversation", type="group", title="Two bicycles?", participant_ids=[seller.id, friend.id],
            context_type="listing", context_id=BICYCLE, app_roles=roles, message="Would you sell us two?",
        ))["id"]
        for person in (seller, friend):
            new = await person.expect("message:new", conversation_id=group)
            assert new["message"]["sender_role"] == "buyer"
        rows = await seller.inbox(context_type="listing", context_id=BICYCLE)
        assert {row["id"] for row in rows} == {bicycle, group}

    with step("the seller answers by voice"):
        wave = [3, 90, 200, 40]
        clip = await seller.upload(group, "voice", "answer.m4a", "audio/mp4", 30000, duration_ms=2100, waveform=wave)
        await seller.send(group, type="voice", attachment_ids=[clip])
        heard = (await friend.expect("message:new", message={"type": "voice"}))["message"]
        assert (heard["attachments"][0]["duration_ms"], heard["attachments"][0]["waveform"]) == (2100, wave)

    with step("the friend passes a message of the group on to nobody who is not theirs, and gets none from elsewhere"):
        place = next(m for m in await buyer.history(bicycle) if m["type"] == "location")
        copy = (await buyer.do("forward_message", message_id=place["id"], conversation_ids=[group]))["messages"][0]
        heard = (await friend.expect("message:new", message={"id": copy["id"]}))["message"]
        assert heard["forwarded"] and heard["metadata"]["name"] == "Library"
        await friend.refused("PT403", "forward_message", message_id=heard["id"], conversation_ids=[bicycle])
        await friend.refused("PT404", "forward_message", message_id=place["id"], conversation_ids=[group])

    with step("a bank account that is shown for an hour"):
        account = await seller.send(group, "DE00 1234", expires_in="1 hour")
        assert (await buyer.expect("message:new", message={"id": account["id"]}))["message"]["expires_at"]
        deployment.sql(f"update parley.message set expires_at = now() where id = '{account['id']}'")
        assert "DE00 1234" not in await buyer.texts(group)
        gone = await friend.expect("message:deleted", message_id=account["id"])
        assert gone["expired"] and gone["for_everyone"]

    with step("who writes too much is slowed down, and told for how long"):
        deployment.sql("""
            delete from parley.rate_bucket;
            update parley.tier_limit set amount = 30, period_seconds = 60, burst = 5 where name = 'messages_per_minute'
        """)
        for n in range(5):
            await friend.send(group, f"Hurry {n}")
        answer = await friend.raw("send_message", conversation_id=group, content="Hurry 5")
        assert answer.status_code == 429 and int(answer.headers["Retry-After"]) <= 2
        await friend.send_as_told(group, "Hurry 5")
        assert [t for t in await seller.texts(group) if t and "Hurry" in t] == [f"Hurry {n}" for n in range(6)]


async def test_sealed(deployment: Deployment, story):
    """Encrypted between the two: the server carries an envelope it cannot read, once, in order, and finds nothing in it."""
    buyer, seller, bicycle = story.buyer, story.seller, story.bicycle
    deployment.sql("update parley.tier_limit set amount = null where name = 'messages_per_minute'")
    envelope = {"v": 1, "to": {"mara-phone": "3q2+7wbicycle", "jonas-laptop": "yv66vg"}, "nonce": "AAECAw"}

    with step("the envelope arrives as it was sealed, without any text beside it"):
        sealed = await buyer.send(bicycle, type="encrypted", metadata={"envelope": envelope})
        heard = (await seller.expect("message:new", message={"id": sealed["id"], "type": "encrypted"}))["message"]
        assert heard["metadata"] == {"envelope": envelope} and heard["content"] is None
        assert await seller.unread(bicycle) >= 1
        await buyer.refused(
            "PT400", "send_message", "no content", conversation_id=bicycle, type="encrypted", content="120 euros",
            metadata={"envelope": envelope},
        )
        await buyer.refused("PT400", "send_message", "envelope", conversation_id=bicycle, type="encrypted", metadata={})

    with step("no search looks into it, it cannot be passed on, and a quote of it shows nothing"):
        await seller.send(bicycle, "A marker for the search")
        await eventually(lambda: seller.do("search_messages", query="marker"), {"results": [SOMETHING]})
        found = await seller.do("search_messages", query="bicycle", conversation_id=bicycle)
        assert sealed["id"] not in [result["message"]["id"] for result in found["results"]]
        await seller.refused("PT400", "forward_message", message_id=sealed["id"], conversation_ids=[story.lamp])
        answer = await seller.send(bicycle, "Agreed", reply_to_id=sealed["id"])
        assert (answer["reply_to"]["type"], answer["reply_to"]["content"]) == ("encrypted", None)
