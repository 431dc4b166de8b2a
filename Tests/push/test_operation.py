"""What an operator has: sealed tokens, a test of a device, an explanation, metrics."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request

import pytest
from house import House
from parley import run_binary


def key_pair(folder) -> tuple[str, str]:
    """An OpenPGP key, armored: public, private."""
    home = folder / "gnupg"
    home.mkdir(mode=0o700)
    environment = {**os.environ, "GNUPGHOME": str(home)}

    def gpg(*arguments: str) -> str:
        command = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout

    gpg("--quick-generate-key", "push@example.org", "rsa2048", "sign", "never")
    fingerprint = next(line.split(":")[9] for line in gpg("--with-colons", "--list-keys").splitlines() if line.startswith("fpr"))
    gpg("--quick-add-key", fingerprint, "rsa2048", "encr", "never")
    try:
        return gpg("--armor", "--export"), gpg("--armor", "--export-secret-keys")
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=False, env=environment)


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")
def test_a_worker_opens_what_the_database_cannot(house: House):
    public, private = key_pair(house.folder)
    (house.folder / "push.asc").write_text(private)
    house.superuser("create extension pgcrypto")
    blind = house.worker()
    alice, bob = house.user("Alice"), house.user("Bob")
    plain = house.device(bob)
    house.sql(f"update parley.setting set value = '{public}' where name = 'push_public_key'")
    phone, browser = house.device(bob), house.device(bob, "webpush")
    stored = house.sql("select string_agg(to_jsonb(d)::text, ' ') from parley.push_device d where token_sealed is not null")
    assert phone.token not in stored and browser.token not in stored and plain.token not in stored and stored
    conversation = house.conversation(alice, bob)
    house.send(alice, conversation, "sealed")
    house.wait(lambda: "sealed" in plain.texts(), "the one that is not sealed")
    assert not phone.got and not browser.got
    blind.stop()
    house.settings(secret_key_file="push.asc")
    seeing = house.worker()
    house.wait(lambda: "sealed" in phone.texts() and "sealed" in browser.texts(), "the sealed ones")
    house.settled()
    for worker in (blind, seeing):
        for secret in (phone.token, browser.token, private.splitlines()[3], "sealed\""):
            assert secret not in worker.output()
    house.check_gateway()


def push(house: House, *arguments: str):
    return run_binary("push", *arguments, "--database-url", house.worker_url)


def test_a_device_is_tried_out_through_the_queue(house: House):
    house.worker()
    bob = house.user("Bob")
    phone, gone = house.device(bob), house.device(bob)
    gone.answers({"status": 410, "body": {"reason": "Unregistered", "timestamp": 9_999_999_999_999}})
    ran = push(house, "test", "--device", phone.id)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["state"], told["answer"]) == ("sent", "200") and len(phone.accepted) == 1
    ran = push(house, "test", "--device", gone.id)
    assert ran.returncode == 1 and json.loads(ran.stdout)["answer"] == "Unregistered"
    ran = push(house, "test", "--device", gone.id)
    assert ran.returncode == 1 and "There is no such device, or it was dropped" in ran.stderr
    house.check_gateway()


def test_what_was_given_up_is_tried_again_by_a_command(house: House):
    house.worker()
    alice, bob, carol = house.user("Alice"), house.user("Bob"), house.user("Carol")
    phone, other = house.device(bob), house.device(carol)
    conversation = house.conversation(alice, bob, carol, title="Trip")
    house.calm()
    phone.answers({"status": 400, "body": {"reason": "BadPath"}}, {})
    other.answers({"status": 400, "body": {"reason": "PayloadEmpty"}}, {})
    house.send(alice, conversation, "given up")
    house.settled()
    assert house.sql("select count(*) from parley.push_job where state = 'dead'") == "2"

    def requeue(*arguments: str) -> str:
        ran = push(house, "requeue", *arguments)
        assert ran.returncode == 0, ran.stderr
        house.settled()
        return ran.stdout.strip()

    assert requeue("--provider", "fcm") == "notifications that are tried again: 0"
    assert requeue("--answer", "BadPath", "--since", "1 hour") == "notifications that are tried again: 1"
    assert (phone.texts(), other.texts()) == (["Alice: given up"], [])
    assert requeue() == "notifications that are tried again: 1"
    assert (phone.texts(), other.texts()) == (["Alice: given up"], ["Alice: given up"])


def test_why_somebody_was_not_told_is_one_command(house: House):
    house.worker()
    alice, bob = house.user("Alice"), house.user("Bob")
    house.device(bob)
    conversation = house.conversation(alice, bob)
    told = house.send(alice, conversation, "told")
    house.settled()
    house.rpc(bob, "update_participant_settings", conversation_id=conversation, mute_until="infinity")
    untold = house.send(alice, conversation, "not told")
    house.settled()
    for message, words in ((told, ('"sent"', '"200"')), (untold, ('"muted"',))):
        ran = run_binary("push", "explain", message["id"], bob, "--database-url", house.owner_url, "--reason", "a ticket")
        assert ran.returncode == 0, ran.stderr
        assert all(word in ran.stdout for word in words), ran.stdout
        json.loads(ran.stdout)


def metrics(house: House, token: str | None) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{house.workers[0].url}/metrics", headers=headers), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_count_what_was_sent(house: House):
    worker = house.worker()
    alice, bob = house.user("Alice"), house.user("Bob")
    phone, gone = house.device(bob), house.device(bob, "fcm")
    gone.answers({"status": 404, "body": {"error": {"code": 404, "status": "NOT_FOUND"}}})
    conversation = house.conversation(alice, bob)
    house.send(alice, conversation, "counted")
    house.wait(lambda: "counted" in phone.texts(), "a notification")
    house.settled()
    for token in (None, worker.anon_key, worker.token(bob)):
        assert metrics(house, token)[0] == 401
    status, text = metrics(house, worker.service_key)
    assert status == 200 and text.endswith("# EOF\n")
    assert 'parley_push_settled_total{provider="apns",outcome="delivered",reason="200"}' in text
    assert 'parley_push_delay_seconds{provider="apns",quantile="0.99"}' in text
    house.wait(lambda: "parley_push_log_resets_total 0" in metrics(house, worker.service_key)[1], "the log")
    house.wait(lambda: 'parley_push_queue_age_seconds{provider="apns",lane="call"} 0.0' in metrics(house, worker.service_key)[1], "the queue")
