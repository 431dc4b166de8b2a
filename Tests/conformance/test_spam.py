"""Spam through every door, and services outside that judge what was sent: a real HTTP server stands for them."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from parley import RpcError
from sockets import Refused, Socket
from waiting import until

PHISH = "Your account was closed, sign in at http://paypal.com:login@192.0.2.7/canary to open it"


def sql_refusal(people, user: str, conversation: str, content: str) -> dict:
    """The same send as plain SQL, in a transaction that names its user."""
    answer = people.cluster.psql(
        f"""
        create function pg_temp.refusal() returns jsonb language plpgsql as $$
        declare m text; d text; h text;
        begin
            perform set_config('parley.user_id', '{people.id(user)}', true);
            perform parley_api.send_message('{conversation}', '{content}');
            return null;
        exception when others then
            get stacked diagnostics m = message_text, d = pg_exception_detail, h = pg_exception_hint;
            return jsonb_build_object('code', sqlstate, 'message', m, 'details', nullif(d, ''), 'hint', nullif(h, ''));
        end $$;
        select pg_temp.refusal();
        """
    )
    return json.loads(answer.splitlines()[-1])


@pytest.mark.asyncio
async def test_a_refusal_is_the_same_at_every_door_and_is_recorded(people):
    conversation = people.conversation("Mallory", "Victim")
    with pytest.raises(RpcError) as over_http:
        people.rpc("Mallory", "send_message", conversation_id=conversation, content=PHISH)
    assert over_http.value.status == 422
    refusal = over_http.value.body
    assert refusal["code"] == "PT422" and set(refusal) == {"code", "message", "details", "hint"}
    async with await Socket.open(people.worker) as socket:
        await socket.join(f"conversation:{conversation}", people.token("Mallory"))
        with pytest.raises(Refused) as over_socket:
            await socket.broadcast(f"conversation:{conversation}", "message:send", {"content": PHISH})
    response = over_socket.value.response
    assert {key: response[key] for key in refusal} == refusal and response["retriable"] is False
    assert sql_refusal(people, "Mallory", conversation, PHISH) == refusal
    # the worker records what it was told; plain SQL leaves its line in the server's log
    verdicts = f"select string_agg(action || array_to_string(rules, '+'), ' ') from parley.spam_verdict where conversation_id = '{conversation}'"
    wanted = "blockcredentials_in_link+ip_link+new_account"
    assert until(lambda: people.cluster.psql(verdicts) == f"{wanted} {wanted}"), people.cluster.psql(verdicts)
    log = (Path(people.cluster.environment["PARLEY_TEST_CLUSTER"]) / "log").read_text(errors="replace")
    assert log.count("a message was refused as spam") >= 3
    assert [line for line in log.splitlines() if "canary" in line and "refused as spam" in line] == []
    assert "canary" not in people.worker.output()


class Service:
    """Link safety in the shape of Safe Browsing v4, and a classifier of texts."""

    def __init__(self):
        self.bad: set[str] = set()
        self.broken = False
        self.hangs = 0.0
        self.asked: list[dict] = []
        self.paths: list[str] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                service.asked.append(body)
                service.paths.append(self.path)
                time.sleep(service.hangs)
                if "threatInfo" in body:
                    urls = [entry["url"] for entry in body["threatInfo"]["threatEntries"]]
                    matches = [
                        {"threatType": "MALWARE", "platformType": "ANY_PLATFORM", "threat": {"url": url}, "cacheDuration": "300.000s"}
                        for url in urls
                        if url in service.bad
                    ]
                    answer = {"matches": matches} if matches else {}
                else:
                    answer = {"confidence": 0.99 if "watches" in body["content"] else 0.01}
                data = json.dumps(answer).encode()
                try:
                    self.send_response(500 if service.broken else 200)
                    self.send_header("content-length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:
                    pass  # whoever asked has given up

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def urls(self) -> list[str]:
        return [entry["url"] for body in self.asked for entry in body.get("threatInfo", {}).get("threatEntries", [])]


@contextmanager
def rule(cluster, kind: str, on_failure: str = "open", late_action: str = "retract", **parameters: object):
    """A service with a rule that asks it."""
    service = Service()
    name = f"rule_{uuid.uuid4().hex[:12]}"
    parameters["url"] = f"{service.url}/v4/threatMatches:find"
    cluster.psql(
        f"insert into parley.spam_rule values ('{name}', '{kind}', 'on', 1, 0.9, '{on_failure}', '{late_action}', "
        f"'{json.dumps(parameters)}', 'a test')"
    )
    if kind == "safe_browsing":
        cluster.psql(f"select parley.set_spam_key('{name}', '{'k' * 31}&')")
    # it reads the log from now on
    assert until(lambda: cluster.psql("select count(*) from parley.consumer where name = 'spam'") == "1")
    try:
        yield service
    finally:
        cluster.psql(f"delete from parley.spam_rule where name = '{name}'; delete from parley.secret where name = 'spam_{name}'")
        service.server.shutdown()
        service.server.server_close()
        assert until(lambda: cluster.psql("select count(*) from parley.consumer where name = 'spam'") == "0")


@pytest.mark.asyncio
async def test_a_link_that_is_warned_of_is_retracted(people):
    conversation = people.conversation("Alice", "Bob")
    with rule(people.cluster, "safe_browsing") as service:
        service.bad.add("http://bad.example.com/x")
        async with await Socket.open(people.worker) as socket:
            await socket.join(f"conversation:{conversation}", people.token("Bob"))
            good = people.rpc("Alice", "send_message", conversation_id=conversation, content="see http://good.example.com/")
            bad = people.rpc("Alice", "send_message", conversation_id=conversation, content="see http://bad.example.com/x")
            deleted = await asyncio.wait_for(socket.event("message:deleted"), 20)
        assert (deleted["message_id"], deleted["for_everyone"]) == (bad["id"], True)
        assert service.paths[0] == "/v4/threatMatches:find?key=" + "k" * 31 + "%26"
        # what is known is not asked about again, by any worker, and a stranger is refused it at once
        asked = len(service.asked)
        with pytest.raises(RpcError) as refused:
            people.rpc("Alice", "send_message", conversation_id=conversation, content="once more http://bad.example.com/x")
        assert refused.value.body["code"] == "PT422"
        people.rpc("Alice", "send_message", conversation_id=conversation, content="again http://good.example.com/")
        waiting = f"select count(*) from parley.spam_check where conversation_id = '{conversation}'"
        assert until(lambda: people.cluster.psql(f"select parley.log_end() = max_id from parley.consumer where name = 'spam'") == "t")
        assert until(lambda: people.cluster.psql(waiting) == "0")
        assert len(service.asked) == asked and sorted(set(service.urls())) == ["http://bad.example.com/x", "http://good.example.com/"]
    shown = people.rpc("Bob", "get_conversation_messages", conversation_id=conversation)["messages"]
    assert {one["id"]: one["deleted_at"] is None for one in shown if one["id"] in (good["id"], bad["id"])} == {good["id"]: True, bad["id"]: False}


def test_a_classifier_moves_a_stranger_to_the_requests(people):
    with rule(people.cluster, "classifier", late_action="requests") as service:
        harmless = people.conversation("Carol", "Dave", message="Is the bicycle still there?")
        sold = people.conversation("Carol", "Erin", message="I sell watches")
        folder = "select folder from parley.participant where conversation_id = '{}' and user_id = '{}'"
        assert until(lambda: people.cluster.psql(folder.format(sold, people.id("Erin"))) == "requests")
        assert people.cluster.psql(folder.format(harmless, people.id("Dave"))) == "inbox"
        assert sorted(body["content"] for body in service.asked) == ["I sell watches", "Is the bicycle still there?"]


@pytest.mark.parametrize(("on_failure", "folder"), [("open", "inbox"), ("closed", "requests")])
def test_a_service_that_is_down_is_given_a_rest(people, on_failure, folder):
    with rule(people.cluster, "classifier", on_failure, "requests", tries=3) as service:
        service.broken = True
        conversation = people.conversation("Frank", "Grace", message="hello 0")
        for n in range(1, 8):
            people.rpc("Frank", "send_message", conversation_id=conversation, content=f"hello {n}")
        waiting = f"select count(*) from parley.spam_check where conversation_id = '{conversation}'"
        assert until(lambda: people.cluster.psql(waiting) == "8")
        assert until(lambda: people.cluster.psql(waiting) == "0", 40)
        # 8 messages, 3 tries each: five failures in a row ended the asking; what was under way then came in as well
        assert 5 <= len(service.asked) <= 12
        where = f"select folder from parley.participant where conversation_id = '{conversation}' and user_id = '{people.id('Grace')}'"
        assert people.cluster.psql(where) == folder


def test_a_service_that_hangs_holds_up_no_send(people):
    with rule(people.cluster, "classifier", "closed", "requests", tries=1) as service:
        service.hangs = 8
        conversation = people.conversation("Heidi", "Ivan", message="hello")
        assert until(lambda: service.asked)
        begin = time.monotonic()
        people.rpc("Heidi", "send_message", conversation_id=conversation, content="and again")
        assert time.monotonic() - begin < 7
        where = f"select folder from parley.participant where conversation_id = '{conversation}' and user_id = '{people.id('Ivan')}'"
        assert until(lambda: people.cluster.psql(where) == "requests", 15)
