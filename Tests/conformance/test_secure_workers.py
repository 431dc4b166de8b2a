"""Workers with a TLS listener, and with a key set: sockets of theirs from the handshake to a message."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket as sockets
import ssl
import time
import urllib.error
import urllib.request

import jwt
import pytest
import websockets
from conftest import People
from frames import FrameSocket, Room
from parley import Worker
from realtime import AsyncRealtimeClient
from secure import KeySet, SecureWorker, certificate
from sockets import Refused
from websockets.asyncio.client import connect

pytestmark = pytest.mark.asyncio


@pytest.fixture(scope="module")
def secure(cluster, tmp_path_factory):
    """A TLS worker; the process trusts its certificate as it would a system's."""
    pem, key = certificate(tmp_path_factory.mktemp("tls"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(pem))
        with SecureWorker(cluster, "--log-level", "error", "--tls-cert", str(pem), "--tls-key", str(key)) as worker:
            yield worker


async def test_a_message_over_tls(cluster, secure):
    people = People(cluster, secure)
    conversation = people.conversation("Alice", "Bob")
    uri = f"wss://127.0.0.1:{secure.port}/realtime/v1/websocket?apikey={secure.anon_key}&vsn=2.0.0"
    async with FrameSocket(await connect(uri), "2.0.0") as alice, FrameSocket(await connect(uri), "2.0.0") as bob:
        assert alice.connection.transport.get_extra_info("ssl_object").version() in ("TLSv1.2", "TLSv1.3")
        await alice.join(f"conversation:{conversation}", people.token("Alice"))
        await bob.join(f"user:{people.id('Bob')}", people.token("Bob"))
        # Longer than a TLS record, so that it comes in several.
        await alice.broadcast(f"conversation:{conversation}", "hi", {"text": "x" * 200_000})
        sent = await alice.send_message(conversation, "é" * 4000)
        assert (await bob.event("message:new"))["message"]["content"] == sent["content"] == "é" * 4000


async def test_the_stock_client_over_tls(cluster, secure):
    people = People(cluster, secure)
    conversation = people.conversation("Alice", "Bob")
    client = AsyncRealtimeClient(f"wss://localhost:{secure.port}/realtime/v1", token=secure.anon_key)
    await client.set_auth(people.token("Bob"))
    channel = client.channel(f"conversation:{conversation}", {"config": {"private": True, "broadcast": {"ack": True, "self": False}}})
    await channel.subscribe()
    assert channel.is_joined
    await client.close()


async def test_other_languages_at_the_tls_port(secure):
    """Plain HTTP and noise are turned away, and a client that does not trust the certificate stays away."""
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        urllib.request.urlopen(f"http://127.0.0.1:{secure.port}/health/live", timeout=10)
    with sockets.create_connection(("127.0.0.1", secure.port), timeout=10) as noise:
        try:
            noise.sendall(b"\x16\x03\x01\xff\xff" + b"\x00" * 200)
            while noise.recv(1024):
                pass
        except ConnectionResetError:
            pass
    with pytest.raises(ssl.SSLCertVerificationError):
        await connect(f"wss://127.0.0.1:{secure.port}/realtime/v1/websocket", ssl=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    with urllib.request.urlopen(f"{secure.url}/health/ready", timeout=10) as answer:
        assert answer.status == 200


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return KeySet(tmp_path_factory.mktemp("keys") / "jwks.json")


@pytest.fixture(scope="module")
def keyed(cluster, keys):
    with Worker(cluster, "--log-level", "error", "--jwks", str(keys.path)) as worker:
        yield worker


def claims(people: People, name: str = "Alice", **more: object) -> dict:
    now = int(time.time())
    return {"sub": people.id(name), "role": "authenticated", "iat": now, "exp": now + 600, **more}


def confused(body: dict, secret: bytes, **header: str) -> str:
    """An HS256 token whose secret is a public key: libraries refuse to make it, so it is made by hand."""
    part = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")  # noqa: E731
    text = part(json.dumps({"alg": "HS256", "typ": "JWT", **header}).encode()) + b"." + part(json.dumps(body).encode())
    return (text + b"." + part(hmac.new(secret, text, hashlib.sha256).digest())).decode()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_key_set_lets_its_own_tokens_in(cluster, keyed, keys, algorithm):
    people = People(cluster, keyed)
    conversation = people.conversation("Alice", "Bob")
    topic = f"conversation:{conversation}"
    token = jwt.encode(claims(people), keys.private[algorithm], algorithm, headers={"kid": algorithm})
    # At the handshake, at the join, as the newer token of a channel, and over HTTP.
    async with await FrameSocket.open(keyed, token) as socket:
        await socket.join(topic, token)
        newer = jwt.encode(claims(people, n=2), keys.private[algorithm], algorithm, headers={"kid": algorithm})
        await socket.send(f"realtime:{topic}", "access_token", {"access_token": newer})
        await socket.send_message(conversation, algorithm)
        assert keyed.rpc("get_conversation_messages", newer, conversation_id=conversation)["messages"][-1]["content"] == algorithm
        # The shared secret goes on beside the set, as Supabase's own keys need it.
        await socket.join(topic, people.token("Alice"))


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_key_set_lets_nothing_else_in(cluster, keyed, keys, algorithm, tmp_path):
    people = People(cluster, keyed)
    topic = f"user:{people.id('Alice')}"
    body, key = claims(people), keys.private[algorithm]
    other = KeySet(tmp_path / "other.json").private[algorithm]
    pem, malformed, signature = keys.public_pem(algorithm), "MalformedJWT: The token provided is not a valid JWT", "JwtSignatureError: Failed to validate JWT signature"
    nobody = 'JwtSignerError: Failed to generate JWT signer for key ID (kid) "nobody", check your JWT secret or JWKS configuration'
    good = jwt.encode(body, key, algorithm, headers={"kid": algorithm})
    crossed = next(name for name in keys.private if name != algorithm)
    cases = [
        # The public key is no secret, whatever the header says of the algorithm.
        (confused(body, pem, kid=algorithm), malformed),
        (confused(body, pem), signature),
        (confused(body, pem, kid="nobody"), signature),
        (jwt.encode(body, key, algorithm, headers={"kid": "nobody"}), nobody),
        (jwt.encode(body, key, algorithm), nobody.replace(' for key ID (kid) "nobody"', "")),
        # Another key's name: its algorithm is not the token's.
        (jwt.encode(body, key, algorithm, headers={"kid": crossed}), malformed),
        (jwt.encode(body, other, algorithm, headers={"kid": algorithm}), signature),
        (good[:-8] + "AAAAAAAA", signature),
        (jwt.encode({**body, "exp": int(time.time()) - 5}, key, algorithm, headers={"kid": algorithm}), "InvalidJWTToken: Token has expired"),
        (jwt.encode({"sub": body["sub"], "exp": body["exp"]}, key, algorithm, headers={"kid": algorithm}), "InvalidJWTToken: Fields `role` and `exp` are required in JWT"),
    ]
    async with await FrameSocket.open(keyed) as socket:
        for number, (token, reason) in enumerate(cases):
            with pytest.raises(Refused) as refused:
                await socket.join(topic, token)
            assert refused.value.reason.startswith(reason), number
            with pytest.raises(websockets.InvalidStatus) as status:
                await FrameSocket.open(keyed, token)
            assert status.value.response.status_code == 401
        await socket.join(topic, good)


async def test_without_a_secret_no_shared_key_counts(cluster, keys):
    """A worker of a key set alone knows no HS256 at all."""
    class Keyed(Worker):
        @property
        def anon_key(self) -> str:
            body = {"role": "anon", "exp": int(time.time()) + 600}
            return jwt.encode(body, keys.private["ES256"], "ES256", headers={"kid": "ES256"})

    worker = Keyed(cluster, "--log-level", "error", "--jwks", str(keys.path))
    secret, worker.secret = worker.secret, ""
    with worker:
        people = People(cluster, worker)
        people.id("Alice")
        body = claims(people)
        async with Room(people, "00000000-0000-4000-8000-000000000001") as room:
            socket = await room.socket()
            for token in (jwt.encode(body, secret, "HS256"), confused(body, keys.public_pem("RS256"))):
                with pytest.raises(Refused) as refused:
                    await socket.join(f"user:{people.id('Alice')}", token)
                assert refused.value.reason == "JwtSignerError: Failed to generate JWT signer, check your JWT secret or JWKS configuration"
            await socket.join(f"user:{people.id('Alice')}", jwt.encode(body, keys.private["RS256"], "RS256", headers={"kid": "RS256"}))
