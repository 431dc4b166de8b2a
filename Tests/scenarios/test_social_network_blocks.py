"""The pet social network when things go wrong: blocks, restriction, spam, and strangers who write too much.

Whoever is blocked is never told. So each step looks at both sides: what the one is spared, and how little the other sees.
"""

from __future__ import annotations

import asyncio
import datetime

import pytest
from postgrest import APIError
from story import INBOX, SOMETHING, Deployment, Person, eventually, step

pytestmark = pytest.mark.asyncio(loop_scope="module")
UNREACHABLE = "You cannot reach this user."
PHISH = "Your account was closed, sign in at http://paypal.com:login@192.0.2.7/x to open it"


async def texts_found(person: Person, query: str) -> list[str]:
    return [result["message"]["content"] for result in (await person.do("search_messages", query=query))["results"]]


async def test_a_block_in_the_middle_of_everything(deployment: Deployment, story):
    """Ada and Ben have a thread, a call, a group, and Ben has something scheduled; then Ada has enough."""
    deployment.sql("update parley.tier_limit set amount = null where name = 'new_account_hours'")
    story.ada, story.ben, story.cleo = ada, ben, cleo = await deployment.people("Ada", "Ben", "Cleo")
    story.tablet, story.phone = tablet, phone = await ada.other_device("tablet"), await ben.other_device("phone")
    story.talk = talk = (await ada.do("start_conversation", participant_ids=[ben.id], message="Hi Ben"))["id"]
    story.group = group = (
        await cleo.do("start_conversation", participant_ids=[ada.id, ben.id], type="group", title="Walks", message="Sunday?")
    )["id"]
    for person in (tablet, phone):
        channel = await person.join(talk, presence=True)
        await channel.track({"status": "online"})
    await phone.expect("presence:join", where=talk, key=ada.id)
    await tablet.expect("presence:join", where=talk, key=ben.id)
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    later = await ben.do("schedule_message", conversation_id=talk, content="A scheduled insult", send_at=soon.isoformat())
    call = await ben.do("start_call", conversation_id=talk, kind="voice", device_id="ben-phone")
    await ada.expect("call:ring", where=INBOX, call_id=call["id"])
    await ada.do("accept_call", call_id=call["id"], device_id="ada-phone")
    await ben.expect("call:accepted", where=INBOX, call_id=call["id"])

    with step("Ada blocks: the call ends for both, each is gone from the other's thread, and only her devices know why"):
        await ada.do("block_user", user_id=ben.id)
        for device in (ada, tablet, ben, phone):
            await device.expect("call:ended", where=INBOX, call_id=call["id"])
        await tablet.expect("contact:updated", where=INBOX, contact_id=ben.id, blocked=True)
        await tablet.expect("presence:leave", where=talk, key=ben.id)
        await phone.expect("presence:leave", where=talk, key=ada.id)
        story.before = await ada.texts(talk)

    with step("Ben writes, types and reads on: it all seems to work, and Ada hears none of it"):
        said = await ben.send(talk, "Was it something I said?")
        assert said["status"] == "sent"
        for device in (ben, phone):
            await device.expect("message:new", where=INBOX, message={"id": said["id"]})
        await phone.emit(talk, "typing:start")
        await phone.emit(talk, "wave", hello=True)
        await ben.do("mark_as_read", conversation_id=talk)
        await ben.do("edit_message", message_id=said["id"], content="Was it something I wrote?")

    with step("the message that was scheduled before the block goes the same way"):
        at_once = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
        await ben.do("update_scheduled_message", id=later["id"], send_at=at_once.isoformat())
        await phone.expect("scheduled:updated", where=INBOX, scheduled_message_id=later["id"], status="sent")
        assert "A scheduled insult" in await ben.texts(talk)

    with step("he cannot ring, nor begin anew, and is told what everybody is told of somebody who is not there"):
        for function, arguments in (
            ("start_call", {"conversation_id": talk, "kind": "voice", "device_id": "ben-phone"}),
            ("start_conversation", {"participant_ids": [ada.id], "context_type": "dog", "context_id": "1"}),
            ("start_conversation", {"participant_ids": [ada.id, cleo.id], "type": "group", "title": "Us"}),
        ):
            error = await ben.refused("PT403", function, **arguments)
            assert (error.message, error.details, error.hint) == (UNREACHABLE, None, None)

    with step("Ada's thread, counts, inbox and search are as they were; she would have to unblock to write"):
        await cleo.send(group, "Are you both coming?")
        await tablet.expect("message:new", where=INBOX, message={"content": "Are you both coming?"})
        assert await ada.texts(talk) == story.before and await ada.unread(talk) == 0
        assert [row["id"] for row in await ada.inbox()] == [group, talk]
        await eventually(lambda: texts_found(ada, "coming"), ["Are you both coming?"])
        assert await texts_found(ada, "insult") == [] and await texts_found(ben, "insult") == ["A scheduled insult"]
        for device in (ada, tablet):
            for kind in ("message:new", "message:updated"):
                device.never(kind, conversation_id=talk, message={"sender_id": ben.id})
            device.never("message:read", conversation_id=talk, user_id=ben.id)
            device.never("typing:start", user_id=ben.id)
            device.never("wave")
        await ada.refused("PT403", "send_message", "blocked", conversation_id=talk, content="No")


async def test_a_block_and_the_group_both_are_in(deployment: Deployment, story):
    """The group sees no difference. A mention does not pierce, and a call of either does not ring the other."""
    ada, ben, cleo, tablet, group = story.ada, story.ben, story.cleo, story.tablet, story.group

    with step("what Ben says there Ada reads, and it counts; that he names her does not"):
        await ada.do("mark_as_read", conversation_id=group)
        named = await ben.send(group, "@Ada, @Cleo, bring the ball", mentions=[ada.id, cleo.id])
        await tablet.expect("message:new", where=INBOX, message={"id": named["id"]})
        await cleo.expect("message:new", message={"id": named["id"]})
        assert (await ada.unread(group), (await ada.row(group))["mention_count"]) == (1, 0)
        assert (await cleo.row(group))["mention_count"] == 1

    with step("Ben calls the group: Cleo's phone rings, Ada's do not"):
        call = await ben.do("start_call", conversation_id=group, kind="voice", device_id="ben-phone", invite_ids=[ada.id, cleo.id])
        await cleo.expect("call:ring", where=INBOX, call_id=call["id"])
        await ben.do("cancel_call", call_id=call["id"])
        await cleo.expect("call:cancelled", where=INBOX, call_id=call["id"])
        await cleo.send(group, "Too early")
        await tablet.expect("message:new", where=INBOX, message={"content": "Too early"})
        rung = [participant["user_id"] for participant in call["participants"]]
        assert sorted(rung) == sorted([ben.id, cleo.id]), "a call rings whom it names"

    with step("the members are as before for both, and Ben finds Ada by name"):
        found = await ben.do("search_members", conversation_id=group, query="ad")
        assert [member["user_id"] for member in found] == [ada.id]
        assert len((await ada.do("get_participants", conversation_id=group))["participants"]) == 3


async def test_the_end_of_a_block(deployment: Deployment, story):
    """What was hidden stays hidden; what comes from then on comes."""
    ada, ben, tablet, phone, talk = story.ada, story.ben, story.tablet, story.phone, story.talk

    with step("unblocked, Ben is present again, and nothing of the time between comes out"):
        await ada.do("unblock_user", user_id=ben.id)
        await tablet.expect("contact:updated", where=INBOX, contact_id=ben.id, blocked=False)
        await phone.expect("presence:join", where=talk, key=ada.id)
        assert await ada.texts(talk) == story.before

    with step("his next message arrives on both devices and is read; the old ones stay sent"):
        hidden = [m["id"] for m in await ben.history(talk) if m["sender_id"] == ben.id]
        await ben.send(talk, "Friends again?")
        await tablet.expect("message:new", message={"content": "Friends again?"})
        await ada.do("mark_as_read", conversation_id=talk)
        await phone.expect("message:read", where=talk, user_id=ada.id)
        statuses = {m["id"]: m["status"] for m in await ben.history(talk) if m["sender_id"] == ben.id}
        assert len(hidden) >= 2 and {statuses.pop(id) for id in hidden} == {"sent"} and set(statuses.values()) == {"read"}


async def test_somebody_kept_at_a_distance(deployment: Deployment, story):
    """Restricted, Ben writes to the requests: his messages are there for Ada when she looks, and he never knows."""
    ada, ben, tablet, phone, talk = story.ada, story.ben, story.tablet, story.phone, story.talk

    with step("the thread moves out of Ada's inbox; Ben sees her go, and that is all"):
        await ada.do("restrict_user", user_id=ben.id)
        await tablet.expect("contact:updated", where=INBOX, contact_id=ben.id, restricted=True)
        assert await ada.row(talk) is None and await ada.row(talk, filter="requests") == SOMETHING
        await phone.expect("presence:leave", where=talk, key=ada.id)
        phone.heard.clear()

    with step("what he writes is there, counts nowhere, and is never seen to be read, even when she answers"):
        await ben.send(talk, "Hello?")
        assert (await ada.texts(talk))[-1] == "Hello?"
        assert (await ada.do("get_unread_counts"))["requests_total"] == 1
        await ada.do("mark_as_read", conversation_id=talk)
        await tablet.emit(talk, "typing:start")
        await ada.send(talk, "I am busy")
        await phone.expect("message:new", where=talk, message={"content": "I am busy"})
        assert await ada.row(talk) is None
        await ben.refused("PT403", "start_call", UNREACHABLE, conversation_id=talk, kind="voice", device_id="ben-phone")
        phone.never("message:read", user_id=ada.id)
        phone.never("typing:start", user_id=ada.id)

    with step("at the end of it the thread is back in the inbox, and he sees her again"):
        await ada.do("unrestrict_user", user_id=ben.id)
        await tablet.expect("contact:updated", where=INBOX, contact_id=ben.id, restricted=False)
        assert await ada.row(talk) == SOMETHING
        await phone.expect("presence:join", where=talk, key=ada.id)


async def test_spam(deployment: Deployment, story):
    """What looks like spam lands in the requests, what surely is spam is not sent, and friends are left alone."""
    ada, ben, tablet = story.ada, story.ben, story.tablet
    [mallory] = await deployment.people("Mallory")
    readers = await deployment.people("Rosa", "Sam", "Tom", "Uma", "Vic")

    with step("a stranger's plain message is in the inbox, as this network has it; with an odd link it moves to the requests"):
        talk = (await mallory.do("start_conversation", participant_ids=[ada.id], message="Is this your dog in the park?"))["id"]
        await tablet.expect("message:new", where=INBOX, conversation_id=talk)
        assert await ada.row(talk) == SOMETHING
        await mallory.send(talk, "See the pictures at http://192.0.2.7/dogs")
        await tablet.expect("request:new", where=INBOX, conversation_id=talk)
        assert await ada.row(talk) is None and await ada.row(talk, filter="requests") == SOMETHING

    with step("what surely is spam is refused, by HTTP and by socket alike, and Ada hears nothing of it"):
        await mallory.open(talk)
        error = await mallory.refused("PT422", "send_message", conversation_id=talk, content=PHISH)
        status, response = await mallory.ask(talk, "message:send", content=PHISH)
        assert (status, response["code"], response["message"]) == ("error", "PT422", error.message)
        assert PHISH not in await mallory.texts(talk) + await ada.texts(talk)

    with step("one text to everybody: the first readers have it in the inbox, the fifth among the requests"):
        advert = "Dear dog lover, my shop has the best food for every dog in town, come and see us this week"
        sent = [(await mallory.do("start_conversation", participant_ids=[reader.id], message=advert))["id"] for reader in readers]
        assert await readers[0].row(sent[0]) == SOMETHING
        await readers[4].expect("request:new", where=INBOX, conversation_id=sent[4])
        assert await readers[4].row(sent[4]) is None

    with step("Ben, who is no stranger, may pass the odd link on"):
        await ben.send(story.talk, "Somebody sends this around: http://192.0.2.7/dogs")
        await tablet.expect("message:new", where=INBOX, message={"content": "Somebody sends this around: http://192.0.2.7/dogs"})
        assert await ada.row(story.talk) == SOMETHING

    with step("to ask before sending teaches little: one word, and not often"):
        for _ in range(5):
            assert await mallory.do("check_spam", content=PHISH, recipient_id=ada.id) == {"action": "block"}
        error = await mallory.refused("PT429", "check_spam", content="And now?", recipient_id=ada.id)
        assert 1 <= int(error.details.partition("Retry-After: ")[2]) <= 60
        tablet.never("message:new", message={"content": PHISH})


async def test_too_much_for_strangers(deployment: Deployment, story):
    """So many messages to people who have not answered, then a 429 with the seconds; who answered is written to as ever."""
    ada, ben = story.ada, story.ben
    # Here all whom one has not answered are counted: what they write is a request.
    deployment.setting("stranger_messages", "requests")
    willa, xena, yves = await deployment.people("Willa", "Xena", "Yves")
    deployment.sql("""
        update parley.tier_limit set amount = 3, period_seconds = 24, burst = 3
        where tier_name = 'privileged_plus' and name = 'messages_to_strangers_per_hour';
        delete from parley.rate_bucket
    """)

    with step("the fourth message to a stranger has to wait, at every door, and it says how long"):
        talk = (await willa.do("start_conversation", participant_ids=[xena.id], message="Hello"))["id"]
        await willa.open(talk)
        await asyncio.gather(willa.send(talk, "I have"), willa.send(talk, "three poodles"))
        error = await willa.refused("PT429", "send_message", conversation_id=talk, content="and a cat")
        seconds = int(error.details.partition("Retry-After: ")[2])
        assert 1 <= seconds <= 8 and "messages_to_strangers_per_hour" in error.hint
        answer = await willa.raw("send_message", conversation_id=talk, content="and a cat")
        assert answer.status_code == 429 and 1 <= int(answer.headers["Retry-After"]) <= seconds
        status, response = await willa.ask(talk, "message:send", content="and a cat")
        assert (status, response["code"], response["retriable"]) == ("error", "PT429", True)

    with step("after these seconds it goes out; and once Xena has answered there is nothing to count"):
        sent = await willa.send_as_told(talk, "and a cat")
        await xena.expect("message:new", message={"id": sent["id"]})
        xena.never("message:new", message={"seq": sent["seq"] + 1})
        await xena.send(talk, "So do I")
        await willa.expect("message:new", message={"content": "So do I"})
        for n in range(6):
            await willa.send(talk, f"Poodle {n}")
        await xena.expect("message:new", message={"content": "Poodle 5"})

    with step("the limit is of strangers taken together: a second one makes no second allowance"):
        deployment.sql("update parley.tier_limit set period_seconds = 3600 where name = 'messages_to_strangers_per_hour'; delete from parley.rate_bucket")
        other = (await willa.do("start_conversation", participant_ids=[yves.id], message="Hello"))["id"]
        await willa.do("start_conversation", participant_ids=[ada.id], message="Hello")
        await willa.do("start_conversation", participant_ids=[ben.id], message="Hello")
        with pytest.raises(APIError) as refused:
            await willa.send(other, "One more")
        assert refused.value.code == "PT429" and int(refused.value.details.partition("Retry-After: ")[2]) > 600
        await willa.send(talk, "But to you I write")
        await xena.expect("message:new", message={"content": "But to you I write"})
        yves.never("message:new", message={"content": "One more"})
