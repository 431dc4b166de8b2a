"""What Apple, Google and a push service check of a request, by libraries independent of ours, and the keys for it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
import urllib.parse
import uuid
from pathlib import Path

import http_ece
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PUSH_TYPES = {"alert", "background", "voip", "complication", "fileprovider", "mdm", "location", "liveactivity", "pushtotalk"}
APP, TEAM, KEY_ID, PROJECT, SERVICE = "com.example.chat", "TEAM123456", "KEY1234567", "example", "push@example.iam"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def point(key) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def pem(key) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


class Refused(Exception):
    def __init__(self, status: int, reason: str):
        self.status, self.reason = status, reason


def need(condition: object, status: int, reason: str):
    if not condition:
        raise Refused(status, reason)


class Checks:
    def __init__(self, directory: Path, origin: str):
        self.origin = origin
        self.apns, self.vapid = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self.google, self.secret = rsa.generate_private_key(65537, 2048), b"k" * 32
        self.browsers: dict[str, dict] = {}
        self.access_tokens: dict[str, float] = {}
        self.provider_tokens: dict[str, int] = {}
        (directory / "AuthKey.p8").write_text(pem(self.apns))
        (directory / "vapid.pem").write_text(pem(self.vapid))
        (directory / "webhook.secret").write_text("whsec_" + base64.b64encode(self.secret).decode())
        account = {
            "type": "service_account", "project_id": PROJECT, "private_key_id": "google1", "client_email": SERVICE,
            "private_key": pem(self.google), "token_uri": f"{origin}/token",
        }  # fmt: skip
        (directory / "account.json").write_text(json.dumps(account))
        settings = {
            "ca_file": "cert.pem",
            "apns": [{"app_id": APP, "team_id": TEAM, "key_id": KEY_ID, "key_file": "AuthKey.p8", "url": origin}],
            "fcm": [{"app_id": APP, "service_account_file": "account.json", "url": origin, "token_hosts": ["localhost"]}],
            "webpush": {
                "key_file": "vapid.pem", "subject": "mailto:ops@example.org", "navigate": "https://chat.example/open",
                "hosts": [origin.removeprefix("https://")], "private_networks": ["127.0.0.0/8"],
            },
            "webhook": [{"app_id": "host", "url": f"{origin}/hook", "secret_file": "webhook.secret", "private_networks": ["127.0.0.0/8"]}],
        }  # fmt: skip
        (directory / "push.json").write_text(json.dumps(settings, indent=2))
        self.description = {"settings": str(directory / "push.json"), "certificate": str(directory / "cert.pem")}

    def subscribe(self) -> dict:
        """A browser's subscription: endpoint, p256dh, auth."""
        name, key, auth = uuid.uuid4().hex, ec.generate_private_key(ec.SECP256R1()), uuid.uuid4().bytes
        self.browsers[name] = {"key": key, "auth": auth}
        return {"endpoint": f"{self.origin}/wp/{name}", "p256dh": b64(point(key)), "auth": b64(auth)}

    def check(self, path: str, headers: dict, body: bytes) -> tuple[dict, int, bytes]:
        """The log's entry, the status and the body of the answer."""
        entry = {"kind": "?", "target": path, "headers": headers, "bytes": len(body)}
        try:
            need(headers[":method"] == "POST", 405, "MethodNotAllowed")
            if path.startswith("/3/device/"):
                return entry, 200, self.check_apns(path, headers, body, entry)
            if path == "/token":
                return entry, 200, self.check_token(headers, body, entry)
            if path == f"/v1/projects/{PROJECT}/messages:send":
                return entry, 200, self.check_fcm(headers, body, entry)
            if path.startswith("/wp/"):
                return entry, 201, self.check_webpush(path, headers, body, entry)
            if path == "/hook":
                return entry, 204, self.check_webhook(headers, body, entry)
            raise Refused(404, "BadPath")
        except Exception as error:  # noqa: BLE001 - whatever cannot be read is refused
            refused = error if isinstance(error, Refused) else Refused(400, repr(error))
            entry["refused"] = refused.reason
            if entry["kind"] in ("fcm", "token"):
                status = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED"}.get(refused.status, refused.reason)
                answer = {"error": {"code": refused.status, "status": status, "message": refused.reason}}
            else:
                answer = {"reason": refused.reason}
            return entry, refused.status, json.dumps(answer).encode()

    def answer_headers(self, entry: dict) -> dict:
        if entry["kind"] == "apns":
            return {"apns-id": entry["headers"].get("apns-id", str(uuid.uuid4()))}
        if entry["kind"] == "webpush":
            return {"location": f"{self.origin}/m/{uuid.uuid4().hex}", "ttl": entry["headers"].get("ttl", "0")}
        return {}

    def check_apns(self, path: str, headers: dict, body: bytes, entry: dict) -> bytes:
        entry |= {"kind": "apns", "target": path.removeprefix("/3/device/")}
        need(re.fullmatch(r"[0-9a-fA-F]{64,200}", entry["target"]), 400, "BadDeviceToken")
        scheme, _, token = headers.get("authorization", "").partition(" ")
        need(scheme.lower() == "bearer" and token, 403, "MissingProviderToken")
        try:
            head = jwt.get_unverified_header(token)
            options = {"verify_iat": False, "require": ["iss", "iat"]}
            claims = jwt.decode(token, self.apns.public_key(), algorithms=["ES256"], options=options)
        except jwt.PyJWTError as error:
            raise Refused(403, "InvalidProviderToken") from error
        need(head.get("kid") == KEY_ID and claims["iss"] == TEAM and set(claims) == {"iss", "iat"}, 403, "InvalidProviderToken")
        need(isinstance(claims["iat"], int) and -60 < time.time() - claims["iat"] < 3600, 403, "ExpiredProviderToken")
        self.provider_tokens[token] = claims["iat"]
        kind, topic = headers.get("apns-push-type"), headers.get("apns-topic")
        need(topic, 400, "MissingTopic")
        need(kind in PUSH_TYPES, 400, "InvalidPushType")
        need(topic == (APP + ".voip" if kind == "voip" else APP), 400, "DeviceTokenNotForTopic")
        need(headers.get("apns-priority", "10") in ("1", "5", "10"), 400, "BadPriority")
        need(headers.get("apns-expiration", "0").isdigit(), 400, "BadExpirationDate")
        name = headers.get("apns-id", "")
        need(str(uuid.UUID(name)) == name if re.fullmatch(r"[0-9a-f-]{36}", name) else False, 400, "BadMessageId")
        need(len(headers.get("apns-collapse-id", "").encode()) <= 64, 400, "BadCollapseId")
        need(body, 400, "PayloadEmpty")
        need(len(body) <= (5120 if kind == "voip" else 4096), 413, "PayloadTooLarge")
        entry["payload"] = json.loads(body)
        aps = entry["payload"].get("aps")
        need(isinstance(aps, dict), 400, "PayloadEmpty")
        if kind == "background":
            need(headers.get("apns-priority") == "5", 400, "BadPriority")
            need(aps.get("content-available") == 1 and not {"alert", "sound", "badge"} & set(aps), 400, "InvalidPushType")
        need(isinstance(aps.get("badge", 0), int), 400, "BadPayload")
        return b""

    def check_token(self, headers: dict, body: bytes, entry: dict) -> bytes:
        entry |= {"kind": "token", "target": "token"}
        need(headers.get("content-type") == "application/x-www-form-urlencoded", 400, "content-type")
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        need(form.get("grant_type") == GRANT, 400, "grant_type")
        try:
            need(jwt.get_unverified_header(form["assertion"]).get("kid") == "google1", 401, "kid")
            claims = jwt.decode(
                form["assertion"], self.google.public_key(), algorithms=["RS256"], audience=f"{self.origin}/token",
                options={"require": ["iss", "iat", "exp", "aud"]},
            )  # fmt: skip
        except jwt.PyJWTError as error:
            raise Refused(401, "assertion") from error
        need(claims["iss"] == SERVICE and claims["scope"] == SCOPE and claims["exp"] - claims["iat"] <= 3600, 401, "claims")
        token = "ya29." + uuid.uuid4().hex
        self.access_tokens[token] = time.time() + 3600
        return json.dumps({"access_token": token, "expires_in": 3599, "token_type": "Bearer"}).encode()

    def check_fcm(self, headers: dict, body: bytes, entry: dict) -> bytes:
        entry["kind"] = "fcm"
        token = headers.get("authorization", "").removeprefix("Bearer ")
        need(self.access_tokens.get(token, 0) > time.time(), 401, "token")
        need(headers.get("content-type", "").startswith("application/json"), 400, "content-type")
        message = json.loads(body)["message"]
        targets = [name for name in ("token", "fid", "topic", "condition") if name in message]
        need(len(targets) == 1, 400, "target")
        entry |= {"target": message[targets[0]], "target_kind": targets[0], "payload": message}
        need(set(message) <= {*targets, "data", "notification", "android", "apns", "webpush"}, 400, "field")
        data = message.get("data", {})
        need(all(isinstance(value, str) for value in data.values()), 400, "data")
        need(not [k for k in data if k in ("from", "gcm", "message_type") or k.startswith("google")], 400, "reserved")
        android = message.get("android", {})
        known = {"collapse_key", "priority", "ttl", "restricted_package_name", "notification", "direct_boot_ok"}
        need(set(android) <= known, 400, "android")
        need(android.get("priority", "NORMAL") in ("NORMAL", "HIGH"), 400, "priority")
        need(re.fullmatch(r"\d+(\.\d+)?s", android.get("ttl", "0s")), 400, "ttl")
        need(int(android.get("ttl", "0s")[:-1]) <= 2_419_200, 400, "ttl")
        shown = message.get("notification", {}) | android.get("notification", {}) | data
        need(len(json.dumps(shown, ensure_ascii=False).encode()) <= 4096, 400, "size")
        return json.dumps({"name": f"projects/{PROJECT}/messages/{uuid.uuid4().hex}"}).encode()

    def check_webpush(self, path: str, headers: dict, body: bytes, entry: dict) -> bytes:
        entry["kind"] = "webpush"
        browser = self.browsers.get(path.removeprefix("/wp/"))
        need(browser, 404, "no subscription")
        need(headers.get("ttl", "").isdigit(), 400, "ttl")
        need(headers.get("urgency") in ("very-low", "low", "normal", "high"), 400, "urgency")
        need(re.fullmatch(r"[A-Za-z0-9_-]{1,32}", headers.get("topic", "t")), 400, "topic")
        need(headers.get("content-encoding") == "aes128gcm", 400, "content-encoding")
        match = re.fullmatch(r"vapid t=([^,]+), k=(\S+)", headers.get("authorization", ""))
        need(match, 401, "authorization")
        need(match[2] == b64(point(self.vapid)), 403, "VapidPkHashMismatch")
        try:
            options = {"require": ["exp", "aud", "sub"]}
            claims = jwt.decode(match[1], self.vapid.public_key(), algorithms=["ES256"], audience=self.origin, options=options)
        except jwt.PyJWTError as error:
            raise Refused(403, "BadJwtToken") from error
        need(claims["exp"] - time.time() <= 24 * 3600 and re.match(r"(mailto:|https://)[^\s<>]+$", claims["sub"]), 403, "BadJwtToken")
        need(len(body) <= 4096, 413, "too large")
        try:
            plain = http_ece.decrypt(body, private_key=browser["key"], auth_secret=browser["auth"], version="aes128gcm")
        except http_ece.ECEException as error:
            raise Refused(400, "decryption") from error
        entry |= {"payload": json.loads(plain), "plain_bytes": len(plain)}
        payload = entry["payload"]
        need(payload.get("web_push") == 8030 and payload["notification"].get("title"), 400, "declarative")
        need(payload["notification"].get("navigate", "").startswith("https://"), 400, "navigate")
        return b""

    def check_webhook(self, headers: dict, body: bytes, entry: dict) -> bytes:
        entry |= {"kind": "webhook", "target": "webhook", "payload": json.loads(body)}
        name, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        need(name and stamp.isdigit() and abs(time.time() - int(stamp)) < 300, 401, "timestamp")
        code = hmac.new(self.secret, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
        expected = "v1," + base64.b64encode(code).decode()
        need(expected in headers.get("webhook-signature", "").split(" "), 401, "signature")
        return b""
