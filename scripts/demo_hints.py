"""Prints the address, two tokens and lines to copy, from .parley/dev.json."""

import json
import sys

with open(sys.argv[1]) as file:
    dev = json.load(file)
alice, bob = [user for user in dev["users"] if user["tier"] != "free"][:2]
print(f"""
Parley serves {dev["url"]}   (everything in machine-readable form: {sys.argv[1]})

  {alice["name"]} ({alice["tier"]})
    id     {alice["id"]}
    token  {alice["token"]}
  {bob["name"]} ({bob["tier"]})
    id     {bob["id"]}
    token  {bob["token"]}

curl, as {alice["name"]}: open a conversation with {bob["name"]} and say hello

  curl -s {dev["url"]}/rest/v1/rpc/start_conversation \\
    -H "Authorization: Bearer {alice["token"]}" -H "Content-Type: application/json" \\
    -d '{{"participant_ids": ["{bob["id"]}"], "message": "Hello from curl"}}'

psql, in your own transaction, as {alice["name"]}

  psql "{dev["database_url"]}" <<'SQL'
  begin;
  select set_config('request.jwt.claims', '{{"sub": "{alice["id"]}", "role": "authenticated"}}', true);
  set local role authenticated;
  select jsonb_pretty(parley_api.get_user_conversations());
  commit;
  SQL

a stock client (.venv/bin/python; the same in JavaScript, Swift, Kotlin, Dart)

  import asyncio
  from supabase import AsyncClientOptions, acreate_client
  async def main():
      token = "{bob["token"]}"
      options = AsyncClientOptions(schema="parley_api", headers={{"Authorization": f"Bearer {{token}}"}})
      client = await acreate_client("{dev["url"]}", "{dev["anon_key"]}", options)
      await client.realtime.set_auth(token)
      inbox = client.channel("user:{bob["id"]}", {{"config": {{"private": True}}}})
      await inbox.on_broadcast("message:new", print).subscribe()
      await asyncio.sleep(60)
  asyncio.run(main())
""", flush=True)
