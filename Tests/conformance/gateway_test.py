"""The gateway seen by the stock `postgrest` client, and by raw HTTP where the client would not say such things.

The functions and views of gateway_schema.sql are put into the exposed schema: they have every shape a function or a
column can have, while Parley's own are all of one kind.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import uuid
from pathlib import Path

import pytest
from postgrest import SyncPostgrestClient
from postgrest.exceptions import APIError
from waiting import until

SCHEMA = "parley_api"


@pytest.fixture(scope="module")
def door(cluster, worker):
    script = (Path(__file__).parent / "gateway_schema.sql").read_text()
    script = re.sub(r"^create schema door;\n", "", script, flags=re.M)
    cluster.psql(re.sub(r"\bdoor\b", SCHEMA, script), cluster.superuser_url)
    # what one user may ask for has tests of its own
    cluster.psql(
        "insert into parley.tier_limit (tier_name, name, amount, period_seconds) "
        "select t.name, 'requests_per_minute', null, 60 from parley.tier t "
        "on conflict (tier_name, name) do update set amount = null"
    )
    # The catalog is read at most every two seconds because of names the worker does not know.
    until(lambda: ask(worker, "POST", "/rest/v1/rpc/truth", b"{}").status == 200)
    return worker


@pytest.fixture
def user(door) -> str:
    return door.token(str(uuid.uuid4()))


def client(worker, token: str | None, schema: str = SCHEMA) -> SyncPostgrestClient:
    headers = {"apikey": token, "Authorization": f"Bearer {token}"} if token else {}
    return SyncPostgrestClient(f"{worker.url}/rest/v1", schema=schema, headers=headers)


@pytest.fixture
def rest(door, user):
    with client(door, user) as rest:
        yield rest


class Answer:
    def __init__(self, response: http.client.HTTPResponse):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self):
        return json.loads(self.body)


def ask(worker, method: str, path: str, body: bytes | None = None, token: str | None = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=20)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        connection.request(method, path, body, sent)
        return Answer(connection.getresponse())
    finally:
        connection.close()


# Calls


def test_call_with_arguments_of_every_kind(rest):
    ids = [str(uuid.uuid4()), str(uuid.uuid4())]
    arguments = {"a": 7, "b": "é \"q\" \\ 😀", "c": {"k": [1, None]}, "d": ids}
    assert rest.rpc("echo", arguments).execute().data == arguments
    assert rest.rpc("echo", arguments, get=True).execute().data == arguments


def test_call_with_defaults_and_nulls(rest):
    assert rest.rpc("echo", {"a": 1}).execute().data == {"a": 1, "b": "x", "c": None, "d": None}
    assert rest.rpc("echo", {"a": 1, "b": None}).execute().data == {"a": 1, "b": None, "c": None, "d": None}


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        ("truth", {}, True),
        ("nothing", {}, None),
        ("letters", {}, ["a", "b", "c"]),
        ("plain_json", {}, {"a": [1, 2], "b": 1}),
        ("numbers", {"up_to": 2}, [{"n": 1, "square": 1}, {"n": 2, "square": 4}]),
        ("many", {"words": ["a", "b"]}, 2),
        ("whole", {"x": [1]}, {"x": [1]}),
        ("shape", {"a": 1}, "a"),
        ("shape", {"a": 1, "b": 1}, "ab"),
        ("reset", {}, []),
    ],
)
def test_results_of_every_kind(rest, function, arguments, expected):
    assert rest.rpc(function, arguments).execute().data == expected


def test_rows_of_a_function_can_be_filtered_ordered_and_paged(rest):
    answer = rest.rpc("numbers", {"up_to": 9}, count="exact", get=True).gt("n", 3).order("n", desc=True).limit(2).execute()
    assert answer.data == [{"n": 9, "square": 81}, {"n": 8, "square": 64}]
    assert answer.count == 6
    assert rest.rpc("numbers", {"up_to": 3}).eq("n", 2).single().execute().data == {"n": 2, "square": 4}


def test_head_of_a_function_counts(rest):
    answer = rest.rpc("numbers", {"up_to": 5}, count="exact", head=True).execute()
    assert answer.count == 5
    assert not answer.data


def test_the_caller_is_the_role_and_claims_of_the_token(door, rest, user):
    seen = rest.rpc("whoami", {}).execute().data
    assert seen["role"] == "authenticated"
    assert seen["claims"]["sub"] and seen["claims"]["role"] == "authenticated"
    assert seen["read_only"] == "on"
    assert "authorization" not in seen["headers"] and "apikey" not in seen["headers"]
    assert user not in json.dumps(seen)
    with client(door, None) as nobody:
        assert nobody.rpc("whoami", {}).execute().data["role"] == "anon"


def test_get_never_runs_a_function_that_may_write(rest):
    rest.rpc("reset", {}).execute()
    with pytest.raises(APIError) as refused:
        rest.rpc("bump", {}, get=True).execute()
    assert refused.value.code == "PGRST101"
    assert rest.rpc("bump", {"by": 0}).execute().data == 0


def test_what_a_failed_call_did_is_undone(rest):
    rest.rpc("reset", {}).execute()
    with pytest.raises(APIError) as failed:
        rest.rpc("bump_then_fail", {}).execute()
    assert failed.value.code == "PT409" and failed.value.message == "No."
    assert rest.rpc("bump", {"by": 0}).execute().data == 0


@pytest.mark.parametrize(
    ("function", "arguments", "code"),
    [
        ("no_such_function", {}, "PGRST202"),
        ("echo", {}, "PGRST202"),
        ("echo", {"a": 1, "zz": 2}, "PGRST202"),
        ("twice", {"a": 1}, "PGRST203"),
        ("echo", {"a": "x"}, "22P02"),
        ("echo", {"a": 1, "d": ["x"]}, "22P02"),
        ("echo", {"a": 1, "b": "nul \0 byte"}, "22P05"),
        ("guarded", {}, "42501"),
        ("nap", {"seconds": 60}, "57014"),
        ("fail", {"state": "PT404"}, "PT404"),
        ("fail", {"state": "P0001"}, "P0001"),
    ],
)
def test_refusals_carry_their_code(rest, function, arguments, code):
    with pytest.raises(APIError) as refused:
        rest.rpc(function, arguments).execute()
    assert refused.value.code == code


def test_the_words_for_an_unknown_function(rest):
    with pytest.raises(APIError) as refused:
        rest.rpc("ecko", {"b": 1, "a": 2}).execute()
    assert refused.value.message == "Could not find the function parley_api.ecko(a, b) in the schema cache"
    assert refused.value.hint == "Perhaps you meant to call the function parley_api.echo"


def test_another_schema_is_refused(door, user):
    with client(door, user, schema="public") as public:
        with pytest.raises(APIError) as refused:
            public.rpc("truth", {}).execute()
        assert refused.value.code == "PGRST106"
        assert refused.value.message == "Invalid schema: public"
        with pytest.raises(APIError) as refused:
            public.from_("things").select("*").execute()
        assert refused.value.code == "PGRST106"


# Reads


def test_reads_with_every_supported_filter(rest):
    def ids(query) -> list[int]:
        return [row["id"] for row in query.order("id").limit(3).execute().data]

    things = lambda: rest.from_("things").select("id")  # noqa: E731
    assert ids(things().eq("id", 2)) == [2]
    assert ids(things().neq("id", 1)) == [2, 3, 4]
    assert ids(things().gt("id", 5)) == [6, 7, 8]
    assert ids(things().gte("id", 5).lt("id", 7)) == [5, 6]
    assert ids(things().lte("id", 2)) == [1, 2]
    assert ids(things().in_("name", ["thing 1", 'odd "one", (x)', "thing 3"])) == [1, 3]
    assert ids(things().is_("name", None)) == [10, 20, 30]
    assert ids(things().is_("done", True)) == [3, 6, 9]
    assert ids(things().not_.is_("done", None).not_.eq("done", True)) == [1, 4, 7]
    assert ids(things().not_.in_("id", [1, 2])) == [3, 4, 5]
    assert ids(things().eq("odd name", 7)) == [1, 2, 3]


def test_select_renames_and_orders(rest):
    rows = rest.from_("things").select("number:id,name").order("name", desc=True, nullsfirst=True).order("id").limit(1).execute()
    assert rows.data == [{"number": 10, "name": None}]


def test_single_and_maybe_single(rest):
    assert rest.from_("things").select("id").eq("id", 3).single().execute().data == {"id": 3}
    for condition in (-1, 0):
        with pytest.raises(APIError) as refused:
            rest.from_("things").select("id").eq("id", condition).single().execute()
        assert refused.value.code == "PGRST116"
    assert rest.from_("things").select("id").eq("id", -1).maybe_single().execute() is None


def test_ranges_and_counts(rest):
    page = rest.from_("things").select("id", count="exact").order("id").range(10, 12).execute()
    assert [row["id"] for row in page.data] == [11, 12, 13]
    assert page.count == 1500
    assert rest.from_("things").select("id", count="exact", head=True).execute().count == 1500


def test_a_limit_of_a_billion_gets_a_thousand_rows(rest):
    assert len(rest.from_("things").select("id").limit(1_000_000_000).execute().data) == 1000
    assert len(rest.rpc("numbers", {"up_to": 5000}).execute().data) == 1000


def test_nulls_can_be_stripped(rest):
    assert rest.from_("things").select("id,name").eq("id", 10).strip_nulls().execute().data == [{"id": 10}]


@pytest.mark.parametrize(
    "build",
    [
        lambda things: things.select("*").like("name", "%x%"),
        lambda things: things.select("*").ilike("name", "%x%"),
        lambda things: things.select("*").or_("id.eq.1,id.eq.2"),
        lambda things: things.select("*").contains("labels", ["a1"]),
        lambda things: things.select("*").fts("name", "x"),
        lambda things: things.select("id,other(*)"),
        lambda things: things.select("data->x"),
        lambda things: things.select("id.sum()"),
        lambda things: things.select("id::text"),
        lambda things: things.select("*").eq("data->>x", "y"),
        lambda things: things.select("*").limit(1, foreign_table="other"),
    ],
)
def test_what_is_not_supported_is_refused_and_not_ignored(rest, build):
    with pytest.raises(APIError) as refused:
        build(rest.from_("things")).execute()
    assert refused.value.code == "PGRST100"
    assert "not supported" in refused.value.message


@pytest.mark.parametrize(
    "build",
    [
        lambda things: things.insert({"id": 1}),
        lambda things: things.update({"id": 1}).eq("id", 1),
        lambda things: things.delete().eq("id", 1),
        lambda things: things.upsert({"id": 1}),
    ],
)
def test_views_are_for_reading(rest, build):
    with pytest.raises(APIError) as refused:
        build(rest.from_("things")).execute()
    assert refused.value.code == "PGRST117"
    assert rest.from_("things").select("id", count="exact", head=True).execute().count == 1500


@pytest.mark.parametrize(("name", "code"), [("thing", "PGRST205"), ("pg_class", "PGRST205"), ("secrets", "42501")])
def test_views_that_are_not_there_or_not_for_you(rest, name, code):
    with pytest.raises(APIError) as refused:
        rest.from_(name).select("*").execute()
    assert refused.value.code == code


# Raw HTTP


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "code"),
    [
        ("POST", "/rpc/echo", b"", {}, 404, "PGRST202"),
        ("POST", "/rpc/echo", b"[]", {}, 400, "PGRST102"),
        ("POST", "/rpc/echo", b"{", {}, 400, "PGRST102"),
        ("POST", "/rpc/echo", b'{"a":1,"a":2}', {}, 400, "PGRST102"),
        ("POST", "/rpc/echo", b'{"a":"\xff"}', {}, 400, "PGRST102"),
        ("POST", "/rpc/echo", b'{"a":' + b"[" * 200_000, {}, 400, "PGRST102"),
        ("POST", "/rpc/echo", b"a=1", {"Content_Type": "application/x-www-form-urlencoded"}, 400, "PGRST102"),
        ("POST", "/rpc/" + "x" * 5000, b"{}", {}, 404, "PGRST202"),
        ("POST", "/rpc/echo", json.dumps({f"k{i}": 1 for i in range(5000)}).encode(), {}, 400, "PGRST102"),
        ("GET", "/rpc/echo?a=1&a=2", None, {}, 400, "PGRST100"),
        ("GET", "/things?id=eq.1&limit=1&limit=2", None, {}, 400, "PGRST100"),
        ("GET", "/things?" + "&".join(["id=eq.1"] * 1000), None, {}, 400, "PGRST100"),
        ("GET", "/things?limit=x", None, {}, 400, "PGRST100"),
        ("GET", "/things?limit=-1", None, {}, 416, "PGRST103"),
        ("GET", "/things?id=eq." + "9" * 5000, None, {}, 400, "22003"),
        ("GET", "/things?nope=eq.1", None, {}, 400, "42703"),
        ("GET", "/things", None, {"Accept": "text/csv"}, 406, "PGRST107"),
        ("GET", "/things", None, {"Prefer": "handling=strict, max-affected=3"}, 400, "PGRST122"),
        ("DELETE", "/rpc/echo", None, {}, 405, "PGRST101"),
        ("POST", "/", b"{}", {}, 405, "PGRST117"),
        ("GET", "/things/1/2", None, {}, 404, "PGRST125"),
        ("GET", "/things%2F..%2Frpc", None, {}, 404, "PGRST205"),
    ],
)
def test_bad_requests_get_a_clear_answer(door, user, method, path, body, headers, status, code):
    answer = ask(door, method, "/rest/v1" + path, body, user, **headers)
    assert (answer.status, answer.json["code"]) == (status, code)
    assert set(answer.json) == {"code", "message", "details", "hint"}
    assert answer.headers["Proxy-Status"] == f"PostgREST; error={code}"
    assert ask(door, "POST", "/rest/v1/rpc/truth", b"{}", user).json is True


@pytest.mark.parametrize("path", ["/rpc/echo?a=%00", "/things?name=eq.a%00b", "/things%00", "/things?%00=eq.1", "/things?name=eq.%ff"])
def test_zero_bytes_and_broken_text_in_a_url(door, user, path):
    answer = ask(door, "GET", "/rest/v1" + path, None, user)
    assert answer.status == 400
    assert answer.json


def test_a_body_beyond_the_limit(door, user):
    answer = ask(door, "POST", "/rest/v1/rpc/echo", b'{"b":"' + b"x" * 2_000_000 + b'"}', user)
    assert answer.status == 413


def test_tokens_that_are_refused(door):
    for token, code, message in [
        (door.token(ttl=-3600), "PGRST303", "JWT expired"),
        (door.token() + "x", "PGRST301", None),
        ("rubbish", "PGRST301", None),
        (door.token(exp=None), "PGRST303", None),
    ]:
        answer = ask(door, "POST", "/rest/v1/rpc/truth", b"{}", token)
        assert (answer.status, answer.json["code"]) == (401, code)
        assert message is None or answer.json["message"] == message
        assert answer.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token", error_description="')
    for role in ("postgres", "parley_worker", "nobody"):
        answer = ask(door, "POST", "/rest/v1/rpc/truth", b"{}", door.token(role=role))
        assert (answer.status, answer.json["code"]) == (403, "42501")


def test_the_apikey_stands_in_for_a_missing_token(door):
    assert ask(door, "POST", "/rest/v1/rpc/guarded", b"{}", apikey=door.service_key).json == 1
    refused = ask(door, "POST", "/rest/v1/rpc/guarded", b"{}", apikey=door.anon_key)
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    # A token of the user's goes before the project's key.
    user = ask(door, "POST", "/rest/v1/rpc/whoami", b"{}", door.token(), apikey=door.service_key)
    assert user.json["role"] == "authenticated"


def test_rate_limits_say_when_to_try_again(door, user):
    body = json.dumps({"state": "PT429", "detail": "Retry-After: 42", "hint": "Wait."}).encode()
    answer = ask(door, "POST", "/rest/v1/rpc/fail", body, user)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "42")
    assert answer.json == {"code": "PT429", "message": "It failed.", "details": "Retry-After: 42", "hint": "Wait."}


def test_browsers_may_call_from_any_page(door, user):
    preflight = ask(
        door, "OPTIONS", "/rest/v1/rpc/echo", origin="https://app.example", access_control_request_method="POST",
        access_control_request_headers="authorization,x-client-info,content-profile",
    )
    assert preflight.status == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert "content-profile" in preflight.headers["Access-Control-Allow-Headers"]
    answer = ask(door, "POST", "/rest/v1/rpc/truth", b"{}", user, origin="https://app.example")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Content-Range" in answer.headers["Access-Control-Expose-Headers"]


def test_options_names_the_verbs(door, user):
    assert ask(door, "OPTIONS", "/rest/v1/things", None, user).headers["Allow"] == "OPTIONS,GET,HEAD"
    assert ask(door, "OPTIONS", "/rest/v1/rpc/bump", None, user).headers["Allow"] == "OPTIONS,POST"
    assert ask(door, "OPTIONS", "/rest/v1/rpc/echo", None, user).headers["Allow"] == "OPTIONS,GET,HEAD,POST"


def test_content_range_and_profile_headers(door, user):
    answer = ask(door, "GET", "/rest/v1/things?select=id", None, user, Range="5-9", Accept_Profile=SCHEMA, Prefer="count=exact")
    assert (answer.status, answer.headers["Content-Range"]) == (206, "5-9/1500")
    assert answer.headers["Content-Profile"] == SCHEMA
    assert answer.headers["Preference-Applied"] == "count=exact"
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    beyond = ask(door, "GET", "/rest/v1/things?offset=1501", None, user, Prefer="count=exact")
    assert (beyond.status, beyond.headers["Content-Range"], beyond.json["code"]) == (416, "*/1500", "PGRST103")
    head = ask(door, "HEAD", "/rest/v1/things?limit=3", None, user)
    assert (head.status, head.body, head.headers["Content-Range"]) == (200, b"", "0-2/*")


def test_health_and_unknown_paths(door):
    assert ask(door, "GET", "/health/live").status == 200
    assert ask(door, "GET", "/health/ready").json == {"status": "ready"}
    assert ask(door, "POST", "/health/ready", b"").status == 405
    for path in ("/nothing", "/rest", "/rest/v2/things"):
        assert ask(door, "GET", path).status == 404


def test_a_function_made_later_is_found(door, cluster, user):
    name = f"later_{uuid.uuid4().hex[:8]}"
    assert ask(door, "POST", f"/rest/v1/rpc/{name}", b"{}", user).status == 404
    cluster.psql(f"create function {SCHEMA}.{name}() returns integer language sql stable as 'select 1'", cluster.superuser_url)
    until(lambda: ask(door, "POST", f"/rest/v1/rpc/{name}", b"{}", user).status == 200)
    assert ask(door, "POST", f"/rest/v1/rpc/{name}", b"{}", user).json == 1


def test_a_hundred_callers_at_once(door, user):
    wrong: list[object] = []

    def call(number: int) -> None:
        for step in range(20):
            answer = ask(door, "POST", "/rest/v1/rpc/echo", json.dumps({"a": number * 100 + step}).encode(), user)
            if answer.status != 200 or answer.json["a"] != number * 100 + step:
                wrong.append((answer.status, answer.body))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_caller_who_leaves_disturbs_nobody(door, user):
    request = (
        f"POST /rest/v1/rpc/nap HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {user}\r\n"
        'Content-Type: application/json\r\nContent-Length: 15\r\n\r\n{"seconds":0.2}'
    ).encode()
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", door.port)) as gone:
            gone.sendall(request)
    assert ask(door, "POST", "/rest/v1/rpc/truth", b"{}", user).json is True
