"""Bodies, filters, frames, topics, times and names as drawn from a seed, at a real worker in front of a real Postgres.

    make fuzz                                  an hour
    make fuzz SECONDS=60 SEED=4711             the same draws again

Whatever is sent, it is answered within 8 s; a refusal says its code; no answer is a 500; nothing crashes; worker and
backends stay small. Each round draws from its own seed (the first is the run's) for users of its own. The first case of
every fault is printed, and the run goes on; it fails at its end.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import re
import time
import uuid
from datetime import UTC, datetime
from random import SystemRandom

from bounds import Watch
from frame_cases import CONVERSATION, INBOX, Frame, Speaker, frames
from http_cases import Client, Description, Request, calls, posts, reads
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from parley import Cluster, Worker
from values import mostly

SECONDS = float(os.environ.get("PARLEY_FUZZ_SECONDS", "20"))
SEED = int(os.environ.get("PARLEY_FUZZ_SEED") or SystemRandom().randrange(1 << 32))
CASES_A_ROUND = 300
LONGEST = 8.0
PLACE = re.compile(rb"<(\w+)>")


class Round:
    """Three users with conversations, a message, a poll and the like, and their sockets."""

    def __init__(self, cluster: Cluster, worker: Worker):
        self.worker = worker
        self.users = {name: str(uuid.uuid4()) for name in ("alice", "bob", "carol")}
        rows = ",".join(f"('{user}', '{name}', 'privileged_plus')" for name, user in self.users.items())
        cluster.psql(f"insert into parley.account (id, display_name, tier_name) values {rows}")
        self.places = {**self.users, "tenant": str(uuid.uuid4()), "other": str(uuid.uuid4())}

        def ask(function: str, **arguments: object) -> dict:
            return worker.rpc(function, self.token("alice"), **arguments)

        self.places["soon"] = in_a_week = datetime.fromtimestamp(time.time() + 604_800, UTC).isoformat()
        self.places["local"] = in_a_week[:19]
        everybody = [self.users["bob"], self.users["carol"]]
        self.places["direct"] = ask("start_conversation", participant_ids=everybody[:1])["id"]
        self.places["group"] = ask("start_conversation", participant_ids=everybody, type="group", title="Lighthouse")["id"]
        self.places["conversation"] = here = ask("start_conversation", participant_ids=everybody, type="group", title="Book")["id"]
        self.places["CONVERSATION"] = here.upper()
        self.places["message"] = ask("send_message", conversation_id=here, content="Good morning")["id"]
        self.places["poll"] = ask("create_poll", conversation_id=here, question="Where?", options=["here", "there"])["id"]
        self.places["scheduled"] = ask("schedule_message", conversation_id=here, content="later", send_at=in_a_week)["id"]
        self.places["call"] = ask("start_call", conversation_id=here, kind="voice", device_id="d")["id"]
        file = ask("declare_attachment", conversation_id=here, kind="image", file_name="a.png", content_type="image/png", byte_size=10)
        self.places["attachment"] = file["id"]
        self.client = Client(worker.port)
        self.speakers: dict[str, Speaker] = {}
        self.listener = self.speaker("2.0.0", "bob", ["realtime:user:<bob>", CONVERSATION])

    def token(self, caller: str) -> str | None:
        match caller:
            case "anon": return self.worker.anon_key
            case "service": return self.worker.service_key
            case "nobody": return None
            case _: return self.worker.token(self.users[caller])

    def fill(self, data: bytes) -> bytes:
        def place(match: re.Match) -> bytes:
            if match[1] == b"token":
                return self.token("alice").encode()
            return self.places.get(match[1].decode(), match[0].decode()).encode()

        return PLACE.sub(place, data)

    def speaker(self, version: str, name: str, topics: list[str]) -> Speaker:
        topics = [self.fill(topic.encode()).decode() for topic in topics]
        return Speaker(self.worker.port, version, self.worker.anon_key, self.token(name), topics)

    def send(self, request: Request) -> str:
        path = self.fill(request.path.encode()).decode()
        body = None if request.body is None else self.fill(request.body)
        filled = Request(request.caller, request.method, path, body, request.headers)
        status, headers, answer = self.client.ask(filled, self.token(request.caller))
        assert status < 500 or status == 503, f"status {status}: {answer[:500]!r}"
        if status >= 400 and request.method != "HEAD":
            refusal = json.loads(answer)
            assert refusal.get("code") and refusal.get("message"), f"status {status} without a code: {answer[:500]!r}"
        elif answer and "json" in headers.get("Content-Type", ""):
            json.loads(answer)
        return str(status)

    def say(self, frame: Frame) -> str:
        speaker = self.speakers.get(frame.version)
        if speaker is None:
            try:
                speaker = self.speakers[frame.version] = self.speaker(frame.version, "alice", [CONVERSATION, INBOX])
            except AssertionError as refusal:
                # An earlier case has made alice leave; the next round has another.
                assert "Unauthorized" in str(refusal), refusal
                return "left"
        (_, status, response), code = speaker.say(frame, self.fill, LONGEST)
        if status == "error":
            assert response.get("reason"), f"refused without a reason: {response}"
            named = response.get("code") or re.match(r"[A-Za-z]+: .", response["reason"])
            assert named, f"refused without a code: {response}"
        if code is not None or status == "error" or frame.event in ("phx_join", "phx_leave", "access_token"):
            speaker.close()
            del self.speakers[frame.version]
        self.listener.drain()
        return status

    def close(self) -> None:
        for speaker in [*self.speakers.values(), self.listener]:
            speaker.close()
        self.client.close()


class TimeIsUp(Exception):
    """Ends a round."""


class Run:
    """Rounds until the time is over, and what was seen."""

    def __init__(self, cluster: Cluster, worker: Worker, watch: Watch):
        self.cluster, self.worker, self.watch = cluster, worker, watch
        self.until = time.monotonic() + SECONDS
        self.outcomes: collections.Counter[str] = collections.Counter()
        self.slowest = (0.0, "")
        self.faults: dict[str, int] = {}

    def fault(self, where: str, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        kind = re.sub(r"[0-9a-f-]{8,}|\d+", "#", text)[:160]
        if kind not in self.faults:
            print(f"FAULT {text[:3000]}\n   at {where}", flush=True)
        self.faults[kind] = self.faults.get(kind, 0) + 1

    def one(self, round: Round, case: Request | Frame) -> None:
        began = time.monotonic()
        outcome = round.send(case) if isinstance(case, Request) else round.say(case)
        took = time.monotonic() - began
        self.outcomes[f"{'HTTP' if isinstance(case, Request) else 'frame'} {outcome}"] += 1
        self.slowest = max(self.slowest, (took, str(case)[:200]))
        assert took < LONGEST, f"answered after {took:.1f} s"

    def round(self, about: Description, number: int) -> None:
        round = Round(self.cluster, self.worker)
        cases = mostly(mostly(st.one_of(calls(about), frames(about)), reads(about), 3), posts(), 12)

        @seed(number)
        @settings(max_examples=CASES_A_ROUND, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @given(case=cases)
        def play(case: Request | Frame) -> None:
            if time.monotonic() > self.until:
                raise TimeIsUp
            try:
                self.one(round, case)
            except Exception as error:  # noqa: BLE001: every kind is a fault, told and counted
                self.fault(f"round {number}: {case}", error)
                round.client.close()
                for speaker in round.speakers.values():
                    speaker.close()
                round.speakers.clear()

        before = self.outcomes.total()
        with contextlib.suppress(TimeIsUp):
            play()
        round.close()
        try:
            self.watch.check(self.outcomes.total() - before)
        except AssertionError as error:
            self.fault(f"round {number}", error)
            self.watch.highest = {"worker": 0, "backend": 0}

    def summary(self) -> str:
        counted = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        return (
            f"seed {SEED}: {self.outcomes.total()} cases: {counted}\n"
            f"the worker took {self.watch.highest['worker']} MB at most, the largest backend {self.watch.highest['backend']} MB; "
            f"the slowest answer {self.slowest[0]:.2f} s to {self.slowest[1]}"
        )


def test_whatever_is_sent_is_answered_and_bounded():
    print(f"PARLEY_FUZZ_SEED={SEED} PARLEY_FUZZ_SECONDS={SECONDS:g} runs this again", flush=True)
    flags = [
        "--log-level", "warning", "--client-events-per-second", "10000", "--client-joins-per-second", "10000",
        "--user-broadcast-bytes-per-second", "0", "--topic-broadcast-bytes-per-second", "0",
    ]
    with Cluster() as cluster:
        # Rates have tests of their own; here they would end every round.
        cluster.psql("update parley.tier_limit set amount = null, burst = null where period_seconds is not null")
        with Worker(cluster, *flags) as worker, Watch(cluster, worker) as watch:
            probe = Client(worker.port)
            about = Description.read(json.loads(probe.ask(Request("anon", "GET", "/rest/v1/"), worker.service_key)[2]))
            probe.close()
            assert len(about.functions) > 50 and len(about.views) >= 5, "the API's description is not what it was"
            run, number = Run(cluster, worker, watch), SEED
            while time.monotonic() < run.until:
                run.round(about, number)
                number += 1
                print(run.summary(), flush=True)
    assert run.outcomes.total() > SECONDS, "hardly anything was tried"
    assert not run.faults, "\n".join(f"{count} times: {kind}" for kind, count in run.faults.items())
