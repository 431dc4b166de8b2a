"""People talk: two windows, an interrupted line, several tabs, a hidden tab, a phone, keys alone."""

from __future__ import annotations

import uuid

from browser import INPUT, TEXTS
from selenium.webdriver.common.keys import Keys

ROWS = "$$('parley-inbox', '.row')"
ONLINE = "window.parley?.connection.getSnapshot().status === 'online' && parley.connection.getSnapshot().ready"


def enter(browser, worker, person, conversation=None):
    """The page of a person, in the tab of now."""
    browser.open(worker.url)
    browser.js("(sessionStorage.setItem('parley-token', args[0]), true)", person.token())
    browser.open(worker.url)
    browser.until(ONLINE)
    if conversation:
        browser.js("(location.hash = `c=${args[0]}`, true)", conversation)
        browser.until(f"{INPUT} && {TEXTS}.length")


def entered(browser, worker, person, conversation=None):
    """The same in a tab of its own."""
    handle = browser.tab("about:blank")
    enter(browser, worker, person, conversation)
    return handle


def stored(person, conversation):
    return [message["content"] for message in person.rpc("get_conversation_messages", conversation_id=conversation)["messages"]]


def test_from_first_contact_to_the_reply(browser, worker, people):
    alice, bob = people
    enter(browser, worker, bob)
    browser.until("!$('parley-inbox', '.empty').hidden")
    bobs = browser.handle
    alices = entered(browser, worker, alice)
    # Nobody knows anybody yet: an id is pasted.
    browser.js("$('parley-inbox', 'button[aria-label=\"New conversation\"]').click()")
    browser.until("$('parley-inbox', 'dialog input')")
    browser.keys(bob.id)
    browser.until("$('parley-inbox', 'dialog .pick')")
    browser.js("$('parley-inbox', 'dialog .pick').click()")
    browser.js("$('parley-inbox', 'dialog .primary').click()")
    browser.until(f"!$('parley-inbox', 'dialog') && {INPUT}")
    browser.say("Is the book still there?")
    browser.until(f"{TEXTS}.includes('Is the book still there?')")

    browser.switch(bobs)
    browser.until(f"{ROWS}.length === 1 && {ROWS}[0].querySelector('.badge .hidden-text')?.textContent === '1 unread message'")
    assert browser.js("document.title") == "(1) Messages"
    browser.js(f"{ROWS}[0].querySelector('.open').click()")
    browser.until("$('parley-thread', '.unread-here')")
    browser.say("It is")
    browser.until(f"{TEXTS}.length === 2")

    browser.switch(alices)
    browser.until(f"{TEXTS}.join() === 'Is the book still there?,It is'")
    # Bob has the conversation before his eyes.
    browser.until("$('parley-thread', '.own .tick.read')")
    for _ in range(5):
        # It is over some seconds after the last key, which a slow machine may need to show it.
        browser.switch(alices)
        browser.js(f"{INPUT}.focus()")
        browser.keys("x")
        browser.js("new Promise((done) => setTimeout(done, 500))")
        browser.switch(bobs)
        if browser.js("$('parley-thread', '.typing').textContent") == "Alice is typing":
            break
    else:
        raise AssertionError("nobody sees that Alice types")
    assert browser.js("$$('parley-inbox', '.badge').length") == 0


def test_written_offline_kept_over_a_reload_delivered_once(browser, worker, people, talk):
    alice, bob = people
    enter(browser, worker, alice, talk)
    browser.offline(True)
    browser.js("(parley.reconnect(), true)")
    browser.until("parley.connection.getSnapshot().status === 'offline'", seconds=40)
    browser.until("!$('parley-thread', '.banner').hidden && $('parley-thread', '.banner').textContent.includes('You are offline')")
    browser.say("one")
    browser.say("two")
    browser.until("$$('parley-thread', '.own .tick.sending').length === 2")
    assert stored(alice, talk) == ["Hello Alice"]
    # The page cannot be fetched while there is no network, so it is loaded as soon as there is one: what it holds is stored.
    browser.js("(Object.assign(window, { gone: true }), true)")
    browser.offline(False)
    browser.driver.refresh()
    browser.until(f"!window.gone && {ONLINE}")
    browser.until(f"{TEXTS}.join() === 'Hello Alice,one,two' && $$('parley-thread', '.own .tick.sending').length === 0")
    browser.js("parley.settled()")
    assert stored(bob, talk) == ["Hello Alice", "one", "two"]


def test_two_tabs_have_one_socket(browser, worker, people, talk):
    alice, bob = people
    source = "Object.assign(window, { sockets: 0, WebSocket: new Proxy(WebSocket, { construct: (target, args) => (window.sockets += 1, new target(...args)) }) })"
    browser.preload(source)
    enter(browser, worker, alice, talk)
    first = browser.handle
    second = browser.tab("about:blank")
    browser.preload(source)
    enter(browser, worker, alice, talk)
    assert browser.js("[sockets, parley.connection.getSnapshot().leader]") == [0, False]
    bob.rpc("send_message", conversation_id=talk, content="to both", client_message_id=str(uuid.uuid4()))
    for handle in (second, first):
        browser.switch(handle)
        browser.until(f"{TEXTS}.includes('to both')")
    assert browser.js("[sockets, parley.connection.getSnapshot().leader]") == [1, True]
    # The tab without a socket sends, and takes the socket over when the other one goes.
    browser.switch(second)
    browser.say("from the second")
    browser.until("$$('parley-thread', '.own .tick.sending').length === 0 && $$('parley-thread', '.own .tick').length > 0")
    browser.switch(first)
    browser.until(f"{TEXTS}.includes('from the second')")
    browser.driver.close()
    browser.switch(second)
    browser.until("sockets === 1 && parley.connection.getSnapshot().leader && parley.connection.getSnapshot().status === 'online'")
    bob.rpc("send_message", conversation_id=talk, content="after that", client_message_id=str(uuid.uuid4()))
    browser.until(f"{TEXTS}.at(-1) === 'after that'")


def test_a_hidden_tab_reads_nothing_and_misses_nothing(browser, worker, people, talk):
    alice, bob = people
    enter(browser, worker, alice, talk)
    browser.until("parley.unread.getSnapshot().total === 0")
    browser.hide(True)
    for number in range(3):
        bob.rpc("send_message", conversation_id=talk, content=f"hidden {number}", client_message_id=str(uuid.uuid4()))
    browser.until(f"{TEXTS}.at(-1) === 'hidden 2' && document.title === '(3) Messages'")
    assert alice.rpc("get_unread_counts")["total"] == 3
    browser.hide(False)
    browser.until("parley.unread.getSnapshot().total === 0 && document.title === 'Messages'")
    browser.js("parley.settled()")
    assert alice.rpc("get_unread_counts")["total"] == 0


def test_a_phone_shows_one_thing_at_a_time(browser, worker, people, talk):
    alice, _ = people
    browser.phone()
    enter(browser, worker, alice)
    shown = "[$('parley-inbox').offsetWidth, $('parley-thread').offsetWidth]"
    browser.until(f"{ROWS}.length === 1")
    assert browser.js(shown) == [390, 0]
    browser.js(f"{ROWS}[0].querySelector('.open').click()")
    browser.until(f"{TEXTS}.length === 1")
    assert browser.js(shown) == [0, 390]
    assert browser.js("document.documentElement.scrollWidth") == 390
    # What is touched is large enough (WCAG 2.5.8).
    small = "$$('parley-thread', 'button').filter((one) => one.offsetWidth && (one.offsetWidth < 24 || one.offsetHeight < 24)).map((one) => one.outerHTML)"
    assert browser.js(small) == []
    browser.js("history.back()")
    browser.until(f"String({shown}) === '390,0'")
    browser.js("history.forward()")
    browser.until(f"String({shown}) === '0,390'")
    browser.js("$('parley-thread', '.back').click()")
    browser.until(f"String({shown}) === '390,0'")


def test_keys_alone_are_enough(browser, worker, people, talk):
    alice, bob = people
    bob.rpc("send_message", conversation_id=talk, content="And you?", client_message_id=str(uuid.uuid4()))
    enter(browser, worker, alice)
    browser.until(f"{ROWS}.length === 1")
    focus = "(() => { let one = document.activeElement; while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement; return one; })()"

    def tab_to(condition: str) -> None:
        for _ in range(25):
            if browser.js(f"Boolean({focus}?.matches({condition!r}))"):
                return
            browser.keys(Keys.TAB)
        raise AssertionError(f"no key leads to {condition}; the focus is on {browser.js(f'{focus}?.outerHTML')}")

    tab_to(".open")
    browser.keys(Keys.ENTER)
    browser.until(f"{TEXTS}.length === 2")
    tab_to(".scroller[role=region]")
    browser.keys(Keys.ARROW_UP, Keys.ARROW_UP)
    assert browser.js(f"{focus}.querySelector('.text').textContent") == "Hello Alice"
    # The menu of a message: react, then reply.
    browser.keys(Keys.ENTER)
    browser.until(f"{focus}.getAttribute('role') === 'menuitem'")
    browser.keys(Keys.ENTER)
    browser.until("$('parley-thread', '.reactions button')?.getAttribute('aria-pressed') === 'true'")
    browser.until(f"{focus}.matches('.row')")
    browser.keys(Keys.ENTER)
    browser.until(f"{focus}.getAttribute('role') === 'menuitem'")
    browser.keys(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    assert browser.js(f"{focus}.textContent") == "Reply"
    browser.keys(Keys.ENTER)
    browser.until(f"{focus}.matches('textarea') && $('parley-thread', 'parley-composer', '.about').textContent.includes('Replying to Bob')")
    browser.keys("Fine", Keys.ENTER)
    browser.until("$('parley-thread', '.own .quote span')?.textContent === 'Hello Alice'")
    # The last own message is changed.
    browser.until("!$('parley-thread', '.own .tick.sending')")
    browser.keys(Keys.ARROW_UP)
    browser.until("$('parley-thread', 'parley-composer', '.about').textContent.includes('Editing')")
    browser.keys(" thanks", Keys.ENTER)
    browser.until(f"{TEXTS}.at(-1) === 'Fine thanks' && $('parley-thread', '.own .foot').textContent.includes('edited')")
    # Search finds it, and leads there.
    tab_to("button[aria-label=Search]") if browser.js(f"(({focus}).blur(), $('parley-thread', '.who').focus(), true)") else None
    browser.keys(Keys.ENTER)
    browser.until(f"{focus}.matches('.search input')")
    browser.keys("hello")
    browser.until("$('parley-thread', '.results mark')?.textContent === 'Hello'", seconds=20)
    browser.keys(Keys.TAB)
    tab_to(".results button")
    browser.keys(Keys.ENTER)
    browser.until(f"!$('parley-thread', '.search') && {focus}.matches('.row') && {focus}.querySelector('.text').textContent === 'Hello Alice'")
    browser.js("parley.settled()")
    messages = bob.rpc("get_conversation_messages", conversation_id=talk)["messages"]
    assert [(m["content"], bool(m["edited_at"])) for m in messages] == [("Hello Alice", False), ("And you?", False), ("Fine thanks", True)]
    assert messages[0]["reactions"][0]["user_ids"] == [alice.id]


def test_signing_out_leaves_nothing_behind(browser, worker, people, talk):
    alice, _ = people
    enter(browser, worker, alice, talk)
    browser.until("indexedDB.databases().then((all) => all.length > 0)")
    browser.js("$('parley-inbox', 'button[aria-label=Settings]').click()")
    browser.until("$('parley-inbox', 'dialog .button.danger')")
    browser.js("[...$('parley-inbox').shadowRoot.querySelectorAll('dialog button')].find((one) => one.textContent === 'Sign out').click()")
    browser.until("$('parley-inbox', '[data-confirm]')")
    browser.js("$('parley-inbox', '[data-confirm]').click()")
    browser.until("document.getElementById('sign-in') && !document.getElementById('sign-in').hidden")
    left = """(async () => {
        const found = [...Object.keys(localStorage), ...Object.keys(sessionStorage)];
        for (const { name } of await indexedDB.databases()) {
            const base = await new Promise((done) => { const open = indexedDB.open(name); open.onsuccess = () => done(open.result); });
            for (const store of base.objectStoreNames) {
                found.push(...await new Promise((done) => { const all = base.transaction(store).objectStore(store).getAllKeys(); all.onsuccess = () => done(all.result.map(String)); }));
            }
            base.close();
        }
        return found;
    })()"""
    # Others have used this browser, too; they keep what is theirs.
    kept = browser.js(left)
    assert [key for key in kept if alice.id in key or talk in key or "token" in key] == []


def test_a_token_in_the_address_signs_nobody_in(browser, worker, people):
    """By a link, anybody could sign a visitor in as somebody else, and read what the visitor then writes."""
    alice, bob = people
    browser.open(f"{worker.url}/#token={alice.token()}")
    browser.until("document.getElementById('sign-in') && !document.getElementById('sign-in').hidden")
    assert browser.js("[location.hash, sessionStorage.length, window.parley ?? null]") == ["", 0, None]
    enter(browser, worker, bob)
    browser.open("about:blank")
    browser.open(f"{worker.url}/#token={alice.token()}")
    browser.until(ONLINE)
    assert browser.js("[location.hash, parley.userId]") == ["", bob.id]


def test_a_group_its_people_and_its_name(browser, worker, people):
    alice, bob = people
    carol = type(alice)(worker, "Carol")
    group = alice.rpc("start_conversation", participant_ids=[bob.id, carol.id], type="group", title="Trip")["id"]
    alice.rpc("send_message", conversation_id=group, content="Who comes?", client_message_id=str(uuid.uuid4()))
    enter(browser, worker, alice, group)
    # A mention is chosen from the list.
    browser.js(f"{INPUT}.focus()")
    browser.keys("Hi @bo")
    browser.until("$('parley-thread', 'parley-composer', '.options li')")
    browser.keys(Keys.ENTER, "ok", Keys.ENTER)
    browser.until("$('parley-thread', '.mention')?.textContent === '@Bob'")
    browser.js("parley.settled()")
    assert bob.rpc("get_conversation_messages", conversation_id=group)["messages"][-1]["mentions"] == [bob.id]
    names = {alice.id: "Alice (You)", bob.id: "Bob", carol.id: "Carol"}
    people_of_group = [names[one["user_id"]] for one in alice.rpc("get_participants", conversation_id=group)["participants"]]
    browser.js("$('parley-thread', '.who').click()")
    browser.until("$('parley-thread', 'dialog')")
    assert browser.js("$$('parley-thread', 'dialog .who b').map((one) => one.textContent)") == people_of_group
    browser.js("(() => { const name = $('parley-thread', 'dialog input'); name.value = 'Journey'; name.dispatchEvent(new Event('change')); return true; })()")
    browser.until("$('parley-thread', '.head h2').textContent === 'Journey'")
    browser.until("$$('parley-thread', '.notice').some((one) => one.textContent.includes('Journey'))")
    browser.js("$('parley-thread', 'dialog button[aria-label=\"More: Carol\"]').click()")
    browser.until("$('parley-thread', 'dialog .menu')")
    browser.js("[...$('parley-thread', 'dialog .menu').querySelectorAll('button')].find((one) => one.textContent === 'Remove').click()")
    browser.until("$$('parley-thread', 'dialog .who b').length === 2")
    assert {one["user_id"] for one in alice.rpc("get_participants", conversation_id=group)["participants"]} == {alice.id, bob.id}
