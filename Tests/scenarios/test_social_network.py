"""The pet social network: groups, polls, voice, scheduled and disappearing messages, and calls.

Five friends plan a walk with their dogs. What one does, the others see; what is one's own business, only one's own
devices see.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import hashlib
import hmac
import uuid
from zoneinfo import ZoneInfo

import pytest
from story import INBOX, SOMETHING, Deployment, eventually, step

pytestmark = pytest.mark.asyncio(loop_scope="module")

BERLIN = ZoneInfo("Europe/Berlin")


async def hear_all(people, kind: str, **wanted) -> list[dict]:
    return list(await asyncio.gather(*(person.expect(kind, **wanted) for person in people)))


async def test_a_group_of_five(deployment: Deployment, story):
    """A group is made with its settings; everybody is told; who may do what is decided by role and permission."""
    story.everybody = ada, ben, cleo, dan, eve = await deployment.people("Ada", "Ben", "Cleo", "Dan", "Eve")
    story.ada, story.ben, story.cleo, story.dan, story.eve = story.everybody
    [story.fay] = fay, = await deployment.people("Fay")

    with step("Ada makes the group, once, although the answer of the first try was lost"):
        wanted = {
            "participant_ids": [p.id for p in (ben, cleo, dan, eve)], "type": "group", "title": "Dog walks",
            "description": "Sundays, in the park", "icon_url": "https://pets.example/icons/7.webp",
            "settings": {"colour": "green"}, "permissions": {"add_members": "admins"},
            "client_message_id": str(uuid.uuid4()),
        }
        made = [await ada.do("start_conversation", **wanted) for _ in range(2)]
        story.walks = walks = made[0]["id"]
        assert made[1]["id"] == walks and [m["created"] for m in made] == [True, False]

    with step("each of the five finds it in the inbox at once"):
        for new in await hear_all(story.everybody, "conversation:new", conversation_id=walks):
            group = new["conversation"]
            assert (group["title"], group["participant_count"], group["settings"]["colour"]) == ("Dog walks", 5, "green")
        roles = {p["user_id"]: p["role"] for p in (await eve.row(walks))["participants"]}
        assert roles == {ada.id: "owner", **{p.id: "member" for p in (ben, cleo, dan, eve)}}
        await asyncio.gather(*(person.open(walks) for person in story.everybody))

    with step("a member may not add, remove, promote or change settings, and everybody knows what they may"):
        mine = (await ben.do("get_conversation", conversation_id=walks))["my_permissions"]
        assert mine == {
            "send_messages": True, "add_members": False, "remove_members": False, "change_settings": False,
            "delete_messages": False,
        }
        await ben.refused("PT403", "add_participants", "add_members", conversation_id=walks, participant_ids=[fay.id])
        await ben.refused("PT403", "remove_participant", conversation_id=walks, user_id=eve.id)
        await ben.refused("PT403", "set_participant_role", conversation_id=walks, user_id=ben.id, role="admin")
        await ben.refused("PT403", "update_conversation", conversation_id=walks, title="Cat walks")

    with step("Ada makes Ben an admin and changes name and icon: the group says so, in the thread and as events"):
        await ada.do("set_participant_role", conversation_id=walks, user_id=ben.id, role="admin")
        for update in await hear_all(story.everybody, "participant:updated", user_id=ben.id):
            assert update["participant"]["role"] == "admin"
        await ben.do("update_conversation", conversation_id=walks, title="Dog walks in the park")
        for update in await hear_all(story.everybody, "conversation:updated", changed=["title"]):
            assert update["conversation"]["title"] == "Dog walks in the park"
        notices = [m for m in await eve.history(walks) if m["type"] == "system"]
        assert [n["content"] for n in notices] == [
            "Ada made Ben an admin.", 'Ben changed the title to "Dog walks in the park".'
        ]
        assert notices[1]["metadata"]["actor_id"] == ben.id

    with step("only admins may send for a while; then everybody again"):
        await ada.do("update_conversation", conversation_id=walks, permissions={"send_messages": "admins"})
        await eve.expect("conversation:updated", changed=["send_messages"])
        await eve.refused("PT403", "send_message", "admins", conversation_id=walks, content="May I?")
        await ben.send(walks, "Only a moment")
        await ada.do("update_conversation", conversation_id=walks, permissions={"send_messages": "everyone"})
        await eve.send(walks, "Thank you")
        await hear_all(story.everybody, "message:new", message={"content": "Thank you"})


async def test_coming_and_going(deployment: Deployment, story):
    """Somebody joins and sees what comes from then on, or all; somebody is removed; the last admin leaves."""
    ada, ben, cleo, dan, eve, fay, walks = *story.everybody, story.fay, story.walks

    with step("Fay is added: she is told, and reads what is said from then on"):
        await ben.do("add_participants", conversation_id=walks, participant_ids=[fay.id])
        await fay.expect("conversation:new", conversation_id=walks)
        await hear_all((ada, eve), "participant:joined", user_id=fay.id)
        await cleo.send(walks, "Hello, Fay!")
        await fay.expect("message:new", message={"content": "Hello, Fay!"})
        assert await fay.texts(walks) == ["Ben added Fay.", "Hello, Fay!"]
        # That she was added is a notice, and nothing to read.
        assert await fay.unread(walks) == 1
        early = (await ada.history(walks))[0]
        await fay.refused("PT404", "add_reaction", message_id=early["id"], emoji="👀")

    with step("Fay is removed: from that moment she gets nothing, live, by request, or by search"):
        await fay.open(walks)
        await ada.do("remove_participant", conversation_id=walks, user_id=fay.id)
        left = await fay.expect("participant:left", where=INBOX, user_id=fay.id)
        assert left["actor_id"] == ada.id
        await dan.send(walks, "Fay is gone, alas")
        await eve.expect("message:new", message={"content": "Fay is gone, alas"})
        await fay.refused("PT403", "get_conversation_messages", conversation_id=walks)
        await fay.refused("PT403", "send_message", conversation_id=walks, content="Why?")
        assert "Unauthorized" in await fay.cannot_join(walks)
        assert await fay.inbox() == []
        assert (await fay.client.table("messages").select("id").eq("conversation_id", walks).execute()).data == []

    with step("in a small group the only admin leaves, and the one who has been there longest takes over"):
        small = (await dan.do("start_conversation", participant_ids=[cleo.id], type="group", title="Puppies"))["id"]
        await dan.do("add_participants", conversation_id=small, participant_ids=[eve.id])
        await eve.expect("conversation:new", conversation_id=small)
        await dan.do("leave_conversation", conversation_id=small)
        heir = await cleo.expect("participant:updated", conversation_id=small)
        assert (heir["user_id"], heir["participant"]["role"]) == (cleo.id, "owner")
        assert (await eve.texts(small))[-2:] == ["Dan left.", "Cleo is now the owner."]
        await dan.refused("PT403", "leave_conversation", conversation_id=small)
        await cleo.do("update_conversation", conversation_id=small, title="Big puppies")

    with step("a new member may see the history where the group wants that, and only as many join as it has places"):
        await cleo.do("update_conversation", conversation_id=small, history_visible="start", max_members=3)
        await cleo.do("add_participants", conversation_id=small, participant_ids=[dan.id])
        assert "Cleo added Dan." in (texts := await dan.texts(small)) and "Dan left." in texts
        await cleo.refused("PT400", "add_participants", "3", conversation_id=small, participant_ids=[fay.id])


async def test_mentions(deployment: Deployment, story):
    """Who is named is counted apart: by name, or all at once."""
    ada, ben, cleo, dan, eve, walks = *story.everybody, story.walks
    await asyncio.gather(*(person.do("mark_as_read", conversation_id=walks) for person in story.everybody))

    async def mentions(person) -> int:
        return (await person.do("get_unread_counts"))["mentions_total"]

    with step("while typing @c, Ada is offered the members whose name begins like that"):
        found = await ada.do("search_members", conversation_id=walks, query="c")
        assert [(m["user_id"], m["display_name"]) for m in found] == [(cleo.id, "Cleo")]
        await story.fay.refused("PT403", "search_members", conversation_id=walks, query="c")

    with step("Ada names Cleo: everybody has one unread, Cleo one mention as well"):
        named = await ada.send(walks, "@Cleo brings the ball", mentions=[cleo.id])
        for new in await hear_all(story.everybody, "message:new", message={"id": named["id"]}):
            assert new["message"]["mentions"] == [cleo.id]
        assert [await person.unread(walks) for person in story.everybody] == [0, 1, 1, 1, 1]
        assert [await mentions(person) for person in story.everybody] == [0, 0, 1, 0, 0]

    with step("@all counts for everybody but its author"):
        await ben.send(walks, "@all at ten!", mentions_all=True)
        await hear_all(story.everybody, "message:new", message={"mentions_all": True})
        assert [await mentions(person) for person in story.everybody] == [1, 0, 2, 1, 1]

    with step("nobody outside can be named, and reading takes the mentions away"):
        await ada.refused("PT400", "send_message", conversation_id=walks, content="@Fay", mentions=[story.fay.id])
        await cleo.do("mark_as_read", conversation_id=walks)
        assert (await mentions(cleo), await cleo.unread(walks)) == (0, 0)

    with step("who read it, and when, one by one: Eve keeps that to herself"):
        deployment.sql(f"update parley.account set read_receipts = false where id = '{eve.id}'")
        await asyncio.gather(*(person.do("mark_as_read", conversation_id=walks) for person in (dan, eve)))
        await ada.expect("message:read", user_id=dan.id)
        receipts = (await ada.do("get_message_receipts", message_id=named["id"]))["receipts"]
        assert {r["display_name"] for r in receipts if r["read_at"]} == {"Cleo", "Dan"}
        await eve.expect("message:read", where=INBOX, user_id=eve.id, last_read_seq=named["seq"] + 1)
        assert await eve.unread(walks) == 0
        await eve.send(walks, "I have read nothing")
        await ada.expect("message:new", message={"content": "I have read nothing"})
        ada.never("message:read", user_id=eve.id, last_read_seq=named["seq"] + 1)


async def test_a_poll(deployment: Deployment, story):
    """A question with one answer each, votes that change, and the close; then one with several answers."""
    ada, ben, cleo, dan, eve, walks = *story.everybody, story.walks

    with step("Ben asks; the poll is a message like others"):
        poll = await ben.do("create_poll", conversation_id=walks, question="Where to?", options=["Park", "Lake", "Beach"])
        for new in await hear_all(story.everybody, "message:new", message={"id": poll["id"], "type": "poll"}):
            assert [option["text"] for option in new["message"]["poll"]["options"]] == ["Park", "Lake", "Beach"]

    with step("votes are seen as they are cast, and changing one's mind moves the vote"):
        await ada.do("vote", message_id=poll["id"], option_ids=[1])
        await cleo.do("vote", message_id=poll["id"], option_ids=[1])
        await eve.expect("poll:updated", message_id=poll["id"], votes=[2, 0, 0])
        await cleo.do("vote", message_id=poll["id"], option_ids=[2])
        await eve.expect("poll:updated", votes=[1, 1, 0], total_voters=2)
        await ada.do("vote", message_id=poll["id"], option_ids=[])
        await eve.expect("poll:updated", votes=[0, 1, 0], total_voters=1)
        assert (await cleo.do("get_poll", message_id=poll["id"]))["my_vote"] == [2]

    with step("two answers to a question with one, an option that is none, and a stranger's vote are refused"):
        await dan.refused("PT400", "vote", message_id=poll["id"], option_ids=[1, 2])
        await dan.refused("PT400", "vote", message_id=poll["id"], option_ids=[4])
        await story.fay.refused("PT404", "vote", message_id=poll["id"], option_ids=[1])

    with step("its author closes it: the result stays, and no vote comes after"):
        await dan.refused("PT403", "close_poll", message_id=poll["id"])
        await ben.do("close_poll", message_id=poll["id"])
        closed = await eve.expect("poll:updated", closed_at=SOMETHING)
        assert closed["votes"] == [0, 1, 0]
        await dan.refused("PT409", "vote", message_id=poll["id"], option_ids=[1])

    with step("another with several answers, anonymous, closes by itself when its time has come"):
        soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
        snacks = await eve.do(
            "create_poll", conversation_id=walks, question="Snacks?", options=["Bones", "Cheese", "Both"], multiple=True,
            anonymous=True, closes_at=soon.isoformat(),
        )
        await dan.do("vote", message_id=snacks["id"], option_ids=[1, 2])
        heard = await eve.expect("poll:updated", message_id=snacks["id"], votes=[1, 1, 0])
        assert heard["total_voters"] == 1
        shown = (await eve.do("get_poll", message_id=snacks["id"]))["options"]
        assert all("voter_ids" not in option for option in shown)
        # An hour later; the worker's own job does the rest.
        deployment.sql(f"update parley.poll set closes_at = now() where message_id = '{snacks['id']}'")
        await ada.refused("PT409", "vote", message_id=snacks["id"], option_ids=[3])
        await hear_all((ada, eve), "poll:updated", message_id=snacks["id"], closed_at=SOMETHING)


async def test_media_and_voice(deployment: Deployment, story):
    """Up to ten pictures in a message, a voice message with its waveform, and the gallery of the group."""
    ada, ben, cleo, dan, eve, walks = *story.everybody, story.walks

    with step("ten items of pictures and videos are one message; eleven are not, nor is a video of six minutes"):
        items = [await cleo.upload(walks, "image", f"dog-{n}.webp", "image/webp", 40000) for n in range(9)]
        items.append(await cleo.upload(walks, "video", "run.mp4", "video/mp4", 90000000, duration_ms=240000))
        extra = await cleo.upload(walks, "image", "one-more.webp", "image/webp", 40000)
        await cleo.refused(
            "PT400", "send_message", "10", conversation_id=walks, type="media", attachment_ids=[*items, extra]
        )
        album = await cleo.send(walks, "Last Sunday", type="media", attachment_ids=items)
        heard = (await eve.expect("message:new", message={"id": album["id"]}))["message"]
        assert [a["id"] for a in heard["attachments"]] == [a["id"] for a in album["attachments"]]
        assert [a["kind"] for a in heard["attachments"]] == ["image"] * 9 + ["video"]
        long = {"kind": "video", "file_name": "l.mp4", "content_type": "video/mp4", "duration_ms": 360000}
        await cleo.refused("PT413", "declare_attachment", "300", conversation_id=walks, byte_size=10**6, **long)
        long["duration_ms"] = 60000
        await cleo.refused("PT413", "declare_attachment", conversation_id=walks, byte_size=104857601, **long)

    with step("a voice message brings its length and its waveform"):
        wave = [0, 40, 180, 255, 90, 10]
        bark = await dan.upload(walks, "voice", "bark.ogg", "audio/ogg", 12000, duration_ms=3200, waveform=wave)
        voice = await dan.send(walks, type="voice", attachment_ids=[bark])
        heard = (await ada.expect("message:new", message={"id": voice["id"], "type": "voice"}))["message"]
        assert (heard["attachments"][0]["duration_ms"], heard["attachments"][0]["waveform"]) == (3200, wave)

    with step("the gallery of the group shows them, the latest first, for members"):
        page = await eve.do("get_conversation_media", conversation_id=walks, kinds=["image", "video"])
        assert len(page["attachments"]) == 10 and {a["seq"] for a in page["attachments"]} == {album["seq"]}
        assert [a["kind"] for a in (await eve.do("get_conversation_media", conversation_id=walks))["attachments"]][0] == "voice"
        await story.fay.refused("PT403", "get_conversation_media", conversation_id=walks)

    with step("what a scan finds harmful is told to everybody, and can be neither fetched nor passed on"):
        odd = await cleo.send(walks, "Look at this", type="image", attachment_ids=[extra])
        await eve.expect("message:new", message={"id": odd["id"]})
        await deployment.host.do("record_scan", attachment_id=extra, scan_state="infected")
        told = (await eve.expect("message:updated", message={"id": odd["id"]}))["message"]
        assert [(a["scan_state"], a["url"], a["variants"]) for a in told["attachments"]] == [("infected", None, [])]
        await eve.refused("PT403", "forward_message", "harmful", message_id=odd["id"], conversation_ids=[walks])
        page = await eve.do("get_conversation_media", conversation_id=walks, kinds=["image"])
        assert len(page["attachments"]) == 9

    with step("deleting the message for everyone takes its files with it"):
        await dan.do("delete_message", message_id=voice["id"], for_everyone=True)
        await eve.expect("message:deleted", message_id=voice["id"])
        rows = (await eve.client.table("attachments").select("id").eq("message_id", voice["id"]).execute()).data
        assert rows == []
        gone = await deployment.host.do("objects_to_delete")
        assert gone == [f"attachments/{bark}"]


async def test_passing_on_and_keeping(deployment: Deployment, story):
    """Forwarding with its limit, stars for oneself, pins for all."""
    ada, ben, cleo, dan, eve, walks = *story.everybody, story.walks
    album = next(m for m in await eve.history(walks) if m["content"] == "Last Sunday")

    with step("Eve passes the pictures on to another conversation: a copy, marked as such, with its own files"):
        there = (await eve.do("start_conversation", participant_ids=[story.fay.id]))["id"]
        copies = (await eve.do("forward_message", message_id=album["id"], conversation_ids=[there]))["messages"]
        heard = (await story.fay.expect("message:new", message={"id": copies[0]["id"]}))["message"]
        assert (heard["forwarded"], heard["forward_count"], len(heard["attachments"])) == (True, 1, 10)
        assert heard["sender_id"] == eve.id and heard["reply_to_id"] is None
        # The group that she was taken out of has not been heard of since.
        story.fay.never("message:new", message={"content": "Fay is gone, alas"})
        story.fay.never("message:new", message={"id": album["id"]})

    with step("five times, and no sixth; of what one cannot see, not once"):
        for _ in range(4):
            await eve.do("forward_message", message_id=album["id"], conversation_ids=[there])
        await eve.refused("PT403", "forward_message", "5", message_id=album["id"], conversation_ids=[there])
        await story.fay.refused("PT404", "forward_message", message_id=album["id"], conversation_ids=[there])
        onward = (await story.fay.do("forward_message", message_id=copies[0]["id"], conversation_ids=[there]))["messages"]
        assert onward[0]["forward_count"] == 2

    with step("Cleo stars it: her own devices learn that, nobody else"):
        tablet = await cleo.other_device("tablet")
        await cleo.do("star_message", message_id=album["id"])
        await tablet.expect("message:starred", where=INBOX, message_id=album["id"])
        starred = (await cleo.do("get_starred_messages"))["messages"]
        assert [(m["id"], m["content"]) for m in starred] == [(album["id"], "Last Sunday")]
        assert (await eve.do("get_starred_messages"))["messages"] == []
        await cleo.do("unstar_message", message_id=album["id"])
        await tablet.expect("message:unstarred", where=INBOX, message_id=album["id"])
        await tablet.close()

    with step("Ben pins it for all; a member may not"):
        await eve.refused("PT403", "pin_message", message_id=album["id"])
        await ben.do("pin_message", message_id=album["id"])
        await hear_all((ada, eve), "message:pinned", message_id=album["id"])
        eve.never("message:starred")
        pinned = (await eve.do("get_pinned_messages", conversation_id=walks))["messages"]
        assert [(m["id"], m["pinned_by"]) for m in pinned] == [(album["id"], ben.id)]
        await ben.do("unpin_message", message_id=album["id"])
        await eve.expect("message:unpinned", message_id=album["id"])


async def test_later_and_for_a_while(deployment: Deployment, story):
    """A draft on two devices, a message for tomorrow morning, messages that disappear, and taking back."""
    ada, ben, cleo, dan, eve, walks = *story.everybody, story.walks

    with step("what Ada begins on the phone stands on her tablet, and nowhere else"):
        tablet = await ada.other_device("tablet")
        await ada.do("save_draft", conversation_id=walks, content="Shall we")
        draft = await tablet.expect("draft:updated", where=INBOX, conversation_id=walks)
        assert draft["draft"]["content"] == "Shall we"
        await ada.send(walks, "Shall we go?")
        await ada.do("save_draft", conversation_id=walks)
        await tablet.expect("draft:updated", where=INBOX, draft=None)

    with step("scheduled for nine in the morning in Berlin: until then only Ada's devices know"):
        morning = (datetime.datetime.now(BERLIN) + datetime.timedelta(days=200)).replace(hour=9, minute=0, second=0, microsecond=0)
        later = await ada.do(
            "schedule_message", conversation_id=walks, content="Good morning!",
            send_at_local=morning.replace(tzinfo=None).isoformat(), time_zone="Europe/Berlin",
        )
        assert datetime.datetime.fromisoformat(later["send_at"]) == morning
        cancelled = await ada.do(
            "schedule_message", conversation_id=walks, content="Never mind",
            send_at=(morning + datetime.timedelta(hours=1)).isoformat(),
        )
        await tablet.expect("scheduled:updated", where=INBOX, scheduled_message_id=later["id"], status="pending")
        assert len((await tablet.do("get_scheduled_messages", conversation_id=walks))["scheduled_messages"]) == 2
        await ben.refused("PT404", "cancel_scheduled_message", id=later["id"])
        await ada.do("cancel_scheduled_message", id=cancelled["id"])

    with step("she changes her mind: in a second; then the worker sends it as Ada, once, to everybody"):
        at_once = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
        await ada.do("update_scheduled_message", id=later["id"], send_at=at_once.isoformat())
        for new in await hear_all(story.everybody, "message:new", message={"content": "Good morning!"}):
            assert new["message"]["sender_id"] == ada.id
        await tablet.expect("scheduled:updated", where=INBOX, scheduled_message_id=later["id"], status="sent")
        await ada.refused("PT409", "cancel_scheduled_message", id=later["id"])
        ben.never("scheduled:updated")
        ben.never("draft:updated")
        await tablet.close()
        assert (await ben.texts(walks)).count("Good morning!") == 1
        assert "Never mind" not in await ben.texts(walks)

    with step("a message of one's own that disappears, then a whole conversation whose messages do"):
        secret = await dan.send(walks, "The key is under the mat", expires_in="1 hour")
        assert (await eve.expect("message:new", message={"id": secret["id"]}))["message"]["expires_at"]
        pair = (await dan.do("start_conversation", participant_ids=[eve.id]))["id"]
        await dan.do("update_conversation", conversation_id=pair, message_ttl_seconds=3600)
        await eve.expect("conversation:updated", conversation={"id": pair, "message_ttl_seconds": 3600})
        brief = await eve.send(pair, "Gone in an hour")
        heard = await dan.expect("message:new", message={"id": brief["id"]})
        assert heard["message"]["expires_at"] and await dan.unread(pair) == 1
        # An hour later.
        deployment.sql(f"update parley.message set expires_at = now() where id in ('{secret['id']}', '{brief['id']}')")
        assert "The key is under the mat" not in await eve.texts(walks)
        assert await dan.unread(pair) == 0
        await eve.expect("message:deleted", message_id=secret["id"], expired=True)
        await dan.expect("message:deleted", message_id=brief["id"], expired=True)
        assert deployment.sql("select count(*) from parley.message where content like '%under the mat%'") == "0"

    with step("taken back for everyone within the hour; later only for oneself"):
        oops, old = await ben.send(walks, "Wrong group"), await ben.send(walks, "Old words")
        await ben.do("delete_message", message_id=oops["id"], for_everyone=True)
        await hear_all(story.everybody, "message:deleted", message_id=oops["id"], for_everyone=True)
        cleos = await cleo.send(walks, "An hour ago")
        deployment.sql(f"update parley.message set created_at = now() - interval '61 minutes' where id = '{cleos['id']}'")
        await cleo.refused("PT403", "delete_message", "60 minutes", message_id=cleos["id"], for_everyone=True)
        await cleo.refused("PT403", "edit_message", "15 minutes", message_id=cleos["id"], content="Changed")
        await cleo.do("delete_message", message_id=cleos["id"])
        await cleo.expect("message:deleted", where=INBOX, message_id=cleos["id"], for_everyone=False)
        assert "An hour ago" not in await cleo.texts(walks) and "An hour ago" in await eve.texts(walks)

    with step("an admin takes a member's message away; a member takes nobody's"):
        await eve.refused("PT403", "delete_message", message_id=old["id"], for_everyone=True)
        await ada.do("delete_message", message_id=old["id"], for_everyone=True)
        dead = await ben.expect("message:deleted", message_id=old["id"])
        assert dead["actor_id"] == ada.id
        await eve.expect("message:deleted", message_id=old["id"])
        eve.never("message:deleted", message_id=cleos["id"])

    with step("what was deleted keeps its place; only what has expired is not there any more"):
        seqs = [m["seq"] for m in await ben.history(walks, page_size=200)]
        assert seqs[0] == 1 and set(range(1, seqs[-1] + 1)) - set(seqs) == {secret["seq"]}


async def test_the_inbox(deployment: Deployment, story):
    """Pinned first, archived apart, muted for a while; deleting a conversation for oneself."""
    ada, eve, fay, walks = story.ada, story.eve, story.fay, story.walks
    pair = (await ada.do("start_conversation", participant_ids=[fay.id], message="Hi Fay"))["id"]

    with step("Ada pins the group: it stays on top although others are newer"):
        await ada.do("update_participant_settings", conversation_id=walks, pin=True)
        await ada.do("mark_as_read", conversation_id=walks)
        await fay.send(pair, "Hi Ada")
        await ada.expect("message:new", conversation_id=pair, message={"content": "Hi Ada"})
        assert [row["id"] for row in await ada.inbox()][:2] == [walks, pair]
        assert [row["id"] for row in await ada.inbox(filter="unread")] == [pair]
        assert (await ada.inbox(filter="requests")) == []

    with step("muted until tomorrow"):
        tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
        settings = await ada.do(
            "update_participant_settings", conversation_id=pair, mute_until=tomorrow.isoformat(), notifications="mentions"
        )
        assert settings["is_muted"] and settings["notification_level"] == "mentions"
        assert (await ada.do("get_unread_counts"))["muted_total"] == 1

    with step("Ada deletes the conversation for herself; Fay keeps it, and her next message brings it back, alone"):
        await ada.do("delete_conversation", conversation_id=pair)
        await ada.expect("participant:updated", where=INBOX, conversation_id=pair, settings={"deleted_seq": 2})
        assert await ada.row(pair) is None and await ada.texts(pair) == []
        assert await fay.texts(pair) == ["Hi Fay", "Hi Ada"]
        await fay.send(pair, "Still there?")
        await ada.expect("message:new", conversation_id=pair, message={"content": "Still there?"})
        assert (await ada.row(pair))["unread_count"] == 1 and await ada.texts(pair) == ["Still there?"]

    with step("a hundred messages in a hurry arrive in order, and the history pages through them"):
        deployment.sql("update parley.tier_limit set amount = null where name = 'messages_per_minute'")
        await asyncio.gather(*(fay.send(pair, f"No. {n}") for n in range(100)))
        last = await ada.expect("message:new", message={"seq": 103})
        numbers = [h.payload["message"]["seq"] for h in ada.heard if h.kind == "message:new" and h.where == INBOX
                   and h.payload["conversation_id"] == pair]
        assert numbers == list(range(1, 104)) and last
        page = await ada.do("get_conversation_messages", conversation_id=pair)
        assert len(page["messages"]) == 50 and page["has_more"]
        before = await ada.do("get_conversation_messages", conversation_id=pair, before_seq=page["messages"][0]["seq"])
        assert [m["seq"] for m in before["messages"]] == list(range(4, 54))


async def test_presence(deployment: Deployment, story):
    """Who has the group open is there; who closes it is gone."""
    ada, eve, walks = story.ada, story.eve, story.walks
    phone, laptop = await ada.other_device("phone"), await eve.other_device("laptop")

    with step("Eve comes, says what she does, and goes"):
        await phone.join(walks, presence=True)
        channel = await laptop.join(walks, presence=True)
        await channel.track({"status": "online"})
        there = await phone.expect("presence:join", where=walks, key=eve.id)
        assert there["metas"][0]["status"] == "online"
        await channel.untrack()
        await phone.expect("presence:leave", where=walks, key=eve.id)

    with step("a device that is cut off goes as well"):
        await channel.track({"status": "online"})
        await phone.expect("presence:join", where=walks, key=eve.id)
        await laptop.close()
        await phone.expect("presence:leave", where=walks, key=eve.id)
    await phone.close()


async def test_calls(deployment: Deployment, story):
    """A video call that rings on two devices, is taken on one, connects, ends, and stands in the thread; one is missed."""
    ada, eve = story.ada, story.eve
    pair = (await ada.do("start_conversation", participant_ids=[eve.id]))["id"]
    phone, tablet = await eve.other_device("phone"), await eve.other_device("tablet")

    with step("relays: credentials that a TURN server with the same secret accepts"):
        await ada.refused("PT503", "get_turn_credentials")
        secret = "0123456789abcdef0123456789abcdef"
        deployment.setting("turn_urls", "turn:relay.pets.example:3478")
        deployment.sql(f"select parley.set_turn_secret('{secret}')")
        relay = await ada.do("get_turn_credentials")
        signed = hmac.new(secret.encode(), relay["username"].encode(), hashlib.sha1).digest()
        assert relay["credential"] == base64.b64encode(signed).decode()
        assert relay["username"].endswith(f":{ada.id}") and relay["urls"] == ["turn:relay.pets.example:3478"]

    with step("Ada calls, and both of Eve's devices ring"):
        await ada.emit(INBOX, "call:start", conversation_id=pair, kind="video", device_id="ada-laptop")
        rings = [await device.expect("call:ring", where=INBOX, conversation_id=pair) for device in (phone, tablet)]
        call = rings[0]["call"]
        assert (call["kind"], call["state"], call["initiator_id"]) == ("video", "ringing", ada.id)

    with step("the phone answers; the tablet learns that it was answered elsewhere and cannot answer any more"):
        await phone.emit(INBOX, "call:accept", call_id=call["id"], device_id="eve-phone")
        await ada.expect("call:accepted", where=INBOX, user_id=eve.id)
        elsewhere = await tablet.expect("call:answered_elsewhere", where=INBOX, call_id=call["id"])
        assert elsewhere["device_id"] == "eve-phone"
        await tablet.refused("PT409", "accept_call", "another device", call_id=call["id"], device_id="eve-tablet")

    with step("offer, answer and ICE candidates reach the devices they are for"):
        to_eve = {"call_id": call["id"], "to_user_id": eve.id, "to_device_id": "eve-phone"}
        to_ada = {"call_id": call["id"], "to_user_id": ada.id, "to_device_id": "ada-laptop"}
        await ada.emit(INBOX, "call:offer", payload={"sdp": "v=0 offer"}, **to_eve)
        offer = await phone.expect("call:offer", where=INBOX)
        assert offer["payload"] == {"sdp": "v=0 offer"} and offer["from_device_id"] == "ada-laptop"
        await phone.emit(INBOX, "call:answer", payload={"sdp": "v=0 answer"}, **to_ada)
        assert (await ada.expect("call:answer", where=INBOX))["payload"] == {"sdp": "v=0 answer"}
        for n in range(3):
            await ada.emit(INBOX, "call:ice", payload={"candidate": f"candidate:{n}"}, **to_eve)
            await phone.expect("call:ice", where=INBOX, payload={"candidate": f"candidate:{n}"})
        await story.fay.refused("PT404", "signal_call", call_id=call["id"], to_user_id=eve.id, kind="ice", payload={})

    with step("Eve hangs up: both are told, and the thread says how long it was"):
        deployment.sql(f"update parley.call set answered_at = now() - interval '125 seconds' where id = '{call['id']}'")
        await phone.emit(INBOX, "call:end", call_id=call["id"], device_id="eve-phone")
        ended = await ada.expect("call:ended", where=INBOX, call_id=call["id"])
        assert (ended["call"]["outcome"], ended["call"]["duration_seconds"]) == ("completed", 125)
        notice = (await ada.expect("message:new", where=INBOX, conversation_id=pair, message={"type": "system"}))["message"]
        assert notice["content"] == "Video call, 2 min"
        await ada.refused("PT409", "signal_call", "ended", kind="ice", payload={}, call_id=call["id"], to_user_id=eve.id)

    with step("the next one is declined, one is cancelled, and one rings until it is missed"):
        async def ring(kind: str = "voice") -> str:
            made = await ada.do("start_call", conversation_id=pair, kind=kind, device_id="ada-laptop")
            await tablet.expect("call:ring", where=INBOX, call_id=made["id"])
            return made["id"]

        declined = await ring()
        await tablet.do("decline_call", call_id=declined)
        await ada.expect("call:declined", where=INBOX, call_id=declined)
        cancelled = await ring()
        await ada.do("cancel_call", call_id=cancelled)
        await tablet.expect("call:cancelled", where=INBOX, call_id=cancelled)
        missed = await ring()
        # Its time is over; the worker's own job sees that.
        deployment.sql(f"update parley.call set due_at = now() where id = '{missed}'")
        await ada.expect("call:missed", where=INBOX, call_id=missed)
        await tablet.refused("PT409", "accept_call", call_id=missed, device_id="eve-tablet")

    with step("the history of calls, from either side and in the thread"):
        calls = (await eve.do("get_calls", conversation_id=pair))["calls"]
        assert [c["outcome"] for c in calls] == ["missed", "cancelled", "declined", "completed"]
        assert [c["id"] for c in (await ada.do("get_calls"))["calls"]] == [c["id"] for c in calls]
        assert [t for t in await eve.texts(pair) if t and "call" in t] == [
            "Video call, 2 min", "Declined voice call", "Missed voice call", "Missed voice call",
        ]
    await asyncio.gather(phone.close(), tablet.close())


async def test_search(deployment: Deployment, story):
    """Over everything one may see, in several scripts, with the words of the web; never over what is gone."""
    ada, ben, eve, fay, walks = story.ada, story.ben, story.eve, story.fay, story.walks
    for text in ("The terrier chases the postman", "公園で犬と散歩する", "terrier puppies, no postman"):
        await ben.send(walks, text)
        await ben.expect("message:new", message={"content": text})
    # He was told of none of the calls of two others.
    ben.never("call:ring")

    async def find(person, query: str, **more) -> list[str]:
        found = await person.do("search_messages", query=query, **more)
        return [result["message"]["content"] for result in found["results"]]

    with step("words, words to leave out, and a part of a text without spaces"):
        await eventually(lambda: find(eve, "terrier"), [SOMETHING, SOMETHING])
        assert await find(eve, "terrier -puppies") == ["The terrier chases the postman"]
        assert await find(eve, '"chases the postman"') == ["The terrier chases the postman"]
        assert await find(eve, "散歩") == ["公園で犬と散歩する"]

    with step("of one sender, and of nobody's conversation but one's own"):
        assert await find(eve, "terrier", sender_id=ada.id) == []
        assert await find(fay, "terrier") == []

    with step("what is deleted is not found"):
        gone = next(m for m in await ben.history(walks) if m["content"] == "terrier puppies, no postman")
        await ben.do("delete_message", message_id=gone["id"], for_everyone=True)
        assert await find(eve, "terrier") == ["The terrier chases the postman"]
