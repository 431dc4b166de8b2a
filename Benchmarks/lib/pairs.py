"""500 users in 250 conversations who send to each other through their sockets: Parley's, and those of a plain application."""

from __future__ import annotations

import subprocess
import uuid

from lib.bench import SERVER_CORE, pinned
from parley import Cluster, Worker, free_port

USERS = 500
MARK = "@T" + "@" * 19 + "S" + "@" * 6
TEXT = MARK + " see you at the usual place, and bring the book about the lighthouse that you told me of last week"


class ChatApp:
    """A program of `peers`, called with a port and the database; it says `ready`."""

    def __init__(self, command: list[str], database_url: str, environment: dict[str, str] | None = None):
        self.port = free_port()
        self.process = subprocess.Popen(
            [*pinned(SERVER_CORE), *command, str(self.port), database_url], stdout=subprocess.PIPE, text=True, env=environment
        )

    def __enter__(self) -> ChatApp:
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit("the peer application did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


def our_worker(cluster: Cluster) -> Worker:
    return Worker(cluster, "--log-level", "warning", "--max-connections-per-address", "0", prefix=pinned(SERVER_CORE))


def our_sockets(cluster: Cluster, worker: Worker) -> list:
    """Every user on the conversation with its peer, which it both sends on and listens to."""
    cluster.psql("update parley.tier_limit set amount = null where name in ('messages_per_minute', 'new_account_hours')")
    users = cluster.psql(
        "insert into parley.account (id, display_name, tier_name) "
        f"select gen_random_uuid(), 'user ' || n, 'privileged_plus' from generate_series(1, {USERS}) n returning id"
    ).splitlines()
    path = f"/realtime/v1/websocket?apikey={worker.anon_key}&vsn=2.0.0"
    sockets = []
    for n in range(0, USERS, 2):
        conversation = worker.rpc("start_conversation", worker.token(users[n]), participant_ids=[users[n + 1]])["id"]
        topic = f"realtime:conversation:{conversation}"
        for index, peer in ((n, n + 1), (n + 1, n)):
            join = (
                f'["1","1","{topic}","phx_join",{{"config":{{"broadcast":{{"ack":true}},"private":true}},'
                f'"access_token":"{worker.token(users[index])}"}}]'
            )
            message = (
                f'["1","2","{topic}","broadcast",{{"type":"broadcast","event":"message:send","payload":'
                f'{{"content":"{TEXT}","client_message_id":"%U{"%" * 34}"}}}}]'
            )
            sockets.append((path, join, '"status":"ok"', message, peer))
    return sockets


def their_sockets() -> list:
    sockets = []
    for n in range(USERS):
        peer = n + 1 if n % 2 == 0 else n - 1
        sockets.append((f"/user/{n}", None, None, f'{{"to":"{peer}","ref":"{uuid.uuid4()}","text":"{TEXT}"}}', peer))
    return sockets
