"""The project portal: conversations of a project, with owners, admins and members, files, search and an end.

The host makes the conversations of its projects and gives the roles; when it deletes a project, they go with it.
"""

from __future__ import annotations

import asyncio
import subprocess
import uuid
from pathlib import Path

import pytest
from story import INBOX, SOMETHING, Deployment, eventually, step

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = Path(__file__).resolve().parents[2] / "Examples"
BRIDGE, TUNNEL = str(uuid.uuid4()), str(uuid.uuid4())


async def test_the_conversations_of_a_project(deployment: Deployment, story):
    """The host makes them: the project's own, one for support, one for announcements, each with its roles."""
    # Words are looked for by their stems, in the language of the deployment.
    deployment.sql("select parley.set_search_language('english')")
    story.owner, story.admin, story.engineer, story.client, story.stranger = people = await deployment.people(
        "Olga", "Arne", "Emil", "Carla", "Sven"
    )
    owner, admin, engineer, client, stranger = people
    host = deployment.host
    roles = {owner.id: "owner", admin.id: "admin"}
    team = {"participant_ids": [owner.id, admin.id, engineer.id, client.id], "roles": roles,
            "context_type": "project", "context_id": BRIDGE}

    with step("twice the same request makes one conversation of the project, and everybody in it is told"):
        made = await asyncio.gather(*(
            host.do("start_conversation", type="project", title="The bridge", unique_context=True, **team) for _ in (1, 2)
        ))
        story.talk = talk = made[0]["id"]
        assert made[1]["id"] == talk and sorted(m["created"] for m in made) == [False, True]
        for person in (owner, admin, engineer, client):
            new = await person.expect("conversation:new", conversation_id=talk)
            assert (new["conversation"]["type"], new["conversation"]["context_id"]) == ("project", BRIDGE)
        given = {p["user_id"]: p["role"] for p in made[0]["participants"]}
        assert given == {**roles, engineer.id: "member", client.id: "member"}

    with step("support and announcements beside it: in an announcement only admins speak"):
        story.news = (await host.do("start_conversation", type="announcement", title="News", **team))["id"]
        story.support = (await client.do(
            "start_conversation", participant_ids=[admin.id], type="support", title="Login", context_type="project",
            context_id=BRIDGE, message="I cannot log in.",
        ))["id"]
        await admin.expect("message:new", conversation_id=story.support, message={"content": "I cannot log in."})
        await admin.send(story.news, "The site is closed on Friday")
        await client.expect("message:new", message={"content": "The site is closed on Friday"})
        await client.refused("PT403", "send_message", "admins", conversation_id=story.news, content="Why?")
        await client.open(story.news)
        status, response = await client.ask(story.news, "message:send", content="Why?")
        assert (status, response["code"]) == ("error", "PT403")

    with step("the list of the project's conversations, for each what they are in"):
        async def listed(person) -> set[str]:
            return {row["id"] for row in await person.inbox(context_type="project", context_id=BRIDGE)}

        assert await listed(client) == {talk, story.news, story.support}
        assert await listed(engineer) == {talk, story.news}
        assert await listed(stranger) == set()
        assert [row["id"] for row in await client.inbox(context_type="project", context_id=TUNNEL)] == []
        rows = (await engineer.client.table("conversations").select("type,status").eq("context_id", BRIDGE).execute()).data
        assert sorted((row["type"], row["status"]) for row in rows) == [("announcement", "active"), ("project", "active")]


async def test_talking_by_the_socket(deployment: Deployment, story):
    """The events of the design: join, message:send, typing, message:read, under the names that older clients use."""
    owner, engineer, client, talk = story.owner, story.engineer, story.client, story.talk
    await asyncio.gather(*(person.open(talk) for person in (owner, engineer, client)))

    with step("joining by event is accepted, joining by topic is what counts"):
        assert (await engineer.ask(talk, "join:conversation", conversation_id=talk))[0] == "ok"
        assert "Unauthorized" in await story.stranger.cannot_join(talk)

    with step("a message by socket reaches all who are in it, in the thread and in the inbox"):
        status, _ = await engineer.ask(talk, "message:send", content="Test message", type="text")
        assert status == "ok"
        for person in (owner, client):
            new = await person.expect("message:new", message={"content": "Test message"})
            assert new["message"]["sender_role"] == "member"
        story.stranger.never("message:new")

    with step("typing, by either name"):
        await client.emit(talk, "user:typing", is_typing=True)
        await owner.expect("typing:start", where=talk, user_id=client.id)
        await client.emit(talk, "typing:stop")
        await owner.expect("typing:stop", where=talk, user_id=client.id)

    with step("read up to a message: its writer sees who has, and who has not"):
        message = (await engineer.history(talk))[-1]
        assert (await owner.ask(talk, "message:read:update", message_id=message["id"]))[0] == "ok"
        await engineer.expect("message:read", user_id=owner.id, last_read_seq=message["seq"])
        receipts = await engineer.do("get_message_receipts", message_id=message["id"])
        assert {r["display_name"]: bool(r["read_at"]) for r in receipts["receipts"]} == {
            "Olga": True, "Arne": False, "Carla": False
        }
        assert (receipts["read_count"], receipts["status"]) == (1, "sent")

    with step("what makes no sense is an error that says so, and the channel lives on"):
        for payload, code in (
            ({}, "PT400"), ({"content": "x" * 5001}, "PT400"), ({"content": "?", "type": "song"}, "PT400"),
            ({"content": "?", "attachment_ids": ["no id"]}, "22P02"),
        ):
            status, response = await engineer.ask(talk, "message:send", **payload)
            assert (status, response["code"]) == ("error", code), payload
        # Whoever the payload names: the sender is who holds the token.
        assert (await engineer.ask(talk, "message:send", content="Still here", sender_id=client.id))[0] == "ok"
        await client.expect("message:new", message={"content": "Still here", "sender_id": engineer.id})


async def test_editing(deployment: Deployment, story):
    """A message is corrected twice; what it said before is kept, and shown to whoever settles a dispute."""
    owner, engineer, client, talk = story.owner, story.engineer, story.client, story.talk
    host = deployment.host

    with step("everybody sees each correction"):
        sent = await engineer.send(talk, "The span is 30 metres")
        first = (await client.expect("message:new", message={"id": sent["id"]}))["event_seq"]
        for content in ("The span is 32 metres", "The span is 33 metres"):
            await engineer.do("edit_message", message_id=sent["id"], content=content)
            edited = await client.expect("message:updated", message={"id": sent["id"]})
            assert edited["message"]["content"] == content and edited["message"]["edited_at"]
        await owner.refused("PT403", "edit_message", message_id=sent["id"], content="40 metres")

    with step("and can read what it said before; a stranger cannot"):
        kept = await client.do("get_message_revisions", message_id=sent["id"])
        assert [r["content"] for r in kept["revisions"]] == ["The span is 30 metres", "The span is 32 metres"]
        assert all(r["replaced_at"] > r["written_at"] for r in kept["revisions"])
        await story.stranger.refused("PT404", "get_message_revisions", message_id=sent["id"])

    with step("the host looks at the conversation as it was, for a reason, and leaves a trace of that"):
        said = "dispute 17: what was said about the span"
        for event_seq, content in ((first, "The span is 30 metres"), (first + 1, "The span is 32 metres")):
            then = await host.do("conversation_as_of", conversation_id=talk, event_seq=event_seq, reason=said)
            assert next(m["content"] for m in then["messages"] if m["id"] == sent["id"]) == content
        assert then["participants"] and then["profile"]["title"] == "The bridge"
        await owner.refused(
            "PT403", "conversation_as_of", conversation_id=talk, event_seq=first, reason="curious"
        )
        trace = deployment.sql(f"select count(*) from parley.audit_log where reason = '{said}' and conversation_id = '{talk}'")
        assert trace == "2"

    with step("the same correction again changes nothing; a late one is refused"):
        seen = len([h for h in client.heard if h.kind == "message:updated"])
        await engineer.do("edit_message", message_id=sent["id"], content="The span is 33 metres")
        deployment.sql(f"update parley.message set created_at = now() - interval '16 minutes' where id = '{sent['id']}'")
        await engineer.refused("PT403", "edit_message", "15 minutes", message_id=sent["id"], content="35 metres")
        await engineer.send(talk, "That was my last word")
        await client.expect("message:new", message={"content": "That was my last word"})
        assert len([h for h in client.heard if h.kind == "message:updated"]) == seen


async def test_files(deployment: Deployment, story):
    """Files of the types and sizes that the portal allows, by whoever may write in the conversation."""
    engineer, client, talk = story.engineer, story.client, story.talk

    with step("a plan of ten megabytes is fine, one byte more is not, nor is a program, nor a name with a path"):
        plan = {"kind": "file", "file_name": "plan.pdf", "content_type": "application/pdf", "byte_size": 10485760}
        error = await engineer.refused(
            "PT413", "declare_attachment", conversation_id=talk, **{**plan, "byte_size": 10485761}
        )
        assert "10485760" in error.message
        error = await engineer.refused(
            "PT400", "declare_attachment", conversation_id=talk, **{**plan, "content_type": "application/x-msdownload"}
        )
        assert "application/pdf" in error.hint
        for name in ("../plan.pdf", "p" * 256, ""):
            await engineer.refused("PT400", "declare_attachment", conversation_id=talk, **{**plan, "file_name": name})
        await story.stranger.refused("PT403", "declare_attachment", conversation_id=talk, **plan)
        await client.refused("PT403", "declare_attachment", "admins", conversation_id=story.news, **plan)

    with step("the plan and a table are sent with a message, by socket, and come with name, size and type"):
        files = [
            await engineer.upload(talk, "file", "plan.pdf", "application/pdf", 10485760),
            await engineer.upload(talk, "file", "costs.csv", "text/csv", 812),
        ]
        status, _ = await engineer.ask(talk, "message:send", content="The plan", type="file", attachment_ids=files)
        assert status == "ok"
        heard = (await client.expect("message:new", message={"type": "file"}))["message"]
        assert [(a["file_name"], a["byte_size"], a["content_type"]) for a in heard["attachments"]] == [
            ("plan.pdf", 10485760, "application/pdf"), ("costs.csv", 812, "text/csv")
        ]
        found = await client.do("get_conversation_media", conversation_id=talk, kinds=["file"])
        assert {a["file_name"] for a in found["attachments"]} == {"plan.pdf", "costs.csv"}

    with step("fifty uploads an hour, and no more"):
        deployment.sql("""
            delete from parley.rate_bucket;
            update parley.tier_limit set amount = 2, burst = 2 where name = 'uploads_per_hour'
        """)
        for _ in range(2):
            await engineer.do("declare_attachment", conversation_id=talk, **plan)
        error = await engineer.refused("PT429", "declare_attachment", conversation_id=talk, **plan)
        assert int(error.details.partition("Retry-After: ")[2]) > 60


async def test_history_and_search(deployment: Deployment, story):
    """Pages by message id, the search of one conversation, and from its result into the middle of the thread."""
    engineer, client, talk = story.engineer, story.client, story.talk
    deployment.sql("update parley.tier_limit set amount = null where name in ('messages_per_minute', 'searches_per_minute')")

    with step("a hundred and twenty messages later"):
        for n in range(1, 121):
            await engineer.send(talk, "The girders were delivered" if n == 20 else f"Report {n}")
        await client.expect("message:new", message={"content": "Report 120"})

    with step("fifty at a time, before the oldest one has, until there is no more: each once, in order"):
        pages, before = [], None
        while True:
            page = await client.do(
                "get_conversation_messages", conversation_id=talk, page_size=50,
                **({} if before is None else {"before_message_id": before}),
            )
            assert len(page["messages"]) == 50 or not page["has_more"]
            pages = page["messages"] + pages
            if not page["has_more"]:
                break
            before = page["messages"][0]["id"]
        last = pages[-1]["seq"]
        assert [m["seq"] for m in pages] == list(range(1, last + 1)) and last > 120
        rows = (
            await client.client.table("messages").select("seq").eq("conversation_id", talk).gte("seq", last - 9)
            .order("seq", desc=True).execute()
        ).data
        assert [row["seq"] for row in rows] == list(range(last, last - 10, -1))

    with step("a search for another form of the word finds it, marked, and leads into the thread"):
        found = await eventually(
            lambda: client.do("search_messages", query="delivering girder", conversation_id=talk), {"results": [SOMETHING]}
        )
        [result] = found["results"]
        assert result["message"]["content"] == "The girders were delivered" and "girders" in str(result["highlight"])
        window = await client.do(
            "get_conversation_messages", conversation_id=talk, around_message_id=result["message"]["id"], page_size=5
        )
        assert [m["content"] for m in window["messages"]] == [
            "Report 18", "Report 19", "The girders were delivered", "Report 21", "Report 22"
        ]

    with step("many results in pages, none twice; only of the sender and the type that was asked for"):
        seen, cursor = [], None
        while True:
            page = await client.do("search_messages", query="report", conversation_id=talk, page_size=50, cursor=cursor)
            seen += [result["message"]["content"] for result in page["results"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert sorted(seen) == sorted(f"Report {n}" for n in range(1, 121) if n != 20)
        assert (await client.do("search_messages", query="report", sender_id=client.id))["results"] == []
        files = await client.do("search_messages", query="plan", conversation_id=talk, types=["file"])
        assert [result["message"]["content"] for result in files["results"]] == ["The plan"]

    with step("nobody searches where they are not, and ten searches a minute are enough"):
        await story.stranger.refused("PT403", "search_messages", query="report", conversation_id=talk)
        deployment.sql("""
            delete from parley.rate_bucket;
            update parley.tier_limit set amount = 10, period_seconds = 60, burst = 10 where name = 'searches_per_minute'
        """)
        answers = await asyncio.gather(*(client.raw("search_messages", query="plan") for _ in range(11)))
        assert sorted(answer.status_code for answer in answers) == [200] * 10 + [429]
        assert next(int(a.headers["Retry-After"]) for a in answers if a.status_code == 429) <= 6


async def test_members(deployment: Deployment, story):
    """Admins add people with their roles and take them out; members do not; owners stand above admins."""
    owner, admin, engineer, client, stranger, talk = (
        story.owner, story.admin, story.engineer, story.client, story.stranger, story.talk
    )
    [tester] = await deployment.people("Tara")

    with step("an admin lets in a tester as an admin, and cannot make an owner; a member lets in nobody"):
        await admin.do("update_conversation", conversation_id=talk, permissions={"add_members": "admins"})
        await client.refused("PT403", "add_participants", conversation_id=talk, participant_ids=[stranger.id])
        await admin.refused(
            "PT403", "add_participants", "owner", conversation_id=talk, participant_ids=[tester.id],
            roles={tester.id: "owner"},
        )
        await admin.do(
            "add_participants", conversation_id=talk, participant_ids=[tester.id], roles={tester.id: "admin"}
        )
        joined = await client.expect("participant:joined", user_id=tester.id)
        assert joined["participant"]["role"] == "admin"
        new = await tester.expect("conversation:new", where=INBOX, conversation_id=talk)
        assert new["conversation"]["me"]["role"] == "admin"

    with step("an admin touches no owner; the owner makes the admin a member, who may no longer"):
        await admin.refused("PT403", "remove_participant", conversation_id=talk, user_id=owner.id)
        await admin.refused("PT403", "set_participant_role", conversation_id=talk, user_id=owner.id, role="member")
        await owner.do("set_participant_role", conversation_id=talk, user_id=admin.id, role="member")
        await admin.expect("participant:updated", user_id=admin.id, participant={"role": "member"})
        await admin.refused("PT403", "remove_participant", conversation_id=talk, user_id=client.id)
        await owner.refused("PT403", "set_participant_role", "last", conversation_id=talk, user_id=owner.id, role="member")

    with step("the host adds and removes as it likes, and the list of people is read in pages"):
        await deployment.host.do(
            "add_participants", conversation_id=talk, participant_ids=[stranger.id], app_roles={stranger.id: "auditor"}
        )
        await stranger.expect("conversation:new", where=INBOX, conversation_id=talk)
        names, cursor = [], None
        while True:
            page = await client.do("get_participants", conversation_id=talk, page_size=4, cursor=cursor)
            names += [(p["display_name"], p["role"], p["app_role"]) for p in page["participants"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert sorted(names) == [
            ("Arne", "member", None), ("Carla", "member", None), ("Emil", "member", None), ("Olga", "owner", None),
            ("Sven", "member", "auditor"), ("Tara", "admin", None),
        ]
        await deployment.host.do("remove_participant", conversation_id=talk, user_id=stranger.id)
        await client.expect("participant:left", user_id=stranger.id)
        await stranger.refused("PT403", "get_conversation_messages", conversation_id=talk)


async def test_locking_and_the_end(deployment: Deployment, story):
    """Locked, archived, open again; and gone with the project."""
    owner, engineer, client, talk = story.owner, story.engineer, story.client, story.talk
    mine = (await engineer.send(talk, "Before the lock"))["id"]
    await client.expect("message:new", message={"id": mine})

    with step("locked: it can be read and searched, and nothing in it changes"):
        await engineer.refused("PT403", "update_conversation", conversation_id=talk, status="locked")
        await owner.do("update_conversation", conversation_id=talk, status="locked")
        await client.expect("conversation:updated", conversation={"status": "locked"}, changed=["status"])
        for call, arguments in (
            ("send_message", {"conversation_id": talk, "content": "After the lock"}),
            ("edit_message", {"message_id": mine, "content": "Changed"}),
            ("add_reaction", {"message_id": mine, "emoji": "👍"}),
            ("declare_attachment", {"conversation_id": talk, "kind": "file", "file_name": "a.pdf",
                                    "content_type": "application/pdf", "byte_size": 1}),
            ("create_poll", {"conversation_id": talk, "question": "?", "options": ["a", "b"]}),
            ("start_call", {"conversation_id": talk, "device_id": "desk"}),
        ):
            await engineer.refused("PT403", call, "locked", **arguments)
        status, response = await engineer.ask(talk, "message:send", content="After the lock")
        assert (status, response["code"]) == ("error", "PT403")
        assert "Before the lock" in await client.texts(talk)
        # Reading is no change: what is one's own goes on.
        await client.do("mark_as_read", conversation_id=talk)
        await client.do("update_participant_settings", conversation_id=talk, pin=True)

    with step("archived, then open again"):
        await owner.do("update_conversation", conversation_id=talk, status="archived")
        await engineer.refused("PT403", "send_message", "archived", conversation_id=talk, content="After the lock")
        await owner.do("update_conversation", conversation_id=talk, status="active")
        await engineer.send(talk, "Open again")
        await client.expect("message:new", message={"content": "Open again"})

    with step("the host deletes the project: its conversations go in the same transaction, for everybody"):
        deployment.sql(f"create table project (id uuid primary key); insert into project values ('{BRIDGE}'), ('{TUNNEL}')")
        subprocess.run(
            ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", deployment.owner_url, "-f", EXAMPLES / "project_conversations.sql"],
            check=True,
        )
        deployment.sql(f"begin; delete from project where id = '{BRIDGE}'; rollback")
        assert len(await client.inbox(context_type="project", context_id=BRIDGE)) == 3
        deployment.sql(f"delete from project where id = '{BRIDGE}'")
        for conversation in (talk, story.news, story.support):
            await client.expect("conversation:deleted", where=INBOX, conversation_id=conversation)
        for person in (owner, engineer, client):
            await person.refused("PT403", "get_conversation_messages", conversation_id=talk)
            assert await person.inbox(context_type="project") == []
        assert "Unauthorized" in await client.cannot_join(talk)
        left = deployment.sql(f"select count(*) from parley.message where conversation_id = '{talk}'")
        assert left == "0"
