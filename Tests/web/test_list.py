"""The list of messages: what one reads does not move, nothing is loaded unasked, separators are there at once."""

from __future__ import annotations

import json

import pytest
from browser import TEXTS
from test_talk import enter

SCROLLER = "$('parley-thread', '.scroller')"
BOTTOM = f"Math.round({SCROLLER}.scrollHeight - {SCROLLER}.clientHeight - {SCROLLER}.scrollTop)"
FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
TOP = "$('parley-thread', `.row[data-key=${args[0]}]`).getBoundingClientRect().top"


def show(fixture, count=200, **view):
    fixture.js(
        "(show({ messages: Array.from({ length: args[0] }, (_, at) => parts.message({ id: `n${at + 1}`, seq: at + 1, sender_id: at % 3 ? parts.BOB : parts.ME,"
        " content: `Text ${at + 1} ${'word '.repeat((at * 7) % 40)}` })), view: args[1] }), true)", count, view)


def change(fixture, script):
    """Changes the window as the client would; `all` are its messages. The page has drawn it afterwards."""
    fixture.js(f"((all) => {{ fake.state.window.change({{ messages: {script} }}); return {FRAME}; }})(fake.state.window.getSnapshot().messages)")


CHANGES = {
    "a message below": "[...all, parts.message({ seq: 900, content: 'new' })]",
    "a page above": "[...Array.from({ length: 50 }, (_, at) => parts.message({ id: `old${at}`, content: 'Older '.repeat(at * 3), created_at: '2026-01-01T00:00:00Z' })), ...all]",
    "a reaction": "all.map((one) => ({ ...one, reactions: [{ emoji: '👍', count: 1, user_ids: [parts.BOB] }] }))",
    "an edit": "all.map((one) => (one.seq % 2 ? one : { ...one, content: one.content + ' and much more of it'.repeat(12), edited_at: one.created_at }))",
    "a deletion": "all.map((one) => (one.seq % 5 ? one : { ...one, content: null, deleted_at: one.created_at }))",
    "an image": "all.map((one) => (one.seq % 7 ? one : { ...one, attachments: [{ kind: 'image', file_name: 'a.png', url: location.origin + '/none.png', width: 300, height: 200 }] }))",
    "a receipt": "all.map((one) => (one.sender_id === parts.ME ? { ...one, status: 'read' } : one))",
    "messages that go": "all.filter((one) => one.seq % 4 !== 1 || one.seq === 101)",
}


@pytest.mark.parametrize("what", CHANGES)
def test_at_the_bottom_stays_at_the_bottom(fixture, what):
    show(fixture)
    fixture.until(f"{BOTTOM} === 0")
    change(fixture, CHANGES[what])
    assert abs(fixture.js(BOTTOM)) <= 1


@pytest.mark.parametrize("what", CHANGES)
def test_what_one_reads_does_not_move(fixture, what):
    show(fixture)
    # n101 is the row at the upper edge of the window.
    fixture.js(f"(async () => {{ document.querySelector('parley-thread').shadowRoot; fake.state.window.change({{ target: 'n101' }}); await {FRAME};"
               f" {SCROLLER}.scrollTop += $('parley-thread', '.row[data-key=n101]').getBoundingClientRect().top - {SCROLLER}.getBoundingClientRect().top + 5; await {FRAME}; }})()")
    before = fixture.js(TOP, "n101")
    change(fixture, CHANGES[what])
    assert abs(fixture.js(TOP, "n101") - before) <= 1
    assert fixture.js(BOTTOM) > 500


def test_an_image_or_a_font_that_comes_late_moves_nothing(fixture):
    show(fixture)
    fixture.until(f"{BOTTOM} === 0")
    grow = f"(async () => {{ for (const row of $$('parley-thread', '.row')) row.style.paddingBottom = '30px'; await {FRAME}; return {BOTTOM}; }})()"
    assert abs(fixture.js(grow)) <= 1
    fixture.js(f"(async () => {{ {SCROLLER}.scrollTop -= 900; await {FRAME}; }})()")
    first = fixture.js(f"$$('parley-thread', '.row').find((row) => row.getBoundingClientRect().bottom > {SCROLLER}.getBoundingClientRect().top + 2).dataset.key")
    before = fixture.js(TOP, first)
    fixture.js(f"(async () => {{ for (const row of $$('parley-thread', '.row')) row.style.paddingBottom = '60px'; await {FRAME}; }})()")
    assert abs(fixture.js(TOP, first) - before) <= 1


def test_what_is_at_the_bottom_stays_when_the_window_shrinks(fixture):
    show(fixture)
    fixture.until(f"{BOTTOM} === 0")
    assert abs(fixture.js(f"(async () => {{ document.getElementById('app').style.height = '400px'; await {FRAME}; return {BOTTOM}; }})()")) <= 1


def test_separators_are_there_from_the_first_paint(fixture):
    at_once = fixture.js(
        "(show({ messages: Array.from({ length: 30 }, (_, at) => parts.message({ seq: at + 1, created_at: new Date(Date.UTC(2026, 5, 1 + Math.floor(at / 10), 12)).toISOString() })), view: { unreadAfterSeq: 20 } }),"
        " { days: $$('parley-thread', '.day').length, unread: $$('parley-thread', '.unread-here').length, next: $('parley-thread', '.unread-here').parentNode.querySelector('.text').textContent, top: $('parley-thread', '.unread-here').getBoundingClientRect().top })")
    assert at_once["days"] == 3 and at_once["unread"] == 1
    fixture.js(FRAME)
    assert abs(fixture.js("$('parley-thread', '.unread-here').getBoundingClientRect().top") - at_once["top"]) <= 1


def test_an_own_message_leads_to_the_bottom(fixture):
    show(fixture)
    fixture.js(f"(async () => {{ {SCROLLER}.scrollTop = 300; await {FRAME}; }})()")
    assert fixture.js(BOTTOM) > 500
    change(fixture, "[...all, parts.message({ seq: null, sender_id: parts.ME, status: 'sending' })]")
    assert abs(fixture.js(BOTTOM)) <= 1


def test_to_the_newest_by_loading_around_it(fixture):
    show(fixture, hasNewer=True, hasOlder=True, target="n50")
    fixture.until("!$('parley-thread', '.down').hidden")
    fixture.js("(fake.state.asked.length = 0, $('parley-thread', '.down').click(), true)")
    assert fixture.until("fake.state.asked[0]") == ["jumpToNewest"]


def test_a_window_is_never_empty_while_a_page_loads(fixture):
    show(fixture, hasOlder=True)
    fixture.js(f"(async () => {{ {SCROLLER}.scrollTop = 0; await {FRAME}; fake.state.window.change({{ loading: true, loadingOlder: true }}); await {FRAME}; }})()")
    assert fixture.js("$$('parley-thread', '.row').length") > 5
    assert fixture.js("fake.state.asked.filter(([what]) => what === 'loadOlder').length") > 0


def test_few_rows_of_many_are_in_the_page(fixture):
    show(fixture, 10_000)
    fixture.until(f"{BOTTOM} === 0")
    assert fixture.js("$$('parley-thread', '.row').length") < 120
    # Dragged to the middle, and to the top.
    for part in (0.5, 0):
        fixture.js(f"(async () => {{ {SCROLLER}.scrollTop = {part} * {SCROLLER}.scrollHeight; await {FRAME}; }})()")
        covered = fixture.js(f"(() => {{ const box = {SCROLLER}.getBoundingClientRect(); const one = $('parley-thread').shadowRoot.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2); return Boolean(one.closest('.row')); }})()")
        assert covered and fixture.js("$$('parley-thread', '.row').length") < 120


# With a server: pages, and where the unread begin.


def fill(alice, bob, count):
    """A conversation in which Bob has said `count` things that Alice has not read."""
    talk = alice.rpc("start_conversation", participant_ids=[bob.id], message="First")["id"]
    alice.worker.cluster.psql(
        f"select set_config('request.jwt.claims', {literal(json.dumps({'sub': bob.id, 'role': 'authenticated'}))}, false);"
        f" select count(parley_api.send_message(conversation_id => '{talk}', content => 'Text ' || i, client_message_id => gen_random_uuid())) from generate_series(1, {count}) as i")
    return talk


def literal(text):
    return "'" + text.replace("'", "''") + "'"


@pytest.mark.parametrize("count", [7, 80])
def test_opens_at_the_first_unread_message(browser, worker, people, count):
    alice, bob = people
    talk = fill(alice, bob, count)
    enter(browser, worker, alice, talk)
    browser.until("$('parley-thread', '.unread-here')")
    assert browser.js("$('parley-thread', '.unread-here').parentNode.querySelector('.text').textContent") == "Text 1"
    inside = f"(() => {{ const box = {SCROLLER}.getBoundingClientRect(); const line = $('parley-thread', '.unread-here').getBoundingClientRect(); return line.top >= box.top && line.bottom <= box.bottom; }})()"
    browser.until(inside)
    # And down to the end, where all of it has been read.
    browser.js("$('parley-thread', '.down').click()")
    browser.until(f"{TEXTS}.at(-1) === 'Text {count}' && {BOTTOM} === 0")
    browser.until("parley.unread.getSnapshot().total === 0")


def test_history_is_loaded_only_where_one_looks(browser, worker, people):
    alice, bob = people
    talk = fill(alice, bob, 400)
    alice.rpc("mark_as_read", conversation_id=talk)
    browser.preload("window.pages = 0; const ask = fetch; window.fetch = (...all) => (String(all[0]).includes('get_conversation_messages') && (window.pages += 1), ask(...all));")
    enter(browser, worker, alice, talk)
    browser.until(f"{TEXTS}.at(-1) === 'Text 400' && {BOTTOM} === 0")
    browser.js("new Promise((done) => setTimeout(done, 1500))")
    assert browser.js("pages") <= 2
    for _ in range(3):
        browser.js(f"({SCROLLER}.scrollTop = 0, new Promise((done) => setTimeout(done, 400)))")
        assert browser.js("$$('parley-thread', '.row').length") > 5
    assert 2 <= browser.js("pages") <= 6
