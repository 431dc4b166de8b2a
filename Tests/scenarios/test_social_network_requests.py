"""The pet social network, at its door: what strangers write is a request, followers come in, and everybody says who may.

Ada has two devices and many admirers. What she does with a request her own devices see; whoever wrote sees a message that
was sent, and no more than that.
"""

from __future__ import annotations

import pytest
from story import INBOX, Deployment, Person, step

pytestmark = pytest.mark.asyncio(loop_scope="module")
UNREACHABLE = "You cannot reach this user."


async def requests(person: Person) -> list[str]:
    """The texts that are shown in the list of requests."""
    return [row["last_message"]["content"] for row in await person.inbox(filter="requests")]


async def counts(person: Person) -> tuple[int, int]:
    """Unread in the inbox, and unread in the requests."""
    told = await person.do("get_unread_counts")
    return told["total"], told["requests_total"]


async def write_to(sender: Person, recipient: Person, text: str) -> str:
    return (await sender.do("start_conversation", participant_ids=[recipient.id], message=text))["id"]


async def test_a_request_and_its_answer(deployment: Deployment, story):
    """A stranger's message waits apart, and marks nothing; accepted, it is a conversation as all others."""
    deployment.setting("stranger_messages", "requests")
    # They have all been here for a while.
    deployment.sql("update parley.tier_limit set amount = null where name = 'new_account_hours'")
    story.ada, story.ines = ada, ines = await deployment.people("Ada", "Ines")
    story.tablet = tablet = await ada.other_device("tablet")

    with step("Ines writes: both of Ada's devices are told of a request, and the inbox stays as it was"):
        story.talk = talk = await write_to(ines, ada, "Your terrier is lovely!")
        for device in (ada, tablet):
            await device.expect("request:new", where=INBOX, conversation_id=talk)
        assert await ada.inbox() == [] and await requests(ada) == ["Your terrier is lovely!"]
        assert await counts(ada) == (0, 1)
        assert (await ines.row(talk))["last_message"]["status"] == "sent"

    with step("Ada opens it, reads it and is about to answer: of all that Ines sees nothing, nor can she ring"):
        await ines.join(talk, presence=True)
        looking = await tablet.join(talk, presence=True)
        await looking.track({"status": "online"})
        await tablet.emit(talk, "typing:start")
        await ada.do("mark_as_read", conversation_id=talk)
        assert await ada.texts(talk) == ["Your terrier is lovely!"]
        error = await ines.refused("PT403", "start_call", conversation_id=talk, kind="voice", device_id="phone")
        assert error.message == UNREACHABLE
        await ines.send(talk, "Is he called Rex?")
        assert [m["status"] for m in await ines.history(talk)] == ["sent", "sent"]
        for kind in ("message:read", "message:delivered", "typing:start", "presence:join", "request:updated"):
            ines.never(kind)
        assert await counts(ada) == (0, 2)

    with step("after five messages without an answer Ines has to wait for one"):
        for n in range(3):
            await ines.send(talk, f"Hello? {n}")
        await ines.refused("PT403", "send_message", conversation_id=talk, content="Hello??")

    with step("Ada accepts on her phone: the tablet and Ines are told, and from now on receipts and presence pass"):
        accepted = await ada.do("accept_request", conversation_id=talk)
        assert accepted["me"]["folder"] == "inbox"
        await tablet.expect("request:updated", where=INBOX, conversation_id=talk)
        await ines.expect("request:updated", where=INBOX, conversation_id=talk)
        await ines.expect("presence:join", where=talk, key=ada.id)
        assert await counts(ada) == (5, 0) and await requests(ada) == []
        await ada.do("mark_as_read", conversation_id=talk)
        await ines.expect("message:read", user_id=ada.id, last_read_seq=5)
        await ada.send(talk, "He is Bruno")
        await ines.expect("message:new", message={"content": "He is Bruno"})
        await ines.send(talk, "Hello, Bruno!")
        await ada.expect("message:new", where=INBOX, message={"content": "Hello, Bruno!"})


async def test_declined_and_blocked_from_there(deployment: Deployment, story):
    """Whoever is declined is not told, and writes into the void for thirty days; whoever is blocked, for good."""
    ada, tablet = story.ada, story.tablet
    story.jon, story.kurt = jon, kurt = await deployment.people("Jon", "Kurt")

    with step("Ada declines: it is gone from both of her devices, and Jon's message stands there as sent"):
        talk = await write_to(jon, ada, "Buy my dog food")
        await tablet.expect("request:new", where=INBOX, conversation_id=talk)
        await ada.do("decline_request", conversation_id=talk)
        await tablet.expect("request:updated", where=INBOX, conversation_id=talk)
        assert await requests(ada) == [] and await ada.texts(talk) == []
        await jon.send(talk, "Very cheap")
        await jon.expect("message:new", message={"content": "Very cheap", "status": "sent"})
        error = await jon.refused("PT403", "start_call", conversation_id=talk, kind="voice", device_id="phone")
        assert error.message == UNREACHABLE
        jon.never("request:updated")

    with step("Kurt is blocked from the request: he writes on as before, and hears nothing either"):
        rude = await write_to(kurt, ada, "Hey you")
        await ada.expect("request:new", where=INBOX, conversation_id=rude)
        await ada.do("decline_request", conversation_id=rude, block=True)
        await tablet.expect("contact:updated", where=INBOX, contact_id=kurt.id, blocked=True)
        await kurt.send(rude, "Answer me!")
        assert await kurt.texts(rude) == ["Hey you", "Answer me!"]
        assert [u["user_id"] for u in (await ada.do("get_blocked_users"))["users"]] == [kurt.id]

    with step("a month later Jon's next message asks anew, without the old ones; Kurt's does not"):
        deployment.sql("update parley.message_request set answered_at = now() - interval '31 days' where status = 'declined'")
        await jon.send(talk, "A new year, a new dog food")
        await kurt.send(rude, "Answer me!!")
        await tablet.expect("request:new", where=INBOX, conversation_id=talk)
        assert await requests(ada) == ["A new year, a new dog food"]
        assert await ada.texts(talk) == ["A new year, a new dog food"]
        for device in (ada, tablet):
            for text in ("Very cheap", "Answer me!", "Answer me!!"):
                device.never("message:new", message={"content": text})

    with step("nobody answers it for another month: it is put away by itself, and Ada's devices are told"):
        tablet.heard.clear()
        deployment.sql(f"update parley.message_request set created_at = now() - interval '31 days' where conversation_id = '{talk}'")
        deployment.sql("select parley.expire_requests()")
        await tablet.expect("request:updated", where=INBOX, conversation_id=talk)
        assert await requests(ada) == [] and (await counts(ada))[1] == 0
        jon.never("request:updated")


async def test_followers_reach_the_inbox(deployment: Deployment, story):
    """Whoever follows Ada comes to the inbox, unless the network wants otherwise; whom she follows does, always."""
    ada, tablet = story.ada, story.tablet
    story.lia, story.max, story.noor = lia, max_, noor = await deployment.people("Lia", "Max", "Noor")

    with step("Lia follows Ada and writes: it is in the inbox at once, counted and with a receipt"):
        await lia.do("follow_user", user_id=ada.id)
        ada.never("contact:updated", contact_id=lia.id)
        talk = await write_to(lia, ada, "I never miss a walk of yours")
        await tablet.expect("message:new", where=INBOX, message={"content": "I never miss a walk of yours"})
        assert (await ada.row(talk))["unread_count"] == 1 and await requests(ada) == []
        await ada.do("mark_as_read", conversation_id=talk)
        await lia.expect("message:read", where=INBOX, conversation_id=talk, user_id=ada.id)
        tablet.never("request:new", conversation_id=talk)

    with step("where followers are strangers as well, Max has to ask; Ada follows him, and so lets him in"):
        deployment.setting("followers_reach_inbox", "false")
        await max_.do("follow_user", user_id=ada.id)
        talk = await write_to(max_, ada, "I follow you, too")
        await tablet.expect("request:new", where=INBOX, conversation_id=talk)
        await ada.do("follow_user", user_id=max_.id)
        await tablet.expect("contact:updated", where=INBOX, contact_id=max_.id, followed=True)
        await tablet.expect("request:updated", where=INBOX, conversation_id=talk)
        await max_.expect("request:updated", where=INBOX, conversation_id=talk)
        assert await requests(ada) == [] and (await ada.row(talk))["unread_count"] == 1
        deployment.setting("followers_reach_inbox", "true")

    with step("into a group of strangers Ada is put as a request, and to decline is to leave"):
        group = (await noor.do("start_conversation", participant_ids=[ada.id, max_.id], type="group", title="Raffle", message="Win a dog!"))["id"]
        await tablet.expect("request:new", where=INBOX, conversation_id=group)
        assert await ada.row(group) is None and await requests(ada) == ["Win a dog!"]
        await ada.do("decline_request", conversation_id=group)
        await noor.expect("participant:left", where=INBOX, conversation_id=group, user_id=ada.id)
        error = await noor.refused("PT403", "add_participants", conversation_id=group, participant_ids=[ada.id])
        assert error.message == UNREACHABLE


async def test_privacy(deployment: Deployment, story):
    """Who may begin with Ada, whether reading shows, and whether she is seen: all hers to say, from one moment to the next."""
    ada, tablet, ines, lia, max_ = story.ada, story.tablet, story.ines, story.lia, story.max
    story.otto, story.pia = otto, pia = await deployment.people("Otto", "Pia")

    async def turned_away(person: Person, **more) -> None:
        error = await person.refused("PT403", "start_conversation", participant_ids=[ada.id], **more)
        assert (error.message, error.details, error.hint) == (UNREACHABLE, None, None)
        if not more:
            asked = await person.do("may", action="start", target_id=ada.id)
            assert (asked["allowed"], asked["reason"]) == (False, UNREACHABLE)

    with step("only whom she follows: Max begins about another dog, Otto does not, although he follows her"):
        await ada.do("set_privacy", message_privacy="following")
        await tablet.expect("privacy:updated", where=INBOX, message_privacy="following")
        await otto.do("follow_user", user_id=ada.id)
        await turned_away(otto)
        about = await max_.do("start_conversation", participant_ids=[ada.id], context_type="dog", context_id="7", message="A second one")
        await ada.expect("message:new", where=INBOX, conversation_id=about["id"])

    with step("only friends: Otto, whom she does not follow back, no; when she does, yes"):
        await ada.do("set_privacy", message_privacy="friends")
        await turned_away(otto)
        await ada.do("follow_user", user_id=otto.id)
        begun = await write_to(otto, ada, "We are friends")
        await ada.expect("message:new", where=INBOX, conversation_id=begun, message={"content": "We are friends"})

    with step("no one: not even a friend begins, adds her or rings; what they have goes on"):
        await ada.do("set_privacy", message_privacy="no_one")
        await turned_away(otto, context_type="dog", context_id="8")
        await turned_away(pia)
        await otto.refused("PT403", "start_conversation", UNREACHABLE, participant_ids=[ada.id, max_.id], type="group", title="Us")
        await otto.refused("PT403", "start_call", UNREACHABLE, conversation_id=begun, kind="video", device_id="phone")
        await otto.send(begun, "But this arrives")
        await ada.expect("message:new", where=INBOX, message={"content": "But this arrives"})
        absent = await otto.refused("PT403", "start_conversation", participant_ids=["99999999-9999-4999-8999-999999999999"])
        assert absent.message == UNREACHABLE
        await ada.do("set_privacy", message_privacy="everyone")

    with step("without read receipts Ada shows nothing and sees nothing; her own devices agree on what is read"):
        await ada.do("set_privacy", read_receipts=False)
        sent = await ada.send(begun, "Did you read this?")
        await otto.expect("message:new", message={"id": sent["id"]})
        await otto.do("mark_as_read", conversation_id=begun)
        await ada.do("mark_as_read", conversation_id=begun)
        await tablet.expect("message:read", where=INBOX, conversation_id=begun, user_id=ada.id)
        assert (await ada.history(begun))[-1]["status"] != "read"
        statuses = [m["status"] for m in await otto.history(begun) if m["sender_id"] == otto.id]
        assert "read" not in statuses
        await ada.do("set_privacy", read_receipts=True)
        assert (await ada.history(begun))[-1]["status"] == "read"
        otto.never("message:read", conversation_id=begun, user_id=ada.id)

    with step("hidden from those present she is not seen, sees others, and is seen again when she wants to be"):
        await otto.join(begun, presence=True)
        here = await tablet.join(begun, presence=True)
        await here.track({"status": "online"})
        await otto.expect("presence:join", where=begun, key=ada.id)
        await ada.do("set_privacy", show_presence=False)
        await otto.expect("presence:leave", where=begun, key=ada.id)
        await otto.channels[begun].track({"status": "online"})
        await tablet.expect("presence:join", where=begun, key=otto.id)
        await tablet.emit(begun, "typing:start")
        await otto.expect("typing:start", where=begun, user_id=ada.id)
        await ada.do("set_privacy", show_presence=True)
        await otto.expect("presence:join", where=begun, key=ada.id)
