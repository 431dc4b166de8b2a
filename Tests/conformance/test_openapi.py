"""`GET /rest/v1/`: the description of the API, judged by a stock validator and by the API itself."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from openapi_spec_validator import validate


@pytest.fixture(scope="module")
def document(worker):
    with urllib.request.urlopen(f"{worker.url}/rest/v1/", timeout=20) as answer:
        assert answer.headers["Content-Type"] == "application/openapi+json; charset=utf-8"
        return json.loads(answer.read())


def test_a_stock_validator_accepts_it(document):
    assert document["swagger"] == "2.0"
    validate(document)


def test_it_lists_what_the_schema_offers(cluster, document):
    functions = cluster.psql("select string_agg(distinct proname, ' ') from pg_proc where pronamespace = 'parley_api'::regnamespace and prokind = 'f'")
    views = cluster.psql("select coalesce(string_agg(relname, ' '), '') from pg_class where relnamespace = 'parley_api'::regnamespace and relkind in ('v', 'm', 'r', 'p', 'f')")
    paths = {f"/rpc/{name}" for name in functions.split()} | {f"/{name}" for name in views.split()}
    assert set(document["paths"]) == paths | {"/"}
    assert set(document["definitions"]) == set(views.split())


def test_arguments_have_types_defaults_and_the_comments_of_the_database(cluster, document):
    send = document["paths"]["/rpc/send_message"]["post"]
    schema = send["parameters"][0]["schema"]
    assert "conversation_id" in schema["required"]
    assert schema["properties"]["conversation_id"] == {"type": "string", "format": "uuid"}
    assert schema["properties"]["type"]["default"] == "text"
    comment = cluster.psql("select obj_description(oid, 'pg_proc') from pg_proc where pronamespace = 'parley_api'::regnamespace and proname = 'send_message'")
    assert comment.startswith(send["summary"])


def test_what_it_says_of_a_call_holds(worker, people, document):
    """Every function that takes no argument by need, and changes nothing, answers GET as its path says."""
    asked = 0
    for path, operations in document["paths"].items():
        get = operations.get("get")
        if not path.startswith("/rpc/") or not get or any(one["required"] for one in get["parameters"]):
            continue
        request = urllib.request.Request(worker.url + document["basePath"] + path, headers={"Authorization": f"Bearer {people.token('Alice')}"})
        try:
            status = urllib.request.urlopen(request, timeout=20).status
        except urllib.error.HTTPError as error:
            status = error.code
        # Refused for rights or arguments, perhaps; never for its name, its verb or a fault of ours.
        assert status not in (404, 405) and status < 500, path
        asked += 1
    assert asked > 3


def test_other_types_and_verbs_are_refused(worker):
    for method, headers, status in [("GET", {"Accept": "text/html"}, 406), ("POST", {}, 405), ("GET", {"Accept-Profile": "public"}, 406)]:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(f"{worker.url}/rest/v1/", method=method, headers=headers), timeout=20)
        assert refused.value.code == status
