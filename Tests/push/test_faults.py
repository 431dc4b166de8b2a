"""Providers that refuse, go away or are out, and workers that are killed."""

from __future__ import annotations

import subprocess
import time

import pytest
from house import Device, House, is_shown, push_id, text


def conversations(house: House, bob: str, count: int) -> list[tuple[str, str]]:
    """A friend and the conversation with Bob, so often."""
    friends = [house.user(f"Friend {n}") for n in range(count)]
    return [(friend, house.conversation(friend, bob)) for friend in friends]


def test_a_device_that_is_gone_is_dropped_and_its_app_is_told(house: House):
    house.worker()
    alice, bob = house.user("Alice"), house.user("Bob")
    phone, tablet = house.device(bob), house.device(bob)
    conversation = house.conversation(alice, bob)
    house.calm()
    gone = int(time.time() * 1000) + 60_000
    phone.answers({"status": 410, "body": {"reason": "Unregistered", "timestamp": gone}})
    house.send(alice, conversation, "one")
    house.wait(lambda: phone.got and "one" in tablet.texts(), "both tried")
    house.settled()
    house.send(alice, conversation, "two")
    house.wait(lambda: "two" in tablet.texts(), "the other device")
    house.settled()
    assert len(phone.got) == 1
    told = {device["id"]: device["dropped"] for device in house.rpc(bob, "list_devices")}
    assert told[phone.id] and told[tablet.id] is None
    assert house.sql(f"select token is null and token_sealed is null from parley.push_device where id = '{phone.id}'") == "t"
    # Its app registers anew and is reached again.
    phone.answers({})
    house.rpc(bob, "register_device", provider="apns", app_id="com.example.chat", token=phone.token)
    house.send(alice, conversation, "three")
    house.wait(lambda: "three" in phone.texts(), "the device that came back")


def test_an_older_notice_drops_no_newer_token(house: House):
    house.worker()
    alice, bob = house.user("Alice"), house.user("Bob")
    phone = house.device(bob)
    conversation = house.conversation(alice, bob)
    house.calm()
    phone.answers({"status": 410, "body": {"reason": "Unregistered", "timestamp": int(time.time() * 1000) - 60_000}}, {})
    house.send(alice, conversation, "one")
    house.wait(lambda: phone.got, "the first attempt")
    house.settled()
    assert [device["dropped"] for device in house.rpc(bob, "list_devices")] == [None]
    house.send(alice, conversation, "two")
    house.wait(lambda: "two" in phone.texts(), "it is still sent to")


@pytest.mark.parametrize("status, reason", [(410, "Unregistered"), (400, "BadDeviceToken")])
def test_a_notice_about_a_token_that_was_registered_meanwhile_drops_nothing(house: House, status: int, reason: str):
    house.worker()
    alice, bob = house.user("Alice"), house.user("Bob")
    phone = house.device(bob)
    conversation = house.conversation(alice, bob)
    house.calm()
    # The notice is of now, if it says of when, and takes a while; the app gives the same token again before it comes.
    gone = int(time.time() * 1000) + 500
    phone.answers({"status": status, "body": {"reason": reason} | ({"timestamp": gone} if status == 410 else {}), "delay": 3}, {})
    house.send(alice, conversation, "one")
    house.wait(lambda: phone.got, "the attempt")
    house.wait(lambda: time.time() * 1000 > gone, "the time that the notice gives")
    house.rpc(bob, "register_device", provider="apns", app_id="com.example.chat", token=phone.token)
    house.settled()
    assert [device["dropped"] for device in house.rpc(bob, "list_devices")] == [None]


def attempt_twice(house: House, outcome: dict, pause: str = "0") -> Device:
    """A first attempt that ends so, and the next, once it may be made; in between it waits for so long at least."""
    house.worker()
    alice, bob = house.user("Alice"), house.user("Bob")
    phone = house.device(bob)
    conversation = house.conversation(alice, bob)
    house.calm()
    phone.answers(outcome, {})
    house.send(alice, conversation, "once")
    waits = f"state = 'retrying' and attempts = 1 and due_at > created_at + interval '{pause} seconds'"
    house.wait(lambda: house.sql(f"select {waits} from parley.push_job where message_id is not null") == "t", "it is to be tried again")
    house.sql("update parley.push_job set due_at = now() where state = 'retrying'")
    house.settled()
    first, second = phone.got
    assert push_id(first) == push_id(second) and House.was_accepted(second)
    house.check_gateway()
    return phone


@pytest.mark.parametrize("outcome", [{"hang": True}, {"body_delay": 60}], ids=["no answer", "an answer that does not end"])
def test_what_was_not_answered_in_time_is_sent_again_with_the_same_id(house: House, outcome: dict):
    first, second = attempt_twice(house, outcome).got
    # A provider has fifteen seconds.
    assert second["at"] - first["at"] > 10


def test_a_slow_body_is_read_to_its_end(house: House):
    house.worker()
    alice, bob = house.user("Alice"), house.user("Bob")
    phone = house.device(bob)
    conversation = house.conversation(alice, bob)
    house.calm()
    phone.answers({"status": 400, "body": {"reason": "BadDeviceToken"}, "body_delay": 1})
    house.send(alice, conversation, "once")
    house.settled()
    assert len(phone.got) == 1 and [device["dropped"] for device in house.rpc(bob, "list_devices")] == ["BadDeviceToken"]


@pytest.mark.parametrize("status, reason", [(429, "TooManyRequests"), (503, "ServiceUnavailable")])
def test_retry_after_is_obeyed(house: House, status: int, reason: str):
    attempt_twice(house, {"status": status, "body": {"reason": reason}, "headers": {"retry-after": "600"}}, "590")


def test_a_goaway_in_flight_loses_nothing(house: House):
    house.worker()
    bob = house.user("Bob")
    phone = house.device(bob)
    talks = conversations(house, bob, 40)
    house.calm()
    # The connection ends twice in the midst of it, with requests after the last that counts, and once without a word.
    plan = [{"delay": 0.05} for _ in range(30)]
    plan[7], plan[15], plan[22] = {"goaway": "before"}, {"goaway": "after"}, {"close": True}
    phone.answers(*plan, {})
    for n, (friend, conversation) in enumerate(talks):
        house.send(friend, conversation, f"hello {n}")
    house.wait(lambda: len(set(phone.texts())) == 40, "all of them", 60)
    house.settled()
    assert house.sql("select count(*) from parley.push_job where message_id is not null and state <> 'sent'") == "0"
    house.check_gateway()


def test_a_worker_killed_between_the_answer_and_our_commit_repeats_once_with_the_same_id(house: House):
    worker = house.worker()
    alice, bob = house.user("Alice"), house.user("Bob")
    phone = house.device(bob)
    conversation = house.conversation(alice, bob)
    house.calm()
    phone.answers({"delay": 1}, {})
    house.send(alice, conversation, "once")
    house.wait(lambda: phone.got, "the provider has it")
    # Whoever settles the job waits for this lock, so that the worker dies with the answer in its hands.
    holder = subprocess.Popen(["psql", "-XAtq", house.owner_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    holder.stdin.write("begin; select 'held' from parley.push_job where message_id is not null for update;\n")
    holder.stdin.flush()
    assert holder.stdout.readline().strip() == "held"
    # Not shown to others than a superuser.
    waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%settle_push_job%'"
    house.wait(lambda: house.superuser(waits) == "1", "it wants to settle")
    worker.kill9()
    # The server would carry on for a client that is dead.
    house.superuser(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'parley%' and datname = current_database()"
    )
    holder.stdin.close()
    holder.wait(10)
    assert house.sql("select state from parley.push_job where message_id is not null") == "leased"
    # A minute passes.
    house.sql("update parley.push_job set due_at = now() where state = 'leased'")
    house.worker()
    house.wait(lambda: house.sql("select state from parley.push_job where message_id is not null") == "sent", "it is settled")
    assert len(phone.accepted) == 2 and len({push_id(entry) for entry in phone.accepted}) == 1
    assert len({entry["headers"]["apns-collapse-id"] for entry in phone.accepted}) == 1
    house.check_gateway()


def test_after_an_outage_comes_no_storm_and_no_old_news(house: House):
    per_second, count = 20, 60
    house.settings(per_second=per_second)
    house.worker()
    bob = house.user("Bob")
    phone = house.device(bob)
    talks = conversations(house, bob, count)
    house.calm()
    phone.answers({"status": 503, "body": {"reason": "ServiceUnavailable"}})
    for round in range(4):
        for friend, conversation in talks:
            house.send(friend, conversation, f"news {round}")
        time.sleep(1)
    house.wait(lambda: "push has stopped for a while" in house.workers[0].output(), "the breaker opens")
    while_out = len(phone.got)
    # It was asked seldom: by what was under way, and then by probes.
    assert while_out < count
    # An hour passes for ten of them: what they said is wanted no more.
    late = [conversation for _, conversation in talks[:10]]
    house.sql(
        "update parley.push_job set expires_at = now() - interval '1 second' "
        f"where settled_at is null and conversation_id = any ('{{{','.join(late)}}}')"
    )
    phone.answers({})
    house.settled(180)
    sent = [entry for entry in phone.accepted if is_shown(entry)]
    assert {text(entry) for entry in sent} == {"news 3"}
    assert sorted(entry["payload"]["parley"]["conversation_id"] for entry in sent) == sorted(
        conversation for _, conversation in talks[10:]
    )
    times = [entry["at"] for entry in phone.got[while_out:]]
    # Over three seconds, for on the way some may catch up with others.
    busiest = max(sum(1 for at in times if start <= at < start + 3) for start in times)
    assert busiest <= per_second * 3 * 1.2, f"{busiest} in three seconds"
    left = house.rows("select state, reason, count(*) as n from parley.push_job group by 1, 2")
    assert sum(row["n"] for row in left if row["state"] == "expired") >= 10, left
    house.check_gateway()


def test_one_lane_in_trouble_stops_no_other(house: House):
    house.worker()
    alice, bob = house.user("Alice"), house.user("Bob")
    phone, google, browser = house.device(bob), house.device(bob, "fcm"), house.device(bob, "webpush")
    conversation = house.conversation(alice, bob)
    house.calm()
    google.answers({"hang": True})
    for n in range(3):
        house.send(alice, conversation, f"message {n}")
    house.wait(lambda: "message 2" in phone.texts() and "message 2" in browser.texts(), "the others", 10)
    # It asks for a token first, so its request may come after theirs.
    house.wait(lambda: google.got, "the one that hangs", 10)
    assert not google.accepted


def test_subscriptions_for_another_key_stop_nobody(house: House):
    house.worker()
    alice, bob, eve = house.user("Alice"), house.user("Bob"), house.user("Eve")
    good, foreign = house.device(bob, "webpush"), [house.device(eve, "webpush") for _ in range(15)]
    to_bob, to_eve = house.conversation(alice, bob), house.conversation(alice, eve)
    house.calm()
    for number, browser in enumerate(foreign):
        browser.answers({"status": 401 + 2 * (number % 2), "body": {"errno": 109}})
    house.send(alice, to_eve, "refused")
    house.wait(lambda: all(browser.got for browser in foreign), "the push service has refused them")
    house.send(alice, to_bob, "accepted")
    house.wait(lambda: "accepted" in good.texts(), "the others")
    # With the next news a subscription is known to be for another key: nobody tries again.
    house.send(alice, to_eve, "refused again")
    died = "select count(*) from parley.push_job where state = 'dead' and answer = '401 (109)'"
    house.wait(lambda: int(house.sql(died)) > 0, "given up")


def test_refused_credentials_cost_no_attempt_and_leave_the_queue_alone(house: House):
    house.worker()
    bob = house.user("Bob")
    phone, google = house.device(bob), house.device(bob, "fcm")
    talks = conversations(house, bob, 12)
    house.calm()
    phone.answers({"status": 403, "body": {"reason": "InvalidProviderToken"}})
    for n, (friend, conversation) in enumerate(talks):
        house.send(friend, conversation, f"hello {n}")
        if n == 0:
            house.wait(lambda: "push credentials are refused" in house.workers[0].output(), "the operator is told")
    house.wait(lambda: len(google.accepted) == 12, "the other provider")
    house.wait(lambda: house.sql("select count(*) from parley.push_job where state = 'leased'") == "0", "nothing is held")
    rows = house.rows("select state, attempts from parley.push_job where provider = 'apns' and message_id is not null")
    assert len(rows) == 12 and {row["attempts"] for row in rows} == {0}
    assert {row["state"] for row in rows} <= {"queued", "retrying"}
    # The first one found out; what came behind it was not sent.
    assert len(phone.got) == 1
