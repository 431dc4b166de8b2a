"""A deployment with push: a database, a gateway that stands for the providers, and workers that send to it."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from pathlib import Path
from typing import Any, Callable

from parley import Cluster, Worker
from push_checks import APP
from push_gateway import PushGateway
from sockets import Socket

PATIENCE = 30


class Device:
    """A token that a user has registered; what the gateway got for it."""

    def __init__(self, house: House, user: str, provider: str, kind: str, token: str, target: str, row: dict):
        self.house, self.user, self.provider, self.kind = house, user, provider, kind
        self.token, self.target, self.id = token, target, row["id"]
        # Where it was reached before its app registered another token.
        self.former: set[str] = set()

    @property
    def got(self) -> list[dict]:
        """What was sent to it, in the order it came, whatever the answer was."""
        return [entry for entry in list(self.house.gateway.log) if self.house.target(entry) in {self.target, *self.former}]

    @property
    def accepted(self) -> list[dict]:
        return [entry for entry in self.got if self.house.was_accepted(entry)]

    def texts(self) -> list[str | None]:
        """The bodies it was shown."""
        return [text(entry) for entry in self.accepted if is_shown(entry)]

    def answers(self, *outcomes: dict) -> None:
        """How what is sent to it ends from now on; the last one stays."""
        self.house.gateway.script[self.target] = list(outcomes)


class House:
    def __init__(self, cluster: Cluster, folder: Path):
        self.cluster, self.folder = cluster, folder
        self.name = "push_" + uuid.uuid4().hex[:12]
        self.gateway = PushGateway(folder)
        self.workers: list[Worker] = []

    def __enter__(self) -> House:
        base = self.cluster.superuser_url.rpartition("/")[0]
        # Copied through the log, a sequence that has values logged ahead gives them out again after a crash of Postgres.
        self.cluster.psql(f"create database {self.name} template parley owner parley_owner strategy file_copy", f"{base}/postgres")
        self.owner_url = self.cluster.owner_url.rpartition("/")[0] + f"/{self.name}"
        self.worker_url = self.cluster.worker_url.rpartition("/")[0] + f"/{self.name}"
        self.gateway.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            if worker.process is not None and worker.process.poll() is None:
                worker.__exit__()
        self.gateway.__exit__()

    # --- the parts

    def settings(self, **changes: Any) -> None:
        """Changes what workers that start from now on are told."""
        path = self.folder / "push.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    def worker(self, *flags: str, push: bool = True, start: bool = True) -> Worker:
        more = ["--push", str(self.folder / "push.json")] if push else []
        worker = Worker(self.cluster, "--log-level", "info", *more, *flags, database_url=self.worker_url)
        if self.workers:
            worker.secret = self.workers[0].secret
        self.workers.append(worker)
        if start:
            worker.start()
            if push:
                self.wait(lambda: self.sql("select count(*) from parley.consumer where name = 'push'") == "1", "a consumer of push")
        return worker

    def sql(self, statement: str) -> str:
        return self.cluster.psql(statement, self.owner_url)

    def superuser(self, statement: str) -> str:
        return self.cluster.psql(statement, self.cluster.superuser_url.rpartition("/")[0] + f"/{self.name}")

    def rows(self, statement: str) -> list[dict]:
        return json.loads(self.sql(f"select coalesce(jsonb_agg(to_jsonb(q)), '[]') from ({statement}) q"))

    # --- people

    def user(self, name: str) -> str:
        user = str(uuid.uuid4())
        self.sql(f"insert into parley.account (id, display_name, tier_name) values ('{user}', '{name}', 'privileged_plus')")
        return user

    def rpc(self, user: str, function: str, /, worker: Worker | None = None, session: str | None = None, **arguments: Any) -> Any:
        worker = worker or self.workers[0]
        return worker.rpc(function, worker.token(user, session_id=session), **arguments)

    def conversation(self, creator: str, *others: str, **arguments: Any) -> str:
        if len(others) > 1:
            arguments.setdefault("type", "group")
        return self.rpc(creator, "start_conversation", participant_ids=list(others), **arguments)["id"]

    def send(self, user: str, conversation: str, content: str, **more: Any) -> dict:
        return self.rpc(user, "send_message", conversation_id=conversation, content=content, **more)

    def token(self, provider: str) -> tuple[str, dict]:
        """Where the gateway gets what is sent to a new token, and how an app registers that."""
        if provider == "webpush":
            browser = self.gateway.checks.subscribe()
            target = "/wp/" + browser["endpoint"].rpartition("/")[2]
            keys = {"p256dh": browser["p256dh"], "auth": browser["auth"]}
            return target, {"provider": provider, "app_id": APP, "token": browser["endpoint"], "keys": keys}
        token = uuid.uuid4().hex * 2
        return token, {"provider": provider, "app_id": APP, "token": token}

    def device(self, user: str, provider: str = "apns", kind: str | None = None, session: str | None = None, **more: Any) -> Device:
        target, how = self.token(provider)
        row = self.rpc(user, "register_device", session=session, **how, **({"kind": kind} if kind else {}), **more)
        device = Device(self, user, provider, row["kind"], how["token"], target, row)
        device.session, device.how = session, how
        return device

    def app_starts(self, device: Device, is_new: bool, rpc: Callable[..., Any] | None = None) -> None:
        """The app of a device that was registered in a session says which token it has: the same, or a new one."""
        target, how = self.token(device.provider) if is_new else (device.target, device.how)
        row = (rpc or self.rpc)(device.user, "register_device", session=device.session, **how)
        assert row["id"] == device.id, f"a new token of the same session is another device: {row}"
        if is_new:
            device.former.add(device.target)
        device.token, device.target, device.how = how["token"], target, how

    def webhook(self, user: str) -> Device:
        worker = self.workers[0]
        row = worker.rpc("set_push_webhook", worker.service_key, app_id="host", user_id=user)
        return Device(self, user, "webhook", "alert", user, f"webhook {user}", row)

    # --- the gateway

    @staticmethod
    def target(entry: dict) -> str:
        if entry["kind"] == "webhook":
            return "webhook " + str(entry["payload"].get("device"))
        return entry["target"]

    @staticmethod
    def was_accepted(entry: dict) -> bool:
        broken = {"hang", "reset", "close"} & set(entry["outcome"]) or entry["outcome"].get("goaway") == "before"
        return entry["status"] < 300 and not broken

    # --- waiting

    def wait(self, condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
        limit = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < limit, f"never: {what}\n{self.story()}"
            time.sleep(0.02)
        return found

    def settled(self, seconds: float = PATIENCE, but: str = "false") -> None:
        """Until the log was read to its end and no job waits, but for some."""
        waiting = f"""
            select (select count(*) from parley.push_job where settled_at is null and not ({but}))
                + (select count(*) from parley.event e where e.id > (select c.max_id from parley.consumer c where c.name = 'push'))
        """
        self.wait(lambda: self.sql(waiting) == "0", "everything settled", seconds)

    def calm(self) -> None:
        """What was told so far, as of conversations that are new, is forgotten."""
        self.settled()
        self.gateway.log.clear()

    def story(self) -> str:
        """For a failure: the queue, what the gateway refused, what the workers said."""
        jobs = self.sql("select provider, kind, state, reason, answer, attempts, last_seq, due_at - now() from parley.push_job order by id limit 40")
        told = "\n".join(line for worker in self.workers for line in worker.output().splitlines()[-20:])
        return f"{jobs}\n{self.gateway.violations[:5]}\n{told}"

    def check_gateway(self) -> None:
        assert self.gateway.violations == []


def push_id(entry: dict) -> str:
    """What a device folds repeats by."""
    if entry["kind"] == "apns":
        return entry["headers"]["apns-id"]
    if entry["kind"] == "fcm":
        return entry["payload"]["data"]["push_id"]
    if entry["kind"] == "webpush":
        return entry["payload"]["notification"]["data"]["push_id"]
    return entry["headers"]["webhook-id"]


def kind(entry: dict) -> str:
    if entry["kind"] == "apns":
        return entry["payload"].get("parley", {"kind": "badge"})["kind"]
    if entry["kind"] == "fcm":
        return entry["payload"]["data"]["kind"]
    if entry["kind"] == "webpush":
        return entry["payload"]["notification"]["data"]["kind"]
    return entry["payload"]["data"]["kind"]


def is_shown(entry: dict) -> bool:
    return kind(entry) in ("message", "call", "call_end")


def text(entry: dict) -> str | None:
    if entry["kind"] == "apns":
        return entry["payload"]["aps"].get("alert", {}).get("body")
    if entry["kind"] == "fcm":
        return entry["payload"].get("android", {}).get("notification", {}).get("body")
    if entry["kind"] == "webpush":
        return entry["payload"]["notification"].get("body")
    return entry["payload"]["data"].get("body")


async def look_at(worker: Worker, user: str, conversation: str | None, topic: str | None = None) -> Socket:
    """A socket on which this user has said what is on the screen."""
    socket = await Socket.open(worker)
    name = topic or f"user:{user}"
    await socket.join(name, worker.token(user))
    await socket.broadcast(name, "focus:set", {"conversation_id": conversation, "active": True})
    return socket


def run(work) -> Any:
    return asyncio.run(work)
