"""Push as the providers see it: `parley push test` against a gateway that checks by libraries of its own."""

from __future__ import annotations

import base64
import json
import time
import uuid

import pytest
from parley import run_binary
from push_checks import APP, KEY_ID, TEAM
from push_gateway import PushGateway

CONVERSATION = "0190aaaa-0000-7000-8000-000000000001"
LONG = "Ünïcödé 👩‍👩‍👧 " * 1500


@pytest.fixture
def gateway(tmp_path):
    with PushGateway(tmp_path) as gateway:
        yield gateway


def job(provider: str, lane: str = "message", seconds: float = 3600, target: dict | None = None, **content) -> dict:
    where = {"provider": provider, "app_id": "host" if provider == "webhook" else APP, "token": uuid.uuid4().hex * 2}
    what = {
        "kind": "message", "privacy": "full", "conversation_id": CONVERSATION, "message_id": str(uuid.uuid4()), "seq": 7,
        "title": "Trip", "sender": "Alice", "body": "Where are you?", "badge": 3,
    }  # fmt: skip
    return {
        "id": str(uuid.uuid4()), "claim": 1, "lane": lane, "attempts": 0, "expires_at": int((time.time() + seconds) * 1000),
        "target": where | (target or {}), "content": what | content,
    }  # fmt: skip


def browser(gateway: PushGateway, **content) -> dict:
    keys = gateway.checks.subscribe()
    return job("webpush", target={"token": keys["endpoint"], "p256dh": keys["p256dh"], "auth": keys["auth"]}, **content)


def push(gateway: PushGateway, *jobs: dict, code: int | None = None) -> dict[str, dict]:
    """The outcome of each job, by its id."""
    lines = "".join(json.dumps(one) + "\n" for one in jobs)
    settings = str(gateway.directory / "push.json")
    ran = run_binary("push", "test", "--push", settings, "--log-level", "debug", stdin=lines)
    assert ran.returncode in ((0, 1) if code is None else (code,)), ran.stderr
    for one in jobs:
        assert one["target"]["token"] not in ran.stdout + ran.stderr
        assert str(one["content"].get("body")) not in ran.stdout + ran.stderr
    return {line["id"]: line for line in map(json.loads, ran.stdout.splitlines())}


def outcome(gateway: PushGateway, one: dict, *script: dict) -> tuple[str, str]:
    """How a job ends when its sends end as scripted."""
    name = one["target"]["token"]
    name = "/wp/" + name.rpartition("/")[2] if one["target"]["provider"] == "webpush" else name
    name = "webhook" if one["target"]["provider"] == "webhook" else name
    gateway.script[name] = list(script)
    answer = push(gateway, one)[one["id"]]
    return answer["outcome"], answer["reason"]


def test_apple_accepts_every_kind(gateway):
    jobs = [
        job("apns"),
        job("apns", privacy="sender"),
        job("apns", privacy="id", loc_key="NEW_MESSAGE", loc_args=["Alice"]),
        job("apns", silent=True, category="chat"),
        job("apns", body=LONG),
        job("apns", title=LONG, body=LONG),
        job("apns", lane="quiet", kind="badge", badge=0),
        job("apns", lane="quiet", kind="clear"),
        job("apns", lane="call", kind="call", call_id=str(uuid.uuid4()), target={"kind": "voip"}, body=LONG),
        job("apns", kind="call_end", call_id=str(uuid.uuid4())),
        job("apns", target={"environment": "sandbox"}),
    ]
    answers = push(gateway, *jobs, code=0)
    assert {answer["outcome"] for answer in answers.values()} == {"delivered"} and len(answers) == len(jobs)
    assert gateway.violations == [] and gateway.refused == 0
    got = {entry["headers"]["apns-id"]: entry for entry in gateway.received("apns")}
    assert set(got) == {one["id"] for one in jobs}
    at = [got[one["id"]] for one in jobs]
    assert at[0]["payload"]["aps"] == {
        "alert": {"title": "Trip", "body": "Where are you?"}, "sound": "default", "thread-id": CONVERSATION,
        "mutable-content": 1, "badge": 3,
    }  # fmt: skip
    assert at[0]["headers"]["apns-collapse-id"] == CONVERSATION
    assert at[1]["payload"]["aps"]["alert"] == {"title": "Alice", "body": "New message"}
    assert at[2]["payload"]["aps"]["alert"] == {"loc-key": "NEW_MESSAGE"}
    assert "Alice" not in json.dumps(at[2]["payload"])
    assert at[3]["payload"]["aps"]["interruption-level"] == "passive" and "sound" not in at[3]["payload"]["aps"]
    assert 4000 < at[4]["bytes"] <= 4096 and at[4]["payload"]["aps"]["alert"]["body"].endswith("…")
    assert at[5]["bytes"] <= 4096
    assert at[6]["payload"] == {"aps": {"badge": 0}} and at[6]["headers"]["apns-priority"] == "5"
    assert at[7]["headers"]["apns-push-type"] == "background"
    assert at[8]["headers"]["apns-topic"] == APP + ".voip" and 5000 < at[8]["bytes"] <= 5120
    # One token for both environments, and no connection for both.
    assert len(gateway.checks.provider_tokens) == 1 and at[10]["connection"] != at[0]["connection"]


def test_google_accepts_every_kind(gateway):
    jobs = [
        job("fcm"),
        job("fcm", target={"kind": "fid"}),
        job("fcm", target={"platform": "ios"}),
        job("fcm", body=LONG),
        job("fcm", privacy="id", loc_key="new_message"),
        job("fcm", lane="quiet", kind="clear"),
        job("fcm", lane="quiet", kind="badge", badge=0),
        job("fcm", lane="call", kind="call", call_id=str(uuid.uuid4())),
        job("fcm", seconds=60 * 24 * 3600),
    ]
    answers = push(gateway, *jobs, code=0)
    assert {answer["outcome"] for answer in answers.values()} == {"delivered"}
    assert gateway.violations == [] and len(gateway.received("token")) == 1
    got = {entry["payload"]["data"]["push_id"]: entry for entry in gateway.received("fcm")}
    assert got[jobs[1]["id"]]["target_kind"] == "fid"
    assert got[jobs[2]["id"]]["payload"]["apns"]["payload"]["aps"]["badge"] == 3
    assert got[jobs[4]["id"]]["payload"]["android"]["notification"]["body_loc_key"] == "new_message"
    assert "notification" not in got[jobs[5]["id"]]["payload"]["android"]
    assert got[jobs[7]["id"]]["payload"]["android"]["priority"] == "HIGH"
    assert got[jobs[8]["id"]]["payload"]["android"]["ttl"] == "2419200s"


def test_browsers_decrypt_what_they_get(gateway):
    jobs = [browser(gateway), browser(gateway, privacy="id"), browser(gateway, body=LONG), browser(gateway, kind="call")]
    answers = push(gateway, *jobs, code=0)
    assert {answer["outcome"] for answer in answers.values()} == {"delivered"} and gateway.violations == []
    got = {entry["payload"]["notification"]["data"]["push_id"]: entry for entry in gateway.received("webpush")}
    first = got[jobs[0]["id"]]
    assert first["payload"]["notification"]["body"] == "Where are you?" and first["payload"]["app_badge"] == 3
    # Of what is sent only the bucket of its length can be seen.
    assert first["bytes"] == 86 + 512 + 1 + 16 and got[jobs[2]["id"]]["bytes"] == 4096
    assert got[jobs[1]["id"]]["bytes"] == first["bytes"]
    assert "Trip" not in json.dumps(got[jobs[1]["id"]]["payload"])
    assert got[jobs[3]["id"]]["headers"]["urgency"] == "high"


def test_a_webhook_is_signed_and_keeps_its_id(gateway):
    one = job("webhook", body=LONG)
    assert push(gateway, one, code=0)[one["id"]]["outcome"] == "delivered"
    (entry,) = gateway.received("webhook")
    assert entry["headers"]["webhook-id"] == entry["payload"]["id"] == one["id"]
    assert entry["payload"]["data"]["body"] == LONG and gateway.violations == []
    assert outcome(gateway, job("webhook"), {"status": 500}) == ("retry", "500")
    assert outcome(gateway, job("webhook"), {"status": 410}) == ("dead_token", "410")
    assert outcome(gateway, job("webhook"), {"status": 422}) == ("dead", "422")


NOW = int(time.time() * 1000)


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        *[(400, name, "dead") for name in ("BadCollapseId", "BadExpirationDate", "BadMessageId", "BadPriority")],
        *[(400, name, "dead") for name in ("DuplicateHeaders", "InvalidPushType", "PayloadEmpty", "SomethingNew")],
        # Of the device or of the settings: nobody knows before anything was accepted.
        *[(400, name, "retry") for name in ("BadTopic", "MissingTopic", "TopicDisallowed", "DeviceTokenNotForTopic")],
        *[(400, name, "dead_token") for name in ("BadDeviceToken", "MissingDeviceToken")],
        (400, "IdleTimeout", "retry"),
        *[(403, name, "retry") for name in ("InvalidProviderToken", "MissingProviderToken", "Forbidden", "BadCertificate")],
        *[(403, name, "retry") for name in ("ExpiredProviderToken", "UnrelatedKeyIdInToken", "BadEnvironmentKeyIdInToken")],
        (404, "BadPath", "dead"),
        (405, "MethodNotAllowed", "dead"),
        *[(410, name, "dead_token") for name in ("Unregistered", "ExpiredToken")],
        *[(429, name, "retry") for name in ("TooManyRequests", "TooManyProviderTokenUpdates")],
        *[(500, "InternalServerError", "retry"), (503, "ServiceUnavailable", "retry"), (503, "Shutdown", "retry")],
    ],
)
def test_every_answer_of_apple_has_its_outcome(gateway, status, reason, expected):
    answer = {"status": status, "body": {"reason": reason, "timestamp": NOW}}
    ended, told = outcome(gateway, job("apns", target={"registered_at": NOW - 1}), answer)
    assert (ended, told) == (expected, reason)
    # Of these nothing is the job's fault.
    if status == 403 or reason == "TooManyProviderTokenUpdates":
        again = push(gateway, one := job("apns", target={"token": gateway.log[-1]["target"]}))[one["id"]]
        assert again["counts"] is False and again["after_ms"] >= 60_000


def test_an_older_notice_deletes_no_newer_token(gateway):
    gone = {"status": 410, "body": {"reason": "Unregistered", "timestamp": NOW}}
    assert outcome(gateway, job("apns", target={"registered_at": NOW + 1}), gone)[0] == "dead"
    one = job("apns", target={"registered_at": NOW})
    gateway.script[one["target"]["token"]] = [gone]
    assert push(gateway, one)[one["id"]] | {"id": 0} == {
        "id": 0, "claim": 1, "outcome": "dead_token", "before": NOW, "reason": "Unregistered",
    }  # fmt: skip


FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
FIELD = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": "message.token"}]}


@pytest.mark.parametrize(
    ("status", "name", "code", "more", "expected"),
    [
        (404, "NOT_FOUND", "UNREGISTERED", [], "dead_token"),
        (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", [], "dead_token"),
        (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", [FIELD], "dead"),
        (400, "INVALID_ARGUMENT", None, [FIELD], "dead"),
        (403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", [], "retry"),
        (403, "PERMISSION_DENIED", None, [], "retry"),
        (401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR", [], "retry"),
        (401, "UNAUTHENTICATED", None, [], "retry"),
        (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", [], "retry"),
        (500, "INTERNAL", "INTERNAL", [], "retry"),
        (503, "UNAVAILABLE", "UNAVAILABLE", [], "retry"),
    ],
)
def test_every_answer_of_google_has_its_outcome(gateway, status, name, code, more, expected):
    details = ([{"@type": FCM_ERROR, "errorCode": code}] if code else []) + more
    body = {"error": {"code": status, "status": name, "message": "x", "details": details}}
    assert outcome(gateway, job("fcm"), {"status": status, "body": body}) == (expected, code or name)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (202, "", "delivered"), (404, "", "dead_token"), (410, "", "dead_token"), (400, "", "dead"), (401, "", "retry"),
        (403, {"reason": "BadJwtToken"}, "retry"), (400, {"reason": "VapidPkHashMismatch"}, "retry"), (307, "", "dead"),
        (429, "", "retry"), (500, "", "retry"), (503, {"code": 503, "errno": 202}, "retry"),
    ],
)  # fmt: skip
def test_every_answer_of_a_push_service_has_its_outcome(gateway, status, body, expected):
    assert outcome(gateway, browser(gateway), {"status": status, "body": body})[0] == expected


@pytest.mark.parametrize("provider", ["apns", "fcm", "webhook"])
def test_both_forms_of_retry_after_are_obeyed(gateway, provider):
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 300))
    for value in ("300", date):
        one = job(provider)
        gateway.script["webhook" if provider == "webhook" else one["target"]["token"]] = [
            {"status": 503, "headers": {"retry-after": value}}
        ]
        answer = push(gateway, one)[one["id"]]
        assert answer["outcome"] == "retry" and 290_000 <= answer["after_ms"] <= 451_000 and answer["counts"]


@pytest.mark.parametrize("end", [{"goaway": "before"}, {"reset": 7}, {"reset": 2}, {"close": True}])
def test_a_send_that_breaks_off_is_tried_again(gateway, end):
    one = job("apns")
    ended, _ = outcome(gateway, one, end, {})
    # libcurl itself may have sent it again where it was certain that it had not been processed.
    assert ended in ("retry", "delivered")
    assert {entry["headers"]["apns-id"] for entry in gateway.received("apns")} == {one["id"]}


def test_an_answer_with_a_goaway_counts(gateway):
    assert outcome(gateway, job("apns"), {"goaway": "after"}) == ("delivered", "200")


def test_too_large_is_sent_once_more_with_ids_alone(gateway):
    large = {"status": 413, "body": {"reason": "PayloadTooLarge"}}
    assert outcome(gateway, job("apns"), large, {})[0] == "delivered"
    first, second = gateway.received("apns")
    assert first["headers"]["apns-id"] == second["headers"]["apns-id"] and "Trip" not in json.dumps(second["payload"])
    assert outcome(gateway, job("apns"), large)[0] == "dead"


def test_a_strict_connection_is_never_asked_for_more_streams(gateway):
    gateway.max_streams = 8
    gateway.script["*"] = [{"delay": 0.02}]
    answers = push(gateway, *[job("apns") for _ in range(300)], code=0)
    assert len(answers) == 300 and gateway.refused == 0 and gateway.connections == 1
    assert 1 < gateway.most_streams <= 8
    assert len(gateway.checks.provider_tokens) == 1


def test_the_providers_tokens_are_what_they_want(gateway):
    push(gateway, job("apns"), code=0)
    header, claims, _ = gateway.received("apns")[0]["headers"]["authorization"].removeprefix("bearer ").split(".")

    def read(part: str) -> dict:
        return json.loads(base64.urlsafe_b64decode(part + "=="))

    assert read(header) == {"alg": "ES256", "typ": "JWT", "kid": KEY_ID} and read(claims)["iss"] == TEAM


def test_settings_that_cannot_be_used_are_told(gateway, tmp_path):
    (tmp_path / "AuthKey.p8").write_text("no key")
    ran = run_binary("push", "test", "--push", str(tmp_path / "push.json"))
    assert ran.returncode == 2 and "AuthKey.p8 holds no P-256 private key" in ran.stderr
