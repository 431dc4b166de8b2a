"""Who is told, and who is not, as people and designs want it; Tests/push/test_oracle.py asks the same at random."""

from __future__ import annotations

from house import House, is_shown


def shown(device) -> list[dict]:
    return [entry for entry in device.accepted if is_shown(entry)]


def test_a_seller_is_told_of_a_new_conversation(house: House):
    house.worker()
    buyer, seller = house.user("Buyer"), house.user("Seller")
    phone, own = house.device(seller), house.device(buyer)
    conversation = house.conversation(buyer, seller, context_type="listing", context_id="42")
    house.wait(lambda: phone.accepted, "the new conversation")
    house.settled()
    (entry,) = shown(phone)
    assert entry["payload"]["parley"]["conversation_id"] == conversation and not own.got


def test_each_member_of_a_new_group_is_told_once(house: House):
    house.worker()
    creator = house.user("Creator")
    members = [house.user(f"Member {n}") for n in range(5)]
    devices = [house.device(member) for member in members]
    house.conversation(creator, *members, title="Five")
    for device in devices:
        house.wait(lambda device=device: device.accepted, "each is told")
    house.settled()
    assert [len(shown(device)) for device in devices] == [1] * 5


def test_a_request_tells_nobody(house: House):
    house.sql("update parley.setting set value = 'requests' where name = 'stranger_messages'")
    house.worker()
    stranger, friend, bob = house.user("Stranger"), house.user("Friend"), house.user("Bob")
    phone = house.device(bob)
    asking = house.conversation(stranger, bob)
    house.send(stranger, asking, "buy this")
    house.settled()
    assert not phone.got
    # Accepted, it is a conversation like any other.
    house.rpc(bob, "accept_request", conversation_id=asking)
    house.send(stranger, asking, "thank you")
    house.wait(lambda: "thank you" in phone.texts(), "one after it was accepted")
    assert "buy this" not in phone.texts() and friend


def test_mute_level_and_mentions_count(house: House):
    house.worker()
    alice, bob, carol = house.user("Alice"), house.user("Bob"), house.user("Carol")
    phone = house.device(bob)
    conversation = house.conversation(alice, bob, carol)
    house.calm()

    def told(content: str, **more: object) -> bool:
        house.send(alice, conversation, content, **more)
        house.settled()
        return any(content in (text or "") for text in phone.texts())

    settings = {"conversation_id": conversation}
    assert told("first")
    house.rpc(bob, "update_participant_settings", notifications="mentions", **settings)
    assert not told("second") and told("third", mentions=[bob])
    house.rpc(bob, "update_participant_settings", notifications="all", mute_until="infinity", **settings)
    assert not told("fourth") and not told("fifth", mentions=[bob])
    house.rpc(bob, "update_participant_settings", mute_until="2000-01-01T00:00:00Z", **settings)
    assert told("sixth")
    house.rpc(bob, "set_push_settings", enabled=False)
    assert not told("seventh")
    house.rpc(bob, "set_push_settings", enabled=True, dnd_until="infinity")
    assert not told("eighth")
