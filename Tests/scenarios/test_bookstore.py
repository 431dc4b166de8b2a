"""The bookstore: members of a store write to one another, as far as their tier lets them.

Plans are rows: what a tier may do, how much of it, and how far back it sees is looked up by the statement that asks.
"""

from __future__ import annotations

import asyncio
import time
import uuid

import pytest
from story import INBOX, SOMETHING, Deployment, Person, step

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_who_may_begin(deployment: Deployment, story):
    """Privileged members and managers begin conversations; free members answer."""
    story.store, story.elsewhere = (
        deployment.sql(f"insert into parley.tenant (name) values ('{name}') returning id") for name in
        ("Corner Books", "Harbour Books")
    )
    story.manager, story.free, story.other_free = await deployment.people("Mina", "Fred", "Flora", tier="free")
    [story.privileged] = await deployment.people("Paula", tier="privileged")
    story.plus, story.outsider, story.nobody = await deployment.people("Priya", "Otto", "Nora")
    manager, free, privileged, plus = story.manager, story.free, story.privileged, story.plus
    host = deployment.host
    for member, role in ((manager, "manager"), (free, "member"), (story.other_free, "member"), (privileged, "member"),
                         (plus, "member")):
        await host.do("set_tenant_member", tenant_id=story.store, user_id=member.id, role=role)
    await host.do("set_tenant_member", tenant_id=story.elsewhere, user_id=story.outsider.id)

    with step("each learns what their plan includes, before a button is shown"):
        mine = {person: await person.do("get_entitlements") for person in (free, privileged, plus)}
        assert [m["tier"] for m in mine.values()] == ["free", "privileged", "privileged_plus"]
        assert [m["entitlements"]["can_initiate_direct_messages"] for m in mine.values()] == [False, True, True]
        assert [m["limits"]["retention_days"]["amount"] for m in mine.values()] == [30, 180, 365]

    with step("a free member cannot begin, is told why, and nobody hears of it"):
        for other in (story.other_free, plus):
            error = await free.refused(
                "PT403", "start_conversation", "plan", participant_ids=[other.id], message="Hello?"
            )
            assert "answer" in error.hint
        await free.refused("PT403", "start_conversation", participant_ids=[plus.id], type="group", title="Readers")

    with step("a privileged member begins; the free member is told at once, and answers"):
        began = time.monotonic()
        started = await privileged.do("start_conversation", participant_ids=[free.id], message="Have you read Austen?")
        story.talk = talk = started["id"]
        assert started["tenant_id"] == story.store
        await free.expect("conversation:new", conversation_id=talk)
        await free.expect("message:new", message={"content": "Have you read Austen?"})
        # The design asks for less than two seconds.
        assert next(h for h in free.heard if h.kind == "message:new").at - began < 2
        await free.send(talk, "Twice.")
        await privileged.expect("message:new", message={"content": "Twice.", "sender_id": free.id})

    with step("asked for again the free member opens the conversation there is: that is no beginning"):
        again = await free.do("start_conversation", participant_ids=[privileged.id])
        assert (again["id"], again["created"]) == (talk, False)

    with step("a manager begins whatever their tier, for the administration"):
        notice = await manager.do("start_conversation", participant_ids=[free.id], message="Your order is here.")
        await free.expect("message:new", conversation_id=notice["id"], message={"content": "Your order is here."})
        story.notice = notice["id"]


async def test_the_boundary_of_the_store(deployment: Deployment, story):
    """Nobody writes across stores, whoever names whom; the database knows who is where."""
    manager, free, privileged, plus, outsider = (
        story.manager, story.free, story.privileged, story.plus, story.outsider
    )

    with step("neither a member nor a manager reaches a member of another store, nor somebody in none"):
        for member in (plus, privileged, manager):
            for stranger in (outsider, story.nobody):
                error = await member.refused("PT403", "start_conversation", participant_ids=[stranger.id])
                assert error.message == "You cannot reach this user." and not error.hint
        await outsider.refused("PT403", "start_conversation", participant_ids=[free.id], message="Cheap books!")
        await plus.refused(
            "PT403", "start_conversation", participant_ids=[free.id, outsider.id], type="group", title="Both stores"
        )

    with step("nor does somebody get into a conversation of the store from outside"):
        club = await plus.do(
            "start_conversation", participant_ids=[free.id, privileged.id], type="group", title="Austen readers"
        )
        story.club = club["id"]
        await plus.refused("PT403", "add_participants", conversation_id=club["id"], participant_ids=[outsider.id])
        await outsider.refused("PT403", "get_conversation_messages", conversation_id=story.talk)
        assert "Unauthorized" in await outsider.cannot_join(story.talk)
        assert await outsider.inbox() == []
        for view in ("conversations", "participants", "messages"):
            assert (await outsider.client.table(view).select("*").execute()).data == []

    with step("who leaves the club leaves its conversations, at once and in the stream"):
        await asyncio.gather(privileged.open(story.talk), free.open(story.talk))
        left = await deployment.host.do("remove_tenant_member", tenant_id=story.store, user_id=privileged.id)
        assert left["conversations_left"] == 2
        for conversation in (story.talk, story.club):
            await free.expect("participant:left", conversation_id=conversation, user_id=privileged.id)
        await privileged.refused("PT403", "send_message", conversation_id=story.talk, content="Wait!")
        assert await privileged.inbox() == []
        await free.send(story.talk, "Are you still here?")
        await free.expect("message:new", message={"content": "Are you still here?"})
        await free.refused("PT403", "start_conversation", participant_ids=[privileged.id])

    with step("a member again, the two pick up their thread; what was said meanwhile is not for who was away"):
        await deployment.host.do("set_tenant_member", tenant_id=story.store, user_id=privileged.id)
        again = await privileged.do("start_conversation", participant_ids=[free.id])
        assert again["id"] == story.talk
        await privileged.expect("conversation:new", where="inbox", conversation_id=story.talk)
        await free.send(story.talk, "Welcome back")
        await privileged.expect("message:new", where="inbox", message={"content": "Welcome back"})
        privileged.never("message:new", message={"content": "Are you still here?"})
        assert "Are you still here?" not in await privileged.texts(story.talk)


async def test_another_store_is_another_deployment(cluster, deployment: Deployment, story):
    """Two bookstores, each with its own database, worker and keys: nothing of one is known or valid in the other."""
    harbour = await Deployment(cluster, "harbour").start()
    try:
        with step("a member of this store, with the token of this store, is nobody there"):
            answer = await harbour.host.raw("get_user_conversations", token=story.free.token)
            assert answer.status_code == 401
            guest = Person(harbour, "Fred, with a token of the other store", story.free.id)
            await guest.sign_in(token=story.free.token)
            assert "JwtSignatureError" in await guest.cannot_join(INBOX)

        with step("and with a token of that store, the same id has no conversations, and the others no members"):
            twin = await Person(harbour, "Fred's namesake", story.free.id).sign_in()
            assert await twin.inbox() == []
            await twin.refused("PT403", "get_conversation_messages", conversation_id=story.talk)
            assert harbour.sql("select count(*) from parley.account") == "0"
            assert "Unauthorized" in await twin.cannot_join(story.talk)
    finally:
        await harbour.stop()


async def test_four_functions(deployment: Deployment, story):
    """All that a simple messenger needs: start, send, list, read."""
    plus, manager = story.plus, story.manager

    with step("begin, answer, list and read: four functions and one subscription on each side"):
        started = await manager.do("start_conversation", participant_ids=[plus.id], message="Your reservation ends today")
        told = await plus.expect("message:new", conversation_id=started["id"])
        await plus.do("send_message", conversation_id=told["conversation_id"], content="I come at five")
        await manager.expect("message:new", message={"content": "I come at five", "sender_id": plus.id})
        listed = (await manager.do("get_user_conversations"))["conversations"][0]
        assert (listed["id"], listed["last_message"]["content"]) == (started["id"], "I come at five")
        read = (await plus.do("get_conversation_messages", conversation_id=started["id"]))["messages"]
        assert [m["content"] for m in read] == ["Your reservation ends today", "I come at five"]


async def test_plans_are_rows(deployment: Deployment, story):
    """Limits are refused with the time to wait; a change of a plan counts from the next statement on."""
    free, privileged, talk = story.free, story.privileged, story.talk

    with step("a free member writes as often as the plan says, and is then told when to try again"):
        deployment.sql("""
            update parley.tier_limit set amount = 4, period_seconds = 60, burst = 4
            where tier_name = 'free' and name = 'messages_per_minute';
            delete from parley.rate_bucket
        """)
        for n in range(4):
            await free.send(talk, f"Line {n}")
        error = await free.refused("PT429", "send_message", conversation_id=talk, content="Line 5")
        seconds = int(error.details.partition("Retry-After: ")[2])
        assert 1 <= seconds <= 16
        answer = await free.raw("send_message", conversation_id=talk, content="Line 5")
        assert answer.status_code == 429 and 1 <= int(answer.headers["Retry-After"]) <= 16
        assert answer.json()["code"] == "PT429"

    with step("over the socket it is the same limit, and the answer says that later is fine"):
        status, response = await free.ask(talk, "message:send", content="Line 5")
        assert (status, response["code"], response["retriable"]) == ("error", "PT429", True)
        privileged.never("message:new", message={"content": "Line 5"})

    with step("another tier is another row: after the upgrade the wait is short, and the same member may begin"):
        await deployment.host.do("set_account_tier", user_id=free.id, tier="privileged")
        await free.expect("account:updated", tier="privileged")
        await free.send_as_told(talk, "Line 5")
        await privileged.expect("message:new", where="inbox", message={"content": "Line 5"})
        opened = await free.do("start_conversation", participant_ids=[story.other_free.id])
        await story.other_free.expect("conversation:new", conversation_id=opened["id"])

    with step("taking the entitlement from the tier takes it from all of its members, at once"):
        deployment.sql("""
            update parley.tier_entitlement set granted = false
            where tier_name = 'privileged' and name = 'can_initiate_direct_messages'
        """)
        await free.refused("PT403", "start_conversation", "plan", participant_ids=[story.plus.id])
        deployment.sql("update parley.tier_entitlement set granted = true where tier_name = 'privileged'")
        allowed = await free.do("start_conversation", participant_ids=[story.plus.id])
        assert allowed["created"]

    with step("ten new conversations a day, then a 429 that says to come back much later"):
        deployment.sql("""
            delete from parley.rate_bucket;
            update parley.tier_limit set amount = 1, burst = 1
            where tier_name = 'privileged_plus' and name = 'new_conversations_per_day'
        """)
        await story.plus.do("start_conversation", participant_ids=[privileged.id])
        error = await story.plus.refused("PT429", "start_conversation", participant_ids=[story.other_free.id])
        assert int(error.details.partition("Retry-After: ")[2]) > 3600
        assert "new_conversations_per_day" in error.hint

    with step("what is written is checked: 5,000 characters go through, one more does not"):
        long = "é" * 5000
        await privileged.send(talk, long)
        await free.expect("message:new", message={"content": long})
        await privileged.refused("PT400", "send_message", "5000", conversation_id=talk, content=long + "é")


async def test_how_far_back(deployment: Deployment, story):
    """Each sees as far back as their own tier reaches: history, counts, search and single messages."""
    plus, manager = story.plus, story.manager
    [reader] = await deployment.people("Rosa", tier="free")
    await deployment.host.do("set_tenant_member", tenant_id=story.store, user_id=reader.id)

    with step("a conversation that has gone on for more than a year"):
        started = await manager.do("start_conversation", participant_ids=[reader.id])
        talk = started["id"]
        deployment.sql("update parley.tier_limit set amount = null where name = 'messages_per_minute'")
        ages = {400: "long ago", 300: "last winter", 100: "in summer", 29: "lately", 0: "today"}
        sent = [await manager.send(talk, f"The fair was {when}") for when in ages.values()]
        for message in sent:
            await reader.expect("message:new", message={"id": message["id"]})
        deployment.age({message["id"]: days for message, days in zip(sent, ages, strict=True) if days})
        deployment.sql(f"update parley.participant set joined_at = now() - interval '401 days' where conversation_id = '{talk}'")

    def fair(*whens: str) -> list[str]:
        return [f"The fair was {when}" for when in whens]

    with step("free sees 30 days, and counts no more than it sees"):
        assert await reader.texts(talk) == fair("lately", "today")
        assert await reader.unread(talk) == 2
        rows = (await reader.client.table("messages").select("content").eq("conversation_id", talk).order("seq").execute()).data
        assert [row["content"] for row in rows] == fair("lately", "today")

    with step("the next tiers see half a year and a year, from the moment of the upgrade"):
        await deployment.host.do("set_account_tier", user_id=reader.id, tier="privileged")
        assert await reader.texts(talk) == fair("in summer", "lately", "today")
        await deployment.host.do("set_account_tier", user_id=reader.id, tier="privileged_plus")
        assert await reader.texts(talk) == fair("last winter", "in summer", "lately", "today")
        assert await reader.unread(talk) == 4

    with step("and a downgrade takes it back"):
        await deployment.host.do("set_account_tier", user_id=reader.id, tier="free")
        assert await reader.texts(talk) == fair("lately", "today")
        await reader.expect("account:updated", tier="free")


async def test_pages_of_a_member(deployment: Deployment, story):
    """The list of conversations, the thread and the search by name, page by page."""
    plus = story.plus
    deployment.sql("update parley.tier_limit set amount = null where name = 'new_conversations_per_day'")

    with step("a member with many conversations reads the list in pages, the latest first, none twice"):
        others = await asyncio.gather(*(deployment.user(f"Reader {n}", "free") for n in range(7)))
        begun = set()
        for other in others:
            await deployment.host.do("set_tenant_member", tenant_id=story.store, user_id=other)
            new = await plus.do("start_conversation", participant_ids=[other], message=str(uuid.uuid4()))
            begun.add(new["id"])
        every = [row["id"] for row in await plus.inbox(page_size=100)]
        seen, cursor = [], None
        while True:
            page = await plus.do("get_user_conversations", page_size=3, cursor=cursor)
            seen += [row["id"] for row in page["conversations"]]
            # A notice is no preview, so of the others one may have none.
            assert all(row["last_message"] == SOMETHING for row in page["conversations"] if row["id"] in begun)
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == every and len(set(seen)) == len(seen) > 7
        assert [p["user_id"] for p in (await plus.inbox(page_size=1))[0]["participants"]].count(others[-1]) == 1

    with step("found again by the other's name, or by the title"):
        rows = await plus.inbox(search="reader 3")
        assert len(rows) == 1 and others[3] in [p["user_id"] for p in rows[0]["participants"]]
        assert [row["id"] for row in await plus.inbox(search="austen")] == [story.club]
