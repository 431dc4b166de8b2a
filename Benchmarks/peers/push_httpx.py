"""The peer of push.py: a plain sender with httpx over HTTP/2, so many requests at once on one connection.

    push_httpx.py <url> <CA file> <requests> <at once>      prints {"per_second", "p50_us", "p99_us"}
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
import uuid

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec


async def main(url: str, authority: str, count: int, at_once: int):
    key = ec.generate_private_key(ec.SECP256R1())
    token = jwt.encode({"iss": "TEAM123456", "iat": int(time.time())}, key, "ES256", headers={"kid": "KEY1234567"})
    limits = httpx.Limits(max_connections=1)
    context = ssl.create_default_context(cafile=authority)
    numbers, times = iter(range(count)), []
    async with httpx.AsyncClient(http2=True, verify=context, limits=limits, timeout=60) as client:

        async def send(number: int):
            content = {"conversation_id": "0190aaaa-0000-7000-8000-000000000001", "seq": number, "kind": "message"}
            alert = {"title": "Trip", "body": "Where are you?"}
            payload = {"aps": {"alert": alert, "sound": "default", "badge": 3, "mutable-content": 1}, "parley": content}
            headers = {
                "authorization": f"bearer {token}", "apns-id": str(uuid.uuid4()), "apns-topic": "com.example.chat",
                "apns-push-type": "alert", "apns-priority": "10", "apns-expiration": "1900000000",
            }  # fmt: skip
            start = time.perf_counter()
            answer = await client.post(f"{url}/3/device/{number:064x}", content=json.dumps(payload), headers=headers)
            times.append(time.perf_counter() - start)
            if answer.status_code != 200 or answer.http_version != "HTTP/2":
                raise SystemExit(f"{answer.status_code} {answer.http_version}")

        async def worker():
            for number in numbers:
                await send(number)

        await send(0)
        times.clear()
        start = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(at_once)))
        seconds = time.perf_counter() - start
    times.sort()
    at = {name: int(times[int(len(times) * share)] * 1e6) for name, share in (("p50_us", 0.5), ("p99_us", 0.99))}
    print(json.dumps({"per_second": len(times) / seconds, **at}))


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
