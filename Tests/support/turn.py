"""A TURN server as a child, and a client of it that speaks just enough STUN (RFC 8489) and TURN (RFC 8656)."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

COOKIE = 0x2112A442
BINDING, ALLOCATE, SEND, DATA, CREATE_PERMISSION = 0x0001, 0x0003, 0x0016, 0x0017, 0x0008
SUCCESS, ERROR = 0x0100, 0x0110
USERNAME, INTEGRITY, ERROR_CODE, LIFETIME, PEER, PAYLOAD = 0x0006, 0x0008, 0x0009, 0x000D, 0x0012, 0x0013
REALM, NONCE, RELAYED, TRANSPORT = 0x0014, 0x0015, 0x0016, 0x0019


class TurnRefused(Exception):
    """An error response: its STUN code."""

    def __init__(self, code: int):
        self.code = code
        super().__init__(str(code))


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)


def address(host: str, port: int) -> bytes:
    """The XOR form."""
    packed = struct.unpack("!I", socket.inet_aton(host))[0]
    return struct.pack("!BBHI", 0, 1, port ^ (COOKIE >> 16), packed ^ COOKIE)


def read_address(value: bytes) -> tuple[str, int]:
    _, family, port, packed = struct.unpack("!BBHI", value)
    assert family == 1
    return socket.inet_ntoa(struct.pack("!I", packed ^ COOKIE)), port ^ (COOKIE >> 16)


class TurnClient:
    """One UDP socket towards a TURN server."""

    def __init__(self, port: int, username: str = "", credential: str = ""):
        self.username, self.credential = username, credential
        self.realm = self.nonce = b""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.socket.settimeout(5)

    def __enter__(self) -> TurnClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def message(self, method: int, body: bytes, transaction: bytes, key: bytes | None) -> bytes:
        length = len(body) + (24 if key else 0)
        text = struct.pack("!HHI", method, length, COOKIE) + transaction + body
        return text + attribute(INTEGRITY, hmac.new(key, text, hashlib.sha1).digest()) if key else text

    def receive(self) -> tuple[int, bytes, dict[int, bytes]]:
        """Type, transaction and attributes of the next message."""
        text = self.socket.recv(65536)
        kind, length, cookie = struct.unpack("!HHI", text[:8])
        assert cookie == COOKIE and len(text) == 20 + length
        found, body = {}, text[20:]
        while body:
            name, size = struct.unpack("!HH", body[:4])
            found[name] = body[4 : 4 + size]
            body = body[4 + size + (-size % 4) :]
        return kind, text[8:20], found

    def once(self, method: int, body: bytes = b"", key: bytes | None = None) -> dict[int, bytes]:
        transaction = secrets.token_bytes(12)
        self.socket.send(self.message(method, body, transaction, key))
        while True:
            kind, answered, found = self.receive()
            if answered == transaction:
                break
        if kind == method | ERROR:
            self.realm, self.nonce = found.get(REALM, self.realm), found.get(NONCE, self.nonce)
            raise TurnRefused(found[ERROR_CODE][2] * 100 + found[ERROR_CODE][3])
        assert kind == method | SUCCESS
        return found

    def request(self, method: int, body: bytes = b"") -> dict[int, bytes]:
        """A request with the long-term credential, for which the server first names its realm and nonce."""
        if not self.nonce:
            try:
                self.once(method, body)
            except TurnRefused as refused:
                assert refused.code == 401, refused
        key = hashlib.md5(b":".join([self.username.encode(), self.realm, self.credential.encode()])).digest()
        names = attribute(USERNAME, self.username.encode()) + attribute(REALM, self.realm) + attribute(NONCE, self.nonce)
        return self.once(method, body + names, key)

    def allocate(self) -> tuple[tuple[str, int], int]:
        """A relayed address, and for how many seconds."""
        found = self.request(ALLOCATE, attribute(TRANSPORT, bytes([17, 0, 0, 0])))
        return read_address(found[RELAYED]), struct.unpack("!I", found[LIFETIME])[0]

    def permit(self, peer: tuple[str, int]) -> None:
        self.request(CREATE_PERMISSION, attribute(PEER, address(*peer)))

    def send(self, peer: tuple[str, int], data: bytes) -> None:
        body = attribute(PEER, address(*peer)) + attribute(PAYLOAD, data)
        self.socket.send(self.message(SEND, body, secrets.token_bytes(12), None))

    def hear(self) -> bytes:
        """What the next peer said, through the relay."""
        while True:
            kind, _, found = self.receive()
            if kind == DATA:
                return found[PAYLOAD]


class TurnServer:
    """coturn on the loopback, with a shared secret."""

    def __init__(self, secret: str):
        self.secret = secret
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def __enter__(self) -> TurnServer:
        binary = shutil.which("turnserver")
        assert binary, "turnserver is missing: scripts/setup.sh test installs it"
        self.directory = tempfile.mkdtemp(prefix="parley-turn-")
        files = Path(self.directory)
        self.process = subprocess.Popen(
            [
                binary, "-n", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={self.port}",
                "--use-auth-secret", f"--static-auth-secret={self.secret}", "--realm=parley.test", "--fingerprint",
                "--no-tls", "--no-dtls", "--no-tcp", "--no-tcp-relay", "--no-cli", "--allow-loopback-peers",
                "--cli-password=unused", "--relay-threads=1", f"--userdb={files / 'turndb'}", f"--pidfile={files / 'pid'}",
                f"--log-file={files / 'log'}", "--simple-log",
            ],
            cwd=self.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"]},
        )
        try:
            self.wait_ready(files / "log")
        except BaseException:
            self.__exit__()
            raise
        return self

    def wait_ready(self, log: Path, seconds: float = 15) -> None:
        limit = time.monotonic() + seconds
        while True:
            try:
                with TurnClient(self.port) as client:
                    client.socket.settimeout(0.3)
                    client.once(BINDING)
                return
            except (ConnectionRefusedError, TimeoutError):
                assert self.process.poll() is None and time.monotonic() < limit, log.read_text() if log.exists() else ""
                time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(15)
        shutil.rmtree(self.directory)
