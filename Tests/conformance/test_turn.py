"""TURN credentials against a real coturn: what Parley hands out opens a relay, and nothing else does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import socket
import time

import pytest
from parley import RpcError
from turn import TurnClient, TurnRefused, TurnServer


@pytest.fixture(scope="module")
def turn(cluster):
    with TurnServer(secrets.token_hex(32)) as server:
        cluster.psql(f"select parley.set_turn_secret('{server.secret}')")
        cluster.psql(f"update parley.setting set value = 'turn:127.0.0.1:{server.port}?transport=udp' where name = 'turn_urls'")
        yield server
        cluster.psql("select parley.set_turn_secret(null); update parley.setting set value = '' where name = 'turn_urls'")


def credential(secret: str, username: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()).decode()


def test_not_configured_says_so(people):
    with pytest.raises(RpcError) as refused:
        people.rpc("Alice", "get_turn_credentials")
    assert refused.value.status == 503 and refused.value.body["code"] == "PT503"
    assert "set_turn_secret" in refused.value.body["hint"]


def test_the_credentials_open_a_relay(people, turn):
    given = people.rpc("Alice", "get_turn_credentials")
    assert given["credential"] == credential(turn.secret, given["username"])
    expiry, user = given["username"].split(":")
    assert user == people.id("Alice") and abs(int(expiry) - time.time() - given["ttl"]) < 5
    assert given["ice_servers"][-1] == {
        "urls": [f"turn:127.0.0.1:{turn.port}?transport=udp"], "username": given["username"], "credential": given["credential"]
    }
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer,
        TurnClient(turn.port, given["username"], given["credential"]) as client,
    ):
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(5)
        relayed, lifetime = client.allocate()
        assert relayed[0] == "127.0.0.1" and relayed[1] != turn.port and lifetime > 0
        client.permit(peer.getsockname())
        client.send(peer.getsockname(), b"Hello, Bob")
        said, source = peer.recvfrom(2048)
        assert said == b"Hello, Bob" and source == relayed
        peer.sendto(b"Hello, Alice", relayed)
        assert client.hear() == b"Hello, Alice"


def test_a_wrong_password_opens_none(people, turn):
    given = people.rpc("Alice", "get_turn_credentials")
    wrong = credential("another secret " + turn.secret, given["username"])
    with TurnClient(turn.port, given["username"], wrong) as client, pytest.raises(TurnRefused) as refused:
        client.allocate()
    assert refused.value.code == 401


def test_somebody_elses_name_or_a_later_time_opens_none(people, turn):
    given = people.rpc("Alice", "get_turn_credentials")
    expiry, user = given["username"].split(":")
    for username in (f"{expiry}:{people.id('Bob')}", f"{int(expiry) + 3600}:{user}"):
        with TurnClient(turn.port, username, given["credential"]) as client, pytest.raises(TurnRefused) as refused:
            client.allocate()
        assert refused.value.code == 401


def test_expired_credentials_open_none(people, turn):
    expired = f"{int(time.time()) - 60}:{people.id('Alice')}"
    with TurnClient(turn.port, expired, credential(turn.secret, expired)) as client, pytest.raises(TurnRefused) as refused:
        client.allocate()
    assert refused.value.code == 401


def test_a_changed_secret_counts_at_once(people, turn, cluster):
    cluster.psql(f"select parley.set_turn_secret('{secrets.token_hex(32)}')")
    try:
        given = people.rpc("Alice", "get_turn_credentials")
        with TurnClient(turn.port, given["username"], given["credential"]) as client, pytest.raises(TurnRefused):
            client.allocate()
    finally:
        cluster.psql(f"select parley.set_turn_secret('{turn.secret}')")


def test_the_secret_is_in_no_log(people, turn, worker, cluster):
    people.rpc("Alice", "get_turn_credentials")
    assert turn.secret not in worker.output()
