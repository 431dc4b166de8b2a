"""The quick starts of docs/clients.md: the bot runs against a worker, the page and the component are read."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest
from node import node_environment
from parley import Worker

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "clients.md").read_text()
CLIENT = ROOT / "Clients" / "javascript" / "src"


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.S | re.M)
    return found


@pytest.fixture(scope="module")
def worker(cluster):
    with Worker(cluster, "--log-level", "error") as worker:
        yield worker


def test_the_bot_answers(cluster, worker, tmp_path):
    ann, bot = cluster.account("Ann"), cluster.account("Bot")
    program = block("js").replace("https://chat.example.com", worker.url).replace('"parley-client"', f'"{CLIENT}/parley.js"')
    # an import does not look into NODE_PATH
    program = program.replace('import WebSocket from "ws";', 'import { createRequire } from "node:module";')
    start = f'const WebSocket = createRequire(import.meta.url)("ws");\nconst yourToken = async () => "{worker.token(bot)}";\n'
    file = tmp_path / "bot.mjs"
    file.write_text(program.replace("\n\n", "\n\n" + start, 1))
    process = subprocess.Popen(["node", str(file)], env=node_environment(), stderr=subprocess.PIPE, text=True)
    try:
        token = worker.token(ann)
        conversation = worker.rpc("start_conversation", token, participant_ids=[bot])["id"]
        said, limit, number = [], time.monotonic() + 30, 0
        # the first may come before the bot listens
        while "You said" not in "".join(said) and time.monotonic() < limit:
            number += 1
            worker.rpc("send_message", token, conversation_id=conversation, content=f"Hello {number}")
            time.sleep(0.5)
            messages = worker.rpc("get_conversation_messages", token, conversation_id=conversation)["messages"]
            said = [message["content"] for message in messages if message["sender_id"] == bot]
        assert process.poll() is None, process.stderr.read()
        assert said and all(re.fullmatch(r"You said: Hello \d+", text) for text in said), said
    finally:
        process.kill()
        process.communicate()


def test_the_page_is_a_module_that_uses_what_there_is(tmp_path):
    (script,) = re.findall(r'<script type="module">\n(.*?)</script>', block("html"), re.S)
    file = tmp_path / "page.mjs"
    file.write_text(script)
    subprocess.run(["node", "--check", str(file)], check=True)
    types = (CLIENT / "parley.d.ts").read_text()
    for name in re.findall(r"(?<![/\w])(?:chat|view)\??\.(\w+)", script):
        assert re.search(rf"\b{name}[(:<]", types), f"{name} is not in parley.d.ts"


def test_the_component_uses_hooks_that_there_are():
    component = block("jsx")
    hooks = (CLIENT / "react.js").read_text()
    for name in re.findall(r"\b(use[A-Z]\w+)\(", component):
        assert f"export function {name}(" in hooks, name
