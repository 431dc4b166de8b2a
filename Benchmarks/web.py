"""The web client in a headless Chromium: 10,000 messages scrolled, an inbox of 1,000 conversations, and what is sent.

    make bench-web

Frames: the thread scrolls up at 3,000 pixels a second through 10,000 messages that are loaded; beside it a plain list, with
all of the same rows in the page. The share counts frames of less than 20 ms. The inbox is that of a server: from the
navigation until its first rows are drawn and can be clicked, with an empty storage and with a filled one. Sizes are those
of the answers: without comments, packed.
Promise: 95% of the frames under 20 ms; the inbox within 1 s; at most 25 KiB for the core and 60 KB for the components.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import urllib.request
from pathlib import Path

from lib.bench import ROOT, Verdict, median

sys.path[:0] = [str(ROOT / "Tests" / "web"), str(ROOT / "Tests" / "support")]

from browser import Browser  # noqa: E402
from parley import Cluster, Worker  # noqa: E402

MESSAGES, CONVERSATIONS, ROUNDS, SECONDS, SPEED = 10_000, 1_000, 3, 6, 3_000

FRAMES = """
window.scroll = async (scroller, seconds, speed) => {
    scroller.scrollTop = scroller.scrollHeight;
    await new Promise((done) => setTimeout(done, 500));
    const times = [];
    await new Promise((done) => {
        let last = performance.now();
        const start = last;
        const step = (now) => {
            times.push(now - last);
            scroller.scrollTop -= Math.round(speed * (now - last) / 1000);
            last = now;
            if (now - start < seconds * 1000) requestAnimationFrame(step);
            else done();
        };
        requestAnimationFrame(step);
    });
    times.splice(0, 2);
    const sorted = [...times].sort((a, b) => a - b);
    return { frames: times.length, share: 100 * times.filter((one) => one < 20).length / times.length, p95: sorted[Math.floor(0.95 * sorted.length)], worst: sorted.at(-1) };
};
window.fill = (count) => Array.from({ length: count }, (_, at) => parts.message({
    seq: at + 1, sender_id: at % 3 ? parts.BOB : parts.ME, status: "read", content: `Message ${at + 1} ${"and some words of it ".repeat((at * 7) % 9)}`,
    reactions: at % 5 ? [] : [{ emoji: "👍", count: 2, user_ids: [parts.ME, parts.BOB] }],
    ...(at % 11 ? {} : { reply_to_id: "m1", reply_to: { id: "m1", seq: 1, sender_id: parts.BOB, type: "text", content: "Message 1", attachment: null, deleted: false } }),
}));
window.plain = async (messages) => {
    const { createRow, rowsOf, updateRow } = await import("../components/message.js");
    const thread = document.querySelector("parley-thread");
    const scroller = document.createElement("div");
    scroller.className = "scroller";
    const list = document.createElement("div");
    list.className = "list";
    const rows = rowsOf(messages, null, parts.ME);
    rows.forEach((row, at) => { const element = createRow(thread); updateRow(element, row, at, rows.length); list.append(element); });
    scroller.append(list);
    thread.shadowRoot.querySelector(".stage").replaceChildren(scroller);
    return scroller;
};
"""


def folder(parent: str) -> Path:
    client = Path(parent) / "client"
    shutil.copytree(ROOT / "Clients" / "javascript", client, ignore=shutil.ignore_patterns("node_modules", "test"))
    for page in (ROOT / "Tests" / "web" / "pages").iterdir():
        shutil.copy(page, client / "web" / page.name)
    return client


def frames(browser: Browser, url: str, plain: bool) -> dict:
    browser.reset()
    browser.open(f"{url}/web/latest/web/fixture.html")
    browser.until("document.body.dataset.ready !== undefined")
    browser.driver.execute_script(FRAMES)
    browser.driver.set_script_timeout(120)
    make = "plain(all)" if plain else "$('parley-thread', '.scroller')"
    return browser.js(
        "(async () => { const all = fill(args[0]); const start = performance.now(); show({ messages: args[3] ? [] : all });"
        f" const scroller = await {make}; scroller.scrollTop = scroller.scrollHeight; void scroller.offsetHeight; const shown = performance.now() - start;"
        " return { shown, ...await scroll(scroller, args[1], args[2]) }; })()", MESSAGES, SECONDS, SPEED, plain)


# Alice has a conversation with each of a thousand others, who have said something.
SEED = """
insert into parley.account (id, display_name, tier_name) select ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'Person ' || i, 'privileged_plus' from generate_series(1, {count}) as i;
update parley.tier_limit set amount = null where period_seconds is not null;
do $$
begin
    for i in 1..{count} loop
        perform set_config('request.jwt.claims', json_build_object('sub', '00000000-0000-4000-8000-' || lpad(i::text, 12, '0'), 'role', 'authenticated')::text, true);
        perform parley_api.start_conversation(participant_ids => array['{alice}']::uuid[], message => 'Hello number ' || i, client_message_id => gen_random_uuid());
    end loop;
end
$$;
"""
USABLE = """
new Promise((done) => {
    const look = () => {
        const row = document.querySelector("parley-inbox")?.shadowRoot?.querySelector(".row .open");
        if (!row?.offsetHeight) return requestAnimationFrame(look);
        requestAnimationFrame(() => setTimeout(() => done(performance.now())));
    };
    look();
})
"""


def inbox(browser: Browser, worker: Worker, token: str) -> tuple[float, float, int]:
    """Milliseconds until the inbox can be used: empty storage, filled storage; and how many conversations came."""
    browser.reset()
    browser.open(f"{worker.url}/demo-not-there")
    browser.js("indexedDB.databases().then((all) => Promise.all(all.map(({ name }) => new Promise((done) => { indexedDB.deleteDatabase(name).onsuccess = done; }))))")
    browser.js("(sessionStorage.setItem('parley-token', args[0]), true)", token)
    browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": f"window.usable = new Promise((done) => addEventListener('DOMContentLoaded', () => ({USABLE}).then(done)));"})
    times = []
    for _ in range(2):
        browser.open(worker.url)
        times.append(browser.js("usable"))
        count = browser.until(f"parley.conversations().getSnapshot().conversations.length === {CONVERSATIONS} && {CONVERSATIONS}", seconds=30)
        browser.js("new Promise((done) => setTimeout(done, 3000))")
    return times[0], times[1], count


def sizes(url: str) -> dict[str, int]:
    with urllib.request.urlopen(url) as answer:
        page = answer.read().decode()
    total: dict[str, int] = {}
    for path in re.findall(r'(?:href|src)="(/web/[^"]+\.(?:js|css))"', page):
        with urllib.request.urlopen(urllib.request.Request(url + path, headers={"Accept-Encoding": "gzip"})) as answer:
            part = path.split("/")[3]
            total[part] = total.get(part, 0) + len(answer.read())
    return total


def main() -> None:
    with tempfile.TemporaryDirectory() as parent, Cluster() as cluster, Worker(cluster, "--web", str(folder(parent))) as worker, Browser() as browser:
        alice = cluster.account("Alice")
        cluster.psql(SEED.format(count=CONVERSATIONS, alice=alice))
        ours, plain, cold, warm = [], [], [], []
        for _ in range(ROUNDS):
            ours.append(frames(browser, worker.url, plain=False))
            plain.append(frames(browser, worker.url, plain=True))
            first, second, _count = inbox(browser, worker, worker.token(alice))
            cold.append(first)
            warm.append(second)
        sent = sizes(worker.url)
    verdict = Verdict(f"the web client, median of {ROUNDS} runs")
    for name, runs in (("parley-thread", ours), ("a plain list", plain)):
        one = {key: median([run[key] for run in runs]) for key in runs[0]}
        verdict.row(f"{MESSAGES:,} messages, {name}", f"{one['share']:.1f}% of frames under 20 ms   p95 {one['p95']:.1f} ms   worst {one['worst']:.0f} ms   {one['frames']:.0f} frames   shown after {one['shown']:.0f} ms")
    verdict.promise("frames under 20 ms, percent", median([run["share"] for run in ours]), 95)
    verdict.promise(f"inbox of {CONVERSATIONS:,} usable, empty storage, seconds", median(cold) / 1000, 1, at_least=False)
    verdict.promise(f"inbox of {CONVERSATIONS:,} usable, filled storage, seconds", median(warm) / 1000, 1, at_least=False)
    verdict.promise("core as served, KiB", sent["src"] / 1024, 25, at_least=False)
    verdict.promise("components as served, KB", sent["components"] / 1000, 60, at_least=False)
    verdict.row("page, style and sign-in as served, KB", f"{sent['web'] / 1000:.1f}")
    verdict.row("load average of a minute", f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    verdict.close()


if __name__ == "__main__":
    main()
