"""Two users talk through Parley with the stock Supabase client. Run by `make demo`; copy what you need.

    python Examples/two_users.py [.parley/dev.json]
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid

from supabase import AsyncClient, AsyncClientOptions, acreate_client


async def sign_in(dev: dict, user: dict) -> AsyncClient:
    """A client that acts as `user`: the token in the headers for RPC, and on the socket for channels."""
    options = AsyncClientOptions(schema="parley_api", headers={"Authorization": f"Bearer {user['token']}"})
    client = await acreate_client(dev["url"], dev["anon_key"], options=options)
    await client.realtime.set_auth(user["token"])
    return client


async def main(path: str) -> None:
    with open(path) as file:
        dev = json.load(file)
    sender, reader = [user for user in dev["users"] if user["tier"] != "free"][:2]
    alice, bob = await asyncio.gather(sign_in(dev, sender), sign_in(dev, reader))

    conversation = (await alice.rpc("start_conversation", {"participant_ids": [reader["id"]]}).execute()).data
    print(f"{sender['name']} and {reader['name']} share the conversation {conversation['id']}")

    arrived: asyncio.Queue = asyncio.Queue()
    inbox = bob.channel(f"user:{reader['id']}", {"config": {"private": True}})
    inbox.on_broadcast("message:new", lambda event: arrived.put_nowait((time.monotonic(), event["payload"])))
    states: list = []
    await inbox.subscribe(lambda state, error: states.append((state, error)))
    if not inbox.is_joined:
        raise SystemExit(f"{reader['name']} could not subscribe: {states}")

    for text in ("Hello!", "Is the lighthouse book still there?", "I can pick it up on Friday."):
        started = time.monotonic()
        message = {"conversation_id": conversation["id"], "content": text, "client_message_id": str(uuid.uuid4())}
        sent = (await alice.rpc("send_message", message).execute()).data
        committed = time.monotonic()
        while True:
            at, payload = await asyncio.wait_for(arrived.get(), 10)
            if payload["message"]["id"] == sent["id"]:
                break
        print(
            f"  {sender['name']} -> {reader['name']}  #{sent['seq']} {text!r}: acknowledged after "
            f"{(committed - started) * 1000:.1f} ms, at the reader's socket after {(at - started) * 1000:.1f} ms"
        )
    await bob.rpc("mark_as_read", {"conversation_id": conversation["id"], "seq": sent["seq"]}).execute()
    unread = (await bob.rpc("get_unread_counts").execute()).data
    print(f"  {reader['name']} has read them all; unread now: {unread['total']}")
    await asyncio.gather(alice.realtime.close(), bob.realtime.close())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else ".parley/dev.json"))
