"""From a message to a notification that a provider accepted: a real worker, Postgres, HTTP/2 over TLS."""

from __future__ import annotations

import time

from house import House, is_shown, kind, look_at, push_id, run, text
from push_checks import APP
from sockets import Socket


def test_a_message_reaches_every_kind_of_device(house: House):
    house.worker()
    alice, bob, carol = house.user("Alice"), house.user("Bob"), house.user("Carol")
    devices = [
        house.device(bob), house.device(bob, "fcm"), house.device(bob, "fcm", platform="ios"), house.device(bob, "fcm", "fid"),
        house.device(bob, "webpush", locale="pt-BR"), house.webhook(bob),
    ]  # fmt: skip
    others = [house.device(alice), house.device(carol)]
    conversation = house.conversation(alice, bob)
    house.calm()
    message = house.send(alice, conversation, "Where are you?")
    for device in devices:
        house.wait(lambda device=device: any(is_shown(entry) for entry in device.accepted), f"one for {device.provider}")
    house.settled()
    for device in devices:
        shown = [entry for entry in device.accepted if is_shown(entry)]
        assert len(shown) == 1, device.provider
        if device.provider != "fcm" or device is devices[1]:
            assert text(shown[0]) == "Where are you?"
    apple, google, _, fid, browser, webhook = ([entry for entry in device.accepted if is_shown(entry)][0] for device in devices)
    assert apple["payload"]["aps"]["alert"]["title"] == "Alice" and apple["payload"]["aps"]["badge"] == 1
    assert apple["payload"]["aps"]["thread-id"] == conversation and apple["payload"]["aps"]["mutable-content"] == 1
    assert apple["headers"]["apns-topic"] == APP and apple["payload"]["parley"]["seq"] == message["seq"]
    for data in (google["payload"]["data"], browser["payload"]["notification"]["data"], webhook["payload"]["data"]):
        assert (data["conversation_id"], data["message_id"]) == (conversation, message["id"])
    assert fid["target_kind"] == "fid"
    # The system of a phone knows its language; a service worker has to be told.
    assert browser["payload"]["notification"]["data"]["locale"] == "pt-BR"
    assert not any(device.got for device in others)
    # What was sent is in the queue, each by one worker, with the provider's answer.
    rows = house.rows("select state, device_id, worker, answer, attempts from parley.push_job where message_id is not null")
    assert sorted(row["device_id"] for row in rows) == sorted(device.id for device in devices)
    workers = {row["id"] for row in house.rows("select id::text from parley.worker")}
    assert {(row["state"], row["attempts"]) for row in rows} == {("sent", 0)} and {row["worker"] for row in rows} <= workers
    house.check_gateway()


def test_what_was_read_elsewhere_is_taken_back(house: House):
    house.worker()
    alice, bob = house.user("Alice"), house.user("Bob")
    phone, browser, google = house.device(bob), house.device(bob, "webpush"), house.device(bob, "fcm")
    conversation = house.conversation(alice, bob)
    house.calm()
    house.send(alice, conversation, "one")
    last = house.send(alice, conversation, "two")
    house.wait(lambda: "two" in phone.texts() and "two" in google.texts(), "both told")
    house.settled()
    shown = len(browser.got)
    house.rpc(bob, "mark_as_read", conversation_id=conversation, seq=last["seq"])
    house.wait(lambda: any(kind(entry) in ("clear", "badge") for entry in phone.accepted), "the phone is told")
    house.wait(lambda: any(kind(entry) in ("clear", "badge") for entry in google.accepted), "the other phone is told")
    house.settled()
    quiet = [entry for entry in phone.accepted if not is_shown(entry)]
    assert all(entry["headers"]["apns-priority"] == "5" for entry in quiet)
    badges = [entry["payload"]["aps"]["badge"] for entry in phone.accepted if "badge" in entry["payload"]["aps"]]
    assert badges[-1] == 0
    # Browsers show whatever they are pushed.
    assert len(browser.got) == shown
    house.check_gateway()


def test_a_call_rings_and_stops_ringing(house: House):
    house.worker()
    alice, bob = house.user("Alice"), house.user("Bob")
    voip, alert, google = house.device(bob, kind="voip"), house.device(bob), house.device(bob, "fcm")
    conversation = house.conversation(alice, bob)
    house.calm()
    call = house.rpc(alice, "start_call", conversation_id=conversation, device_id="a-phone")
    call = call.get("call", call)
    house.wait(lambda: voip.accepted and google.accepted, "it rings")
    (ring,) = voip.accepted
    assert ring["headers"]["apns-push-type"] == "voip" and ring["headers"]["apns-priority"] == "10"
    assert ring["payload"]["parley"]["call_id"] == call["id"]
    # Nobody rings longer than the call does.
    assert int(ring["headers"]["apns-expiration"]) <= time.time() + 120
    assert google.accepted[-1]["payload"]["android"]["priority"] == "HIGH"
    house.rpc(bob, "accept_call", call_id=call["id"], device_id="b-tablet")
    house.wait(lambda: any(kind(entry) == "call_end" for entry in google.accepted), "it stops")
    house.settled()
    # A VoIP push that does not ring would cost the app its right to them: the other token wakes the app.
    assert len(voip.accepted) == 1
    (end,) = alert.accepted
    assert kind(end) == "call_end" and end["payload"]["parley"]["call_id"] == call["id"]
    assert end["payload"]["aps"]["content-available"] == 1 and "sound" not in end["payload"]["aps"]
    house.check_gateway()


def test_a_call_that_ended_before_it_was_sent_rings_nowhere(house: House):
    house.worker()
    alice, bob = house.user("Alice"), house.user("Bob")
    voip = house.device(bob, kind="voip")
    conversation = house.conversation(alice, bob)
    house.calm()
    voip.answers({"status": 429, "body": {"reason": "TooManyRequests"}}, {})
    call = house.rpc(alice, "start_call", conversation_id=conversation, device_id="a-phone")
    call = call.get("call", call)
    house.wait(lambda: voip.got, "a first attempt")
    house.rpc(alice, "cancel_call", call_id=call["id"])
    house.settled(60)
    assert len(voip.got) == 1


def test_focus_elsewhere_waits_and_reading_cancels(house: House):
    worker = house.worker()
    alice, bob = house.user("Alice"), house.user("Bob")
    phone = house.device(bob)
    conversation, other = house.conversation(alice, bob), house.conversation(house.user("Carol"), bob)
    house.calm()

    async def story():
        socket = await look_at(worker, bob, conversation)
        house.wait(lambda: house.sql("select count(*) from parley.push_focus") == "1", "a lease")
        # Read at once on the desk: the phone stays silent.
        sent = house.send(alice, conversation, "seen at once")
        house.wait(lambda: house.sql("select count(*) from parley.push_job where settled_at is null and reason = 'in_view'") == "1", "the delay")
        house.rpc(bob, "mark_as_read", conversation_id=conversation, seq=sent["seq"])
        house.settled()
        assert "seen at once" not in phone.texts()
        # Not read after all: the phone gets it some seconds later.
        begin = time.monotonic()
        house.send(alice, conversation, "looked away")
        house.wait(lambda: "looked away" in phone.texts(), "the delayed one")
        delay = time.monotonic() - begin
        assert delay > 3
        # Another conversation is not delayed.
        begin = time.monotonic()
        house.send(house.rows("select id from parley.account where display_name = 'Carol'")[0]["id"], other, "elsewhere")
        house.wait(lambda: "elsewhere" in phone.texts(), "one of another conversation")
        assert time.monotonic() - begin < delay
        # The socket closes, and with it the lease ends.
        await socket.close()
        house.wait(lambda: house.sql("select count(*) from parley.push_focus where expires_at > now()") == "0", "no lease")

    run(story())


def test_focus_is_a_users_own_and_bounded(house: House):
    worker = house.worker()
    bob = house.user("Bob")

    async def story():
        async with await Socket.open(worker) as socket:
            await socket.join(f"user:{bob}", worker.token(bob))
            for n in range(50):
                await socket.broadcast(f"user:{bob}", "focus:set", {"conversation_id": None, "active": n % 2 == 0})
            await socket.broadcast(f"user:{bob}", "focus:set", {})
            house.wait(lambda: house.sql("select count(*) from parley.push_focus") == "1", "one lease for one socket")
            for payload in ({"active": "yes"}, {"conversation_id": "here"}):
                try:
                    await socket.broadcast(f"user:{bob}", "focus:set", payload)
                except Exception as refused:  # noqa: BLE001 - whatever says so
                    assert "must be" in str(refused)
                else:
                    raise AssertionError(f"taken: {payload}")
            assert socket.events("focus:set") == []

    run(story())


def test_without_providers_nothing_is_kept(house: House):
    house.worker(push=False)
    alice, bob = house.user("Alice"), house.user("Bob")
    house.device(bob)
    conversation = house.conversation(alice, bob)
    for n in range(5):
        house.send(alice, conversation, f"message {n}")
    time.sleep(2)
    assert house.sql("select count(*) from parley.consumer where name = 'push'") == "0"
    assert house.sql("select count(*) from parley.push_job") == "0"


def test_several_workers_share_the_work(house: House):
    for _ in range(3):
        house.worker()
    bob = house.user("Bob")
    devices = [house.device(bob) for _ in range(3)]
    conversations = [house.conversation(house.user(f"Friend {n}"), bob) for n in range(20)]
    house.calm()
    friends = {row["display_name"]: row["id"] for row in house.rows("select id, display_name from parley.account")}
    for n, conversation in enumerate(conversations):
        house.send(friends[f"Friend {n}"], conversation, f"hello {n}")
    for device in devices:
        house.wait(lambda device=device: len(set(device.texts())) == 20, "all twenty")
    house.settled()
    for device in devices:
        ids = [push_id(entry) for entry in device.accepted if is_shown(entry)]
        assert len(ids) == len(set(ids)) == 20
    house.check_gateway()
