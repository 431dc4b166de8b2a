"""The application most teams write first: `websockets` + `asyncpg`, one insert and one NOTIFY per message.

It is the peer of Benchmarks/messages.py and does what its README would promise and no more: a message is one row,
the notification carries it, the listener hands it to the recipient's socket, the sender gets an acknowledgement
after the commit. uvloop is used because a team that measures would.

    python chat_app.py PORT DATABASE_URL
"""

import asyncio
import json
import sys

import asyncpg
import uvloop
from websockets import ConnectionClosed
from websockets.asyncio.server import serve

TABLE = """
create table if not exists chat_message (
    id bigint generated always as identity primary key,
    sender text not null,
    recipient text not null,
    body text not null,
    created_at timestamptz not null default now()
)
"""


async def main(port: int, database_url: str) -> None:
    sockets = {}
    pool = await asyncpg.create_pool(database_url, min_size=8, max_size=8)
    listener = await asyncpg.connect(database_url)
    await listener.execute(TABLE)
    await listener.execute("create index if not exists chat_message_recipient on chat_message (recipient, id)")

    async def deliver(socket, payload: str) -> None:
        try:
            await socket.send(payload)
        except ConnectionClosed:
            pass  # it reads the row when it is back

    def notified(_connection, _pid, _channel, payload: str) -> None:
        message = json.loads(payload)
        socket = sockets.get(message["to"])
        if socket is not None:
            asyncio.ensure_future(deliver(socket, payload))

    await listener.add_listener("chat", notified)

    async def send(user: str, message: dict) -> int:
        async with pool.acquire() as connection, connection.transaction():
            row_id = await connection.fetchval(
                "insert into chat_message (sender, recipient, body) values ($1, $2, $3) returning id",
                user,
                message["to"],
                message["text"],
            )
            payload = json.dumps({"id": row_id, "from": user, "to": message["to"], "text": message["text"]})
            await connection.execute("select pg_notify('chat', $1)", payload)
        return row_id

    async def handle(socket) -> None:
        user = socket.request.path.rsplit("/", 1)[1]
        sockets[user] = socket
        try:
            async for frame in socket:
                message = json.loads(frame)
                row_id = await send(user, message)
                await socket.send(json.dumps({"ack": message["ref"], "id": row_id}))
        except ConnectionClosed:
            pass
        finally:
            if sockets.get(user) is socket:  # and not one that came since
                del sockets[user]

    async with serve(handle, "127.0.0.1", port, compression=None, ping_interval=None):
        print("ready", flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
