"""What happens at a time, through the gateway and the sockets: messages sent later, polls that close, what disappears."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from parley import ROOT, Cluster, RpcError, Worker
from sockets import Socket

pytestmark = pytest.mark.asyncio


def soon(seconds: float) -> str:
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat()


async def test_a_message_is_sent_later(people, worker):
    conversation = people.conversation("Ann", "Bob")
    async with await Socket.open(worker) as ann, await Socket.open(worker) as bob:
        await ann.join(f"user:{people.id('Ann')}", people.token("Ann"))
        await bob.join(f"user:{people.id('Bob')}", people.token("Bob"))
        kept = people.rpc("Ann", "schedule_message", conversation_id=conversation, content="later", send_at=soon(1.5))
        dropped = people.rpc("Ann", "schedule_message", conversation_id=conversation, content="never", send_at=soon(1.5))
        people.rpc("Ann", "update_scheduled_message", id=kept["id"], content="later!")
        assert people.rpc("Ann", "cancel_scheduled_message", id=dropped["id"])["status"] == "cancelled"
        listed = people.rpc("Ann", "get_scheduled_messages", conversation_id=conversation)["scheduled_messages"]
        assert [(one["id"], one["content"]) for one in listed] == [(kept["id"], "later!")]
        assert people.rpc("Bob", "get_scheduled_messages")["scheduled_messages"] == []

        message = (await bob.event("message:new"))["message"]
        assert (message["content"], message["sender_id"]) == ("later!", people.id("Ann"))
        assert datetime.fromisoformat(message["created_at"]) >= datetime.fromisoformat(kept["send_at"])
        await ann.wait(lambda: len(ann.events("scheduled:updated")) == 5)
        mine = ann.events("scheduled:updated")
        assert [event["status"] for event in mine] == ["pending", "pending", "pending", "cancelled", "sent"]
        assert (mine[-1]["scheduled_message_id"], mine[-1]["sent_message_id"]) == (kept["id"], message["id"])
        assert {event["conversation_id"] for event in mine} == {conversation}
        assert bob.events("scheduled:updated") == [] and len(bob.events("message:new")) == 1
        with pytest.raises(RpcError) as refusal:
            people.rpc("Ann", "cancel_scheduled_message", id=kept["id"])
        assert refusal.value.status == 409


async def test_the_clocks_of_a_zone(people):
    conversation = people.conversation("Ann", "Bob")
    tomorrow = (datetime.now(timezone.utc) + timedelta(days=2)).strftime("%Y-%m-%d")
    kept = people.rpc("Ann", "schedule_message", conversation_id=conversation, content="9 in Tokyo",
                      send_at_local=f"{tomorrow}T09:00:00", time_zone="Asia/Tokyo")
    assert datetime.fromisoformat(kept["send_at"]) == datetime.fromisoformat(f"{tomorrow}T00:00:00+00:00")
    assert (kept["send_at_local"], kept["time_zone"]) == (f"{tomorrow}T09:00:00", "Asia/Tokyo")
    people.rpc("Ann", "cancel_scheduled_message", id=kept["id"])


async def test_a_poll_is_voted_on_and_closes(people, worker):
    conversation = people.conversation("Ann", "Bob", "Cid")
    async with await Socket.open(worker) as cid:
        await cid.join(f"conversation:{conversation}", people.token("Cid"))
        asked = people.rpc("Ann", "create_poll", conversation_id=conversation, question="Where?",
                           options=["here", "there"], closes_at=soon(2))
        new = (await cid.event("message:new"))["message"]
        assert (new["type"], new["content"], [option["text"] for option in new["poll"]["options"]]) == ("poll", "Where?", ["here", "there"])
        assert people.rpc("Bob", "vote", message_id=asked["id"], option_ids=[2])["my_vote"] == [2]
        update = await cid.event("poll:updated")
        assert (update["message_id"], update["votes"], update["total_voters"], update["voter_id"]) == (
            asked["id"], [0, 1], 1, people.id("Bob"))
        with pytest.raises(RpcError):
            people.rpc("Bob", "vote", message_id=asked["id"], option_ids=[1, 2])
        await cid.wait(lambda: len(cid.events("poll:updated")) == 2)
        closed = cid.events("poll:updated")[1]
        assert closed["closed_at"] is not None and closed["votes"] == [0, 1] and closed["actor_id"] is None
        with pytest.raises(RpcError) as refusal:
            people.rpc("Bob", "vote", message_id=asked["id"], option_ids=[1])
        assert refusal.value.status == 409


async def test_a_message_disappears(people, worker, cluster):
    conversation = people.conversation("Ann", "Bob")
    async with await Socket.open(worker) as bob:
        await bob.join(f"user:{people.id('Bob')}", people.token("Bob"))
        sent = people.rpc("Ann", "send_message", conversation_id=conversation, content="the code is 1234", expires_in="2 seconds")
        assert people.rpc("Bob", "get_unread_counts")["total"] == 1
        gone = await bob.event("message:deleted", timeout=20)
        assert (gone["message_id"], gone["for_everyone"], gone["expired"], gone["actor_id"]) == (sent["id"], True, True, None)
        assert people.rpc("Bob", "get_conversation_messages", conversation_id=conversation)["messages"] == []
        assert people.rpc("Bob", "get_unread_counts")["total"] == 0
        assert people.rpc("Ann", "send_message", conversation_id=conversation, content="next")["seq"] == 2
        assert cluster.psql(f"select content is null and metadata is null from parley.message where id = '{sent['id']}'") == "t"


async def test_names_of_the_server_are_its_own(people, worker):
    conversation = people.conversation("Ann", "Bob")
    async with await Socket.open(worker) as ann:
        await ann.join(f"conversation:{conversation}", people.token("Ann"))
        for name in ("scheduled:updated", "poll:updated"):
            with pytest.raises(Exception) as refusal:
                await ann.broadcast(f"conversation:{conversation}", name, {"status": "sent"})
            assert type(refusal.value).__name__ == "Refused"


def run_by_cron(cluster: Cluster) -> None:
    """What Examples/jobs_by_pg_cron.sql gives to pg_cron, as pg_cron runs it."""
    example = (ROOT / "Examples" / "jobs_by_pg_cron.sql").read_text()
    cluster.psql(re.search(r"\$jobs\$(.*)\$jobs\$", example, re.S)[1], cluster.worker_url)


async def test_pg_cron_does_the_work_without_a_worker():
    with Cluster() as cluster:
        ann, bob = cluster.account("Ann"), cluster.account("Bob")
        claims = f"""set request.jwt.claims = '{{"sub": "{ann}", "role": "authenticated"}}'; set role authenticated;"""
        conversation = cluster.psql(f"{claims} select parley_api.start_conversation(array['{bob}'::uuid]) ->> 'id'", cluster.superuser_url)
        cluster.psql(f"""{claims} select count(parley_api.schedule_message('{conversation}', n::text, (clock_timestamp() + interval '0.3 seconds')::text))
            from generate_series(1, 20) n""", cluster.superuser_url)
        cluster.psql("select pg_sleep(0.4)")
        run_by_cron(cluster)
        assert cluster.psql("select string_agg(content, ' ' order by seq) from parley.message") == " ".join(str(n) for n in range(1, 21))
        assert cluster.psql("select count(*) from parley.job where last_ok_at is null or failures > 0") == "0"
        # and beside one
        with Worker(cluster, "--log-level", "warning"):
            cluster.psql(f"""{claims} select count(parley_api.schedule_message('{conversation}', n::text, (clock_timestamp() + interval '0.3 seconds')::text))
                from generate_series(21, 80) n""", cluster.superuser_url)
            for _ in range(60):
                run_by_cron(cluster)
                if cluster.psql("select count(*) from parley.scheduled_message where status = 'pending'") == "0":
                    break
        assert cluster.psql("select string_agg(content, ' ' order by seq) from parley.message") == " ".join(str(n) for n in range(1, 81))
