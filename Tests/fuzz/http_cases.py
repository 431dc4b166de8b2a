"""Requests over HTTP: calls with bodies, reads with filters, broadcasts; as drawn, and sent on one connection after the other."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from urllib.parse import quote

from hypothesis import strategies as st
from values import PLACES, anything, arguments, damaged, mostly, strings, texts

CALLERS = [*["alice"] * 8, "bob", "carol", "anon", "service", "nobody"]
TYPES = [None, *["application/json"] * 12, "text/plain", "application/json; charset=utf-16", "*/*"]
OPERATORS = [*["eq", "neq", "gt", "gte", "lt", "lte", "in", "is", "not.eq"] * 3, "like", "cs", "fts", "or", "", "eq.eq"]


@dataclass(frozen=True)
class Request:
    caller: str
    method: str
    path: str
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.caller}: {self.method} {self.path[:2000]} {self.headers} {(self.body or b'')[:2000]!r}"


@dataclass(frozen=True)
class Description:
    """What the API says of itself."""

    functions: dict[str, tuple[dict[str, str], list[str]]]
    views: dict[str, list[str]]

    @classmethod
    def read(cls, document: dict) -> Description:
        functions, views = {}, {}
        for path, verbs in document["paths"].items():
            if path.startswith("/rpc/"):
                schema = verbs["post"]["parameters"][0]["schema"]
                wanted = {name: kind.get("format", "") for name, kind in schema.get("properties", {}).items()}
                functions[path[5:]] = (wanted, schema.get("required", []))
            elif path != "/":
                views[path[1:]] = list(document["definitions"][path[1:]]["properties"])
        return cls(functions, views)


pieces = st.one_of(
    texts.map(lambda text: quote(text.encode("utf-8", "surrogatepass"), safe="<>")), st.integers(-3, 10**19).map(str), st.integers(0, 50).map(str),
    st.sampled_from(PLACES).map("<{}>".format), st.sampled_from(["true", "null", "text", "2026-01-05T09:00:00Z"]),
    st.sampled_from(["%zz", "%", "%00", "%ff%fe", "(1,2)", "(" + "1," * 3000 + "1)", "*", "a:b", "id::text", "%22x%22", "x" * 9000]),
)


@st.composite
def reads(draw: st.DrawFn, about: Description) -> Request:
    view = draw(st.sampled_from(sorted(about.views)))
    columns = st.sampled_from(about.views[view])
    parts = []
    for _ in range(draw(st.integers(0, 5))):
        kind = draw(st.integers(0, 5))
        if kind <= 2:
            name = draw(mostly(columns, pieces))
            parts.append(f"{name}={draw(st.sampled_from(OPERATORS))}.{draw(pieces)}")
        elif kind == 3:
            aliased = st.tuples(pieces, columns).map(":".join)
            chosen = draw(st.lists(mostly(st.one_of(columns, aliased), pieces), max_size=8))
            parts.append("select=" + ",".join(chosen * draw(st.sampled_from([1, 1, 1, 300]))))
        elif kind == 4:
            order = st.tuples(columns, st.sampled_from(["", ".asc", ".desc", ".desc.nullslast", ".up"])).map("".join)
            parts.append("order=" + ",".join(draw(st.lists(mostly(order, pieces), max_size=4))))
        else:
            parts.append(f"{draw(st.sampled_from(['limit', 'offset']))}={draw(pieces)}")
    headers = draw(st.lists(st.sampled_from([
        ("Range", "0-9"), ("Range", "9-0"), ("Range", "-5"), ("Range", "0-99999999999999999999"), ("Prefer", "count=exact"),
        ("Prefer", "count=planned, tx=rollback"), ("Accept", "application/vnd.pgrst.object+json"), ("Accept", "text/csv"), ("Accept", "x"),
        ("Accept-Profile", "public"), ("Range-Unit", "bytes"),
    ]), max_size=2, unique_by=lambda header: header[0]))
    method = draw(st.sampled_from(["GET", "GET", "GET", "GET", "HEAD", "PATCH", "DELETE"]))
    return Request(draw(st.sampled_from(CALLERS)), method, f"/rest/v1/{view}?{'&'.join(parts)}", None, tuple(headers))


@st.composite
def calls(draw: st.DrawFn, about: Description) -> Request:
    name = draw(st.sampled_from(sorted(about.functions)))
    kind = draw(st.sampled_from(TYPES))
    headers = (("Content-Type", kind),) if kind else ()
    caller = draw(st.sampled_from(CALLERS))
    if draw(st.sampled_from(range(15))) == 14:
        names = list(about.functions[name][0]) or ["x"]
        query = "&".join(f"{draw(st.sampled_from(names))}={draw(pieces)}" for _ in range(draw(st.integers(0, 4))))
        return Request(caller, "GET", f"/rest/v1/rpc/{name}?{query}", None, headers)
    body = draw(damaged(mostly(arguments(*about.functions[name]), anything, 19)))
    return Request(caller, "POST", f"/rest/v1/rpc/{name}", body, headers)


@st.composite
def posts(draw: st.DrawFn) -> Request:
    """Broadcasts through HTTP."""
    topic = draw(st.one_of(st.just("conversation:<conversation>"), texts))
    message = f'{{"topic":{json.dumps(topic)},"event":{draw(strings)},"payload":{draw(anything)},"private":true}}'
    body = f'{{"messages":[{",".join([message] * draw(st.sampled_from([1, 1, 2, 101])))}]}}'
    path = "/realtime/v1/api/broadcast"
    if draw(st.booleans()):
        path += f"/{quote(topic.encode('utf-8', 'surrogatepass'), safe='')}/events/{draw(pieces)}?private=true"
    return Request(draw(st.sampled_from(CALLERS)), "POST", path, draw(damaged(st.just(body[:900_000]))), (("Content-Type", "application/json"),))


class Client:
    """One connection that is kept while the server keeps it."""

    def __init__(self, port: int):
        self.port = port
        self.connection: http.client.HTTPConnection | None = None

    def ask(self, request: Request, token: str | None) -> tuple[int, http.client.HTTPMessage, bytes]:
        headers = {"Authorization": f"Bearer {token}", "apikey": token} if token else {}
        headers.update(request.headers)
        for attempt in (1, 2):
            kept = self.connection is not None
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                self.connection.request(request.method, request.path, request.body, headers)
                answer = self.connection.getresponse()
                body = answer.read()
                break
            except (ConnectionError, http.client.RemoteDisconnected):
                # A kept connection may have been closed meanwhile; a fresh one must answer.
                self.close()
                if not kept or attempt == 2:
                    raise
        if answer.will_close:
            self.close()
        return answer.status, answer.headers, body

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None
