"""A client that speaks bytes: what no library sends, and what no library leaves unread."""

from __future__ import annotations

import json
import socket as sockets
import struct
import time

from parley import Worker


def connect(worker: Worker, source: str = "127.0.0.1", receive: int | None = None) -> sockets.socket:
    """A connection from an address of the loopback, with a receive buffer of so many bytes."""
    connection = sockets.socket()
    connection.settimeout(15)
    if receive:
        connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, receive)
    connection.bind((source, 0))
    connection.connect(("127.0.0.1", worker.port))
    return connection


def read_all(connection: sockets.socket) -> bytes:
    """All bytes until the server closes; a reset after some bytes is an end, too. Silence raises `TimeoutError`."""
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def read_head(connection: sockets.socket) -> bytes:
    """The status line and headers of an answer."""
    head = b""
    while b"\r\n\r\n" not in head:
        byte = connection.recv(1)
        assert byte, f"closed after {head!r}"
        head += byte
    return head


def ask(worker: Worker, request: bytes, source: str = "127.0.0.1") -> int:
    """The status of the answer."""
    with connect(worker, source) as connection:
        connection.sendall(request)
        return status_of(read_head(connection))


def status_of(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer[:80]
    return int(answer[9:12])


def upgrade_request(worker: Worker, key: str | None = None) -> bytes:
    return get(
        f"/realtime/v1/websocket?apikey={key or worker.anon_key}&vsn=2.0.0", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
    )


def upgrade(worker: Worker, key: str | None = None, source: str = "127.0.0.1") -> sockets.socket:
    """An open WebSocket that answers nothing by itself, pings included."""
    connection = connect(worker, source)
    connection.sendall(upgrade_request(worker, key))
    answer = read_head(connection)
    assert status_of(answer) == 101, answer
    return connection


def frame(opcode: int, payload: bytes, fin: bool = True, masked: bool = True, claim: int | None = None) -> bytes:
    size = len(payload) if claim is None else claim
    first = bytes([(0x80 if fin else 0) | opcode])
    mask = 0x80 if masked else 0
    if size < 126:
        head = bytes([mask | size])
    elif size < 65536:
        head = bytes([mask | 126]) + struct.pack(">H", size)
    else:
        head = bytes([mask | 127]) + struct.pack(">Q", size)
    return first + head + (b"\0\0\0\0" if masked else b"") + payload


def join(topic: str, token: str) -> bytes:
    """The frame that joins a topic, for serializer 2.0.0."""
    payload = {"config": {"broadcast": {}, "private": True}, "access_token": token}
    return frame(1, json.dumps(["1", "1", f"realtime:{topic}", "phx_join", payload]).encode())


def frame_end(data: bytes) -> int | None:
    """Where the first of the server's frames ends, if it is complete."""
    if len(data) < 2:
        return None
    extra = {126: 2, 127: 8}.get(data[1], 0)
    if len(data) < 2 + extra:
        return None
    size = int.from_bytes(data[2 : 2 + extra], "big") if extra else data[1]
    return 2 + extra + size if len(data) >= 2 + extra + size else None


def close_code(connection: sockets.socket, within: float = 20) -> int | None:
    """The code of the close frame that comes within so many seconds, or None if the connection just ends.

    Frames until then are read over, and answered by nothing."""
    limit, data = time.monotonic() + within, b""
    while True:
        while (end := frame_end(data)) is not None:
            if data[0] == 0x88:
                return struct.unpack(">H", data[2:4])[0] if data[1] else None
            data = data[end:]
        connection.settimeout(max(0.01, limit - time.monotonic()))
        try:
            chunk = connection.recv(65536)
        except ConnectionResetError:
            return None
        if not chunk:
            return None
        data += chunk
