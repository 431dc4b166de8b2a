"""What the worker serves: the page, its modules, its policy."""

from __future__ import annotations

import functools
import gzip
import http.server
import re
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

CLIENT = Path(__file__).resolve().parents[2] / "Clients" / "javascript"
CORE, COMPONENTS = 25 * 1024, 60_000


def fetch(worker, path, **headers):
    with urllib.request.urlopen(urllib.request.Request(worker.url + path, headers=headers), timeout=10) as answer:
        body = answer.read()
        return answer, gzip.decompress(body) if answer.headers["content-encoding"] == "gzip" else body


def imports(path: str, seen: set[str]) -> set[str]:
    """The modules that a module loads before it runs. The core is served as one."""
    if path in seen:
        return seen
    seen.add(path)
    if path == "src/parley.js":
        return seen
    text = (CLIENT / path).read_text()
    for target in re.findall(r"^(?:import|export)\b[^;]*?from \"(\.[^\"]+)\"|^import \"(\.[^\"]+)\"", text, re.M):
        imports(((CLIENT / path).parent / (target[0] or target[1])).resolve().relative_to(CLIENT).as_posix(), seen)
    return seen


def test_the_page_asks_for_its_modules_at_once(worker):
    _, page = fetch(worker, "/")
    named = set(re.findall(r'rel="modulepreload" href="/web/[0-9a-f]{16}/([^"]+)"', page.decode()))
    assert named == imports("web/app.js", set()) - {"web/app.js"}


def test_every_module_is_served_for_good(worker):
    _, page = fetch(worker, "/")
    paths = re.findall(r'(?:href|src)="(/web/[^"]+)"', page.decode())
    assert len(paths) > 20
    for path in paths:
        answer, body = fetch(worker, path, **{"Accept-Encoding": "gzip"})
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        if path.endswith(".js"):
            assert answer.headers["content-encoding"] == "gzip" and answer.headers["content-type"] == "text/javascript; charset=utf-8"
            assert not re.search(rb"^\s*(//|/\*)", body, re.M)


def test_what_is_sent_is_small(worker):
    """Bytes of the answers for all that the page asks for: without comments, packed."""
    _, page = fetch(worker, "/")
    sent = {}
    for path in re.findall(r'(?:href|src)="(/web/[^"]+\.js)"', page.decode()):
        answer, _ = fetch(worker, path, **{"Accept-Encoding": "gzip"})
        folder = path.split("/")[3]
        sent[folder] = sent.get(folder, 0) + int(answer.headers["content-length"])
    assert sent["src"] <= CORE and sent["components"] <= COMPONENTS, sent


def test_the_core_as_one_module_is_the_core(worker):
    """What is joined gives what the module of the package gives, and the others are still there."""
    _, body = fetch(worker, "/web/latest/src/parley.js")
    text = body.decode()
    assert not re.search(r"\bimport\b(?!\()", text) and re.search(r"export\{(ParleyError,createParley|createParley,ParleyError)\};\s*$", text)
    for late in re.findall(r'import\("\./([\w.]+)"\)', text):
        fetch(worker, f"/web/latest/src/{late}")


@pytest.mark.parametrize("path", ["/demo", "/demo/users.json", "/web/", "/web/latest/package.json", "/index.html", "/web/latest/../package.json"])
def test_nothing_else_is_served(worker, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(worker, path)
    assert refused.value.code == 404


def test_a_page_of_another_origin_may_import_the_components(worker):
    answer, body = fetch(worker, "/web/latest/components/index.js", Origin="https://shop.example")
    assert re.fullmatch(rf"{worker.url}/web/[0-9a-f]{{16}}/components/index.js", answer.url)
    assert answer.headers["access-control-allow-origin"] == "*" and b"ParleyInbox" in body


def test_no_script_but_the_page_s_own_runs(browser, worker):
    browser.open(worker.url)
    browser.until("document.getElementById('sign-in') && !document.getElementById('sign-in').hidden")
    tries = {
        "inline": "(() => { const one = document.createElement('script'); one.textContent = 'window.pwned = 1'; document.head.append(one); })()",
        "markup": "(() => { document.body.innerHTML = '<b>x</b>'; })()",
        "elsewhere": "(() => { const one = document.createElement('script'); one.src = 'https://127.0.0.1:1/x.js'; document.head.append(one); })()",
        "style": "(() => { const one = document.createElement('style'); one.textContent = '* { color: red }'; document.head.append(one); })()",
    }
    for name, script in tries.items():
        browser.js(f"(() => {{ try {{ {script}; }} catch (error) {{ return String(error); }} }})()")
    assert browser.js("[window.pwned ?? null, document.querySelector('body > b')]") == [None, None]
    assert browser.until("complaints.length >= 3")
    browser.js("(complaints.length = 0, true)")


def test_the_page_of_the_documents_works(browser, worker, people, tmp_path):
    """Copied as it stands, with the addresses of here, and served from another origin."""
    alice, bob = people
    talk = bob.rpc("start_conversation", participant_ids=[alice.id], message="Hello Alice")["id"]
    text = (CLIENT.parents[1] / "docs" / "components.md").read_text()
    page = re.search(r"^```html\n(.*?)^```$", text, re.S | re.M).group(1)
    (tmp_path / "index.html").write_text(page.replace("https://chat.example.com", worker.url))
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "token").write_text(alice.token())
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.open(f"http://127.0.0.1:{server.server_port}/")
        browser.until("$('parley-inbox', '.row .open')")
        browser.js("$('parley-inbox', '.row .open').click()")
        browser.until("$('parley-thread', '.row .text')?.textContent === 'Hello Alice'")
        browser.say("Hello Bob")
        browser.until("$('parley-thread', '.own .tick') && !$('parley-thread', '.own .tick.sending')")
        server.shutdown()
    assert [one["content"] for one in bob.rpc("get_conversation_messages", conversation_id=talk)["messages"]] == ["Hello Alice", "Hello Bob"]
