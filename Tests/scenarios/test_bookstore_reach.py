"""The bookstore from day to day: plans that end, members of two stores, and limits, all of it while people are connected."""

from __future__ import annotations

import asyncio
import datetime

import pytest
from story import INBOX, Deployment, Person, eventually, step

pytestmark = pytest.mark.asyncio(loop_scope="module")
UNREACHABLE = "You cannot reach this user."


def closed(person: Person, conversation: str) -> bool:
    return not person.channels[conversation].is_joined


async def test_a_plan_that_ends(deployment: Deployment, story):
    """Paula has paid for a while. When the time is over she is a free member, without anybody doing anything."""
    story.corner, story.harbour = (
        deployment.sql(f"insert into parley.tenant (name) values ('{name}') returning id") for name in ("Corner Books", "Harbour Books")
    )
    story.paula, story.fred, story.flora = paula, fred, flora = await deployment.people("Paula", "Fred", "Flora", tier="free")
    for member in (paula, fred, flora):
        await deployment.host.do("set_tenant_member", tenant_id=story.corner, user_id=member.id)
    phone = await paula.other_device("phone")

    with step("she may not begin; the button says what would change it; a month is bought, and both of her devices know"):
        asked = await paula.do("may", action="start", target_id=fred.id)
        assert asked["allowed"] is False and "plan" in asked["reason"] and asked["remedy"]
        deployment.sql(f"""
            insert into parley.subscription (user_id, tier_name, ends_at)
            values ('{paula.id}', 'privileged', now() + interval '1 month')
        """)
        for device in (paula, phone):
            changed = await device.expect("entitlements:changed", where=INBOX, tier="privileged")
            assert changed["limits"]["retention_days"]["amount"] == 180
        assert (await paula.do("may", action="start", target_id=fred.id))["allowed"] is True
        story.talk = talk = (await paula.do("start_conversation", participant_ids=[fred.id], message="Have you read Emma?"))["id"]
        story.club = club = (await paula.do("start_conversation", participant_ids=[fred.id], type="group", title="Austen"))["id"]
        await fred.expect("message:new", conversation_id=talk)
        old = await fred.send(talk, "In spring, yes")
        await paula.expect("message:new", message={"id": old["id"]})
        deployment.age({old["id"]: 100})
        # So have they known each other.
        deployment.sql(f"update parley.participant set joined_at = now() - interval '200 days' where conversation_id = '{talk}'")
        assert "In spring, yes" in await paula.texts(talk)
        await asyncio.gather(paula.open(talk), fred.open(talk))

    with step("the month is over while she writes: both devices are told, and the window closes on what is old"):
        deployment.sql(f"update parley.subscription set ends_at = clock_timestamp() + interval '2 seconds' where user_id = '{paula.id}'")
        for device in (paula, phone):
            changed = await device.expect("entitlements:changed", where=INBOX, tier="free")
            assert changed["limits"]["retention_days"]["amount"] == 30
        assert (await paula.do("get_entitlements"))["tier"] == "free"
        assert "In spring, yes" not in await paula.texts(talk)

    with step("she begins nothing any more, adds nobody new to her group, and nobody hears of the attempt"):
        await paula.refused("PT403", "start_conversation", "plan", participant_ids=[flora.id], message="Hello, Flora")
        await paula.refused("PT403", "add_participants", "plan", conversation_id=club, participant_ids=[flora.id])
        assert await flora.inbox() == []

    with step("but she answers where she is, on the socket that was open all the time"):
        status, _ = await paula.ask(talk, "message:send", content="I still answer")
        assert status == "ok"
        await fred.expect("message:new", message={"content": "I still answer", "sender_id": paula.id})

    with step("the host moves her up and down again: each counts from the next statement on"):
        await deployment.host.do("set_account_tier", user_id=paula.id, tier="privileged_plus")
        await paula.do("start_conversation", participant_ids=[flora.id], message="Hello, Flora")
        await flora.expect("message:new", message={"content": "Hello, Flora"})
        await deployment.host.do("set_account_tier", user_id=paula.id, tier="free")
        await paula.refused("PT403", "start_conversation", "plan", participant_ids=[flora.id], context_type="book", context_id="1")
        await phone.expect("entitlements:changed", where=INBOX, tier="privileged_plus")
        await phone.expect("entitlements:changed", where=INBOX, tier="free")


async def test_a_member_of_two_stores(deployment: Deployment, story):
    """Vera pays in one store and works in neither, until the other makes her a manager, and takes that back."""
    corner, harbour, fred = story.corner, story.harbour, story.fred
    story.vera, story.hans = vera, hans = await deployment.people("Vera", "Hans", tier="free")
    for store, member in ((corner, vera), (harbour, vera), (harbour, hans)):
        await deployment.host.do("set_tenant_member", tenant_id=store, user_id=member.id)
    deployment.sql(f"insert into parley.subscription (user_id, tier_name, tenant_id) values ('{vera.id}', 'privileged', '{corner}')")

    with step("what she has paid for in the one store opens nothing in the other"):
        await vera.expect("entitlements:changed", where=INBOX)
        begun = await vera.do("start_conversation", participant_ids=[fred.id], message="From one reader to another")
        assert begun["tenant_id"] == corner
        await fred.expect("message:new", message={"content": "From one reader to another"})
        story.reading = begun["id"]
        await vera.refused("PT403", "start_conversation", "plan", participant_ids=[hans.id], message="And you?")

    with step("a manager of the other store begins there, whatever she pays; nobody is brought from one into the other"):
        await deployment.host.do("set_tenant_member", tenant_id=harbour, user_id=vera.id, role="manager")
        await vera.expect("entitlements:changed", where=INBOX, tenant_id=harbour, role="manager")
        begun = await vera.do("start_conversation", participant_ids=[hans.id], message="Your order is here")
        assert begun["tenant_id"] == harbour
        await hans.expect("message:new", message={"content": "Your order is here"})
        story.order = begun["id"]
        await vera.refused("PT403", "start_conversation", UNREACHABLE, participant_ids=[fred.id, hans.id], type="group", title="All")
        story.staff = (await vera.do("start_conversation", participant_ids=[hans.id], type="group", title="Staff"))["id"]
        await vera.refused("PT403", "add_participants", UNREACHABLE, conversation_id=story.staff, participant_ids=[fred.id])

    with step("a member again, she answers there and begins no more"):
        await deployment.host.do("set_tenant_member", tenant_id=harbour, user_id=vera.id, role="member")
        await vera.expect("entitlements:changed", where=INBOX, tenant_id=harbour, role="member")
        await vera.refused("PT403", "start_conversation", "plan", participant_ids=[hans.id], context_type="order", context_id="2")
        await vera.send(story.order, "It waits at the counter")
        await hans.expect("message:new", message={"content": "It waits at the counter"})


async def test_leaving_one_of_two_stores(deployment: Deployment, story):
    """The store's own software deletes a row. Vera is out of that store in the middle of everything, and stays in the other."""
    vera, hans, fred, reading, order, staff = story.vera, story.hans, story.fred, story.reading, story.order, story.staff
    tablet = await vera.other_device("tablet")
    for conversation in (reading, order, staff):
        await tablet.join(conversation, presence=True)
    await hans.join(order, presence=True)
    await tablet.channels[order].track({"status": "online"})
    await hans.expect("presence:join", where=order, key=vera.id)
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    later = await vera.do("schedule_message", conversation_id=order, content="Still at the counter", send_at=soon.isoformat())
    call = await vera.do("start_call", conversation_id=order, kind="voice", device_id="counter")
    await hans.expect("call:ring", where=INBOX, call_id=call["id"])
    await hans.do("accept_call", call_id=call["id"], device_id="hans-phone")
    await vera.expect("call:accepted", where=INBOX, call_id=call["id"])

    with step("the row is gone: her channels of that store close, the call ends, and Hans sees her leave"):
        deployment.sql(f"delete from parley.tenant_member where tenant_id = '{story.harbour}' and user_id = '{vera.id}'")
        await hans.expect("participant:left", where=INBOX, conversation_id=order, user_id=vera.id)
        await hans.expect("participant:left", where=INBOX, conversation_id=staff, user_id=vera.id)
        await hans.expect("presence:leave", where=order, key=vera.id)
        await hans.expect("call:ended", where=INBOX, call_id=call["id"])
        await tablet.expect("participant:left", where=INBOX, conversation_id=order, user_id=vera.id)

        async def channels() -> list[bool]:
            return [closed(tablet, conversation) for conversation in (order, staff, reading)]

        await eventually(channels, [True, True, False])

    with step("she neither hears, reads, writes nor joins there; what she had scheduled is not sent"):
        await hans.send(order, "Are you there?")
        await hans.expect("message:new", where=INBOX, message={"content": "Are you there?"})
        for function, arguments in (("send_message", {"content": "Yes"}), ("get_conversation_messages", {}), ("get_events", {"after_seq": 0})):
            await vera.refused("PT403", function, conversation_id=order, **arguments)
        assert "Unauthorized" in await vera.cannot_join(order)
        assert [row["id"] for row in await vera.inbox()] == [reading]
        deployment.sql(f"update parley.scheduled_message set send_at = now(), attempt_at = now() where id = '{later['id']}'")
        await vera.expect("scheduled:updated", where=INBOX, scheduled_message_id=later["id"], status="failed", error_code="PT403")
        assert "Still at the counter" not in await hans.texts(order)

    with step("in the other store nothing has happened: the same socket writes and hears"):
        status, _ = await tablet.ask(reading, "message:send", content="I have more time to read now")
        assert status == "ok"
        await fred.expect("message:new", message={"content": "I have more time to read now"})
        await fred.send(reading, "Then read Persuasion")
        await tablet.expect("message:new", where=reading, message={"content": "Then read Persuasion"})
        for device in (vera, tablet):
            device.never("message:new", message={"content": "Are you there?"})
        await vera.refused("PT403", "start_conversation", participant_ids=[hans.id])
    await tablet.close()


async def test_two_who_knew_each_other_before(deployment: Deployment, story):
    """Readers who talked before there was a store between them: it closes their thread, and opens it when they share one."""
    rita, sven = await deployment.people("Rita", "Sven")
    talk = (await rita.do("start_conversation", participant_ids=[sven.id], message="Before all that"))["id"]
    await asyncio.gather(rita.open(talk), sven.open(talk))

    with step("Rita joins a store: both can read, neither can write, schedule or ring, and both are told"):
        await deployment.host.do("set_tenant_member", tenant_id=story.corner, user_id=rita.id)
        for person in (rita, sven):
            await person.expect("conversation:updated", conversation={"id": talk, "read_only": True})
            error = await person.refused("PT403", "send_message", "only be read", conversation_id=talk, content="Hello?")
            ring = await person.refused("PT403", "start_call", conversation_id=talk, kind="voice", device_id="phone")
            assert ring.message == error.message
            assert await person.texts(talk) == ["Before all that"]
        status, response = await sven.ask(talk, "message:send", content="Hello?")
        assert (status, response["code"]) == ("error", "PT403")

    with step("Sven joins another store and nothing changes; he comes to hers, and they go on where they were"):
        await deployment.host.do("set_tenant_member", tenant_id=story.harbour, user_id=sven.id)
        await sven.refused("PT403", "send_message", conversation_id=talk, content="Hello?")
        await deployment.host.do("set_tenant_member", tenant_id=story.corner, user_id=sven.id)
        await rita.expect("conversation:updated", conversation={"id": talk, "read_only": False})
        await sven.send(talk, "In one store at last")
        await rita.expect("message:new", message={"content": "In one store at last"})
        rita.never("message:new", message={"content": "Hello?"})


async def test_limits_and_the_seconds_they_name(deployment: Deployment, story):
    """A limit says when it is over, and then it is; a new account has less; what a worker counts spares receipts."""
    fred, talk = story.fred, story.talk
    [nora] = await deployment.people("Nora", tier="free")
    await deployment.host.do("set_tenant_member", tenant_id=story.corner, user_id=nora.id)

    with step("Fred searches too often, waits as long as he is told, and finds"):
        deployment.sql("""
            update parley.tier_limit set amount = 2, period_seconds = 8, burst = 2
            where tier_name = 'free' and name = 'searches_per_minute';
            delete from parley.rate_bucket
        """)
        await asyncio.gather(*(fred.do("search_messages", query="Emma") for _ in range(2)))
        error = await fred.refused("PT429", "search_messages", query="Emma")
        seconds = int(error.details.partition("Retry-After: ")[2])
        assert 1 <= seconds <= 4 and "searches_per_minute" in error.hint
        await asyncio.sleep(seconds)
        found = (await fred.do("search_messages", query="Emma"))["results"]
        assert [result["message"]["content"] for result in found] == ["Have you read Emma?"]

    with step("whoever came today gets one message an hour, and yesterday's member as many as the plan says"):
        deployment.sql("""
            update parley.tier_limit set amount = 100, period_seconds = 3600, burst = 100, young_days = 1, young_amount = 1
            where tier_name = 'free' and name = 'messages_per_minute';
            delete from parley.rate_bucket
        """)
        deployment.sql(f"update parley.account set created_at = now() - interval '2 days' where id = '{fred.id}'")
        await story.paula.refused("PT403", "add_participants", "plan", conversation_id=story.club, participant_ids=[nora.id])
        await deployment.host.do("set_account_tier", user_id=story.paula.id, tier="privileged")
        await story.paula.do("add_participants", conversation_id=story.club, participant_ids=[nora.id])
        await nora.expect("conversation:new", conversation_id=story.club)
        await nora.send(story.club, "Hello, all")
        error = await nora.refused("PT429", "send_message", conversation_id=story.club, content="I am new here")
        assert int(error.details.partition("Retry-After: ")[2]) > 600
        for n in range(3):
            await fred.send(story.club, f"Hello, Nora {n}")
        await nora.expect("message:new", message={"content": "Hello, Nora 2"})
        deployment.sql(f"update parley.account set created_at = now() - interval '2 days' where id = '{nora.id}'")
        error = await nora.refused("PT429", "send_message", conversation_id=story.club, content="I have been here for days")
        assert int(error.details.partition("Retry-After: ")[2]) <= 36, "a hundred an hour"

    with step("too many requests are turned away at the door, with the seconds; that something was read still gets through"):
        deployment.sql("""
            update parley.tier_limit set amount = 0, period_seconds = 60, burst = null
            where tier_name = 'free' and name = 'requests_per_minute'
        """)

        async def turned_away() -> int:
            return (await fred.raw("get_unread_counts")).status_code

        await eventually(turned_away, 429)
        answer = await fred.raw("get_unread_counts")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60 and "requests_per_minute" in answer.json()["hint"]
        status, response = await fred.ask(talk, "message:send", content="Too many")
        assert (status, response["code"], response["retriable"]) == ("error", "PT429", True)
        assert (await fred.raw("mark_as_read", conversation_id=talk)).status_code == 200
        deployment.sql("update parley.tier_limit set amount = null, burst = null where name = 'requests_per_minute'")
        await eventually(turned_away, 200)
        await fred.send(talk, "And on we go")
        await story.paula.expect("message:new", message={"content": "And on we go"})
