"""What the components ask of the client: each thing a user can do, and what they are told of it."""

from __future__ import annotations

import pytest
from browser import INPUT
from selenium.webdriver.common.keys import Keys

MENU = "[...$('parley-thread', '.menu').querySelectorAll('button')]"


def asked(fixture, name):
    """The arguments of each call of a function of the client."""
    return fixture.js("fake.state.asked.filter(([one]) => one === args[0]).map(([, ...rest]) => rest)", name)


def show(fixture, messages="[parts.message({ id: 'x1', seq: 1, content: 'Hello' })]", conversation="{}", view=None, api="{}"):
    fixture.js(
        "(() => { show({ conversations: [parts.conversation(CONVERSATION)], messages: MESSAGES, view: args[0], api: API }); return true; })()"
        .replace("CONVERSATION", conversation).replace("MESSAGES", messages).replace("API", api), view or {})


def choose(fixture, item, key="x1"):
    """Opens the menu of a message and takes an item of it."""
    fixture.js(f"($('parley-thread', '.row[data-key={key}]').dispatchEvent(new MouseEvent('contextmenu', {{ bubbles: true, cancelable: true }})), true)")
    fixture.until("$('parley-thread', '.menu')")
    fixture.js(f"({MENU}.find((one) => (one.getAttribute('aria-label') ?? one.textContent) === args[0]).click(), true)", item)


def test_a_request_is_decided_before_it_is_read(fixture):
    show(fixture, conversation="{ me: { ...parts.conversation().me, folder: 'requests' }, last_seq: 1, unread_count: 1 }")
    fixture.until("$('parley-thread', '.request')")
    assert asked(fixture, "markRead") == []
    for button, call in (("Accept", ["accept_request", {"conversation_id": "c1"}]), ("Decline", ["decline_request", {"conversation_id": "c1"}]), ("Block", ["decline_request", {"conversation_id": "c1", "block": True}])):
        fixture.js("(fake.state.asked.length = 0, [...$('parley-thread', '.request').querySelectorAll('button')].find((one) => one.textContent === args[0]).click(), true)", button)
        assert fixture.until("fake.state.asked.find(([name]) => name.endsWith('_request'))") == call


def test_what_is_seen_is_read(fixture):
    show(fixture, conversation="{ last_seq: 1, unread_count: 1 }")
    fixture.until("fake.state.asked.some(([name]) => name === 'markRead')")
    assert asked(fixture, "markRead")[0] == ["c1", 1]


def test_a_failed_message_says_why_and_is_sent_again_or_taken_back(fixture):
    show(fixture, messages="[parts.message({ id: 'x1', seq: null, sender_id: parts.ME, status: 'failed', error: { code: 'PT403', message: 'You may not.' }, pending_id: 'p1' })]")
    assert fixture.until("$('parley-thread', '.failure')?.textContent") == "Not sent: You may not.Try againCancel"
    fixture.js("([...$('parley-thread', '.failure').querySelectorAll('button')].forEach((one) => one.click()), true)")
    assert asked(fixture, "retry") == [["p1"]] and asked(fixture, "cancel") == [["p1"]]


@pytest.mark.parametrize("item, call", [
    ("React 👍", ["react", "x1", "👍"]), ("Star", ["star_message", {"message_id": "x1"}]), ("Pin for everyone", ["pin_message", {"message_id": "x1"}]),
    ("Delete for me", ["delete", "x1"]),
])
def test_the_menu_of_a_message(fixture, item, call):
    show(fixture)
    fixture.until("$('parley-thread', '.row')")
    choose(fixture, item)
    assert fixture.until("fake.state.asked.find(([name]) => name === args[0])?.map((one) => one?.id ?? one)", call[0]) == call


def test_a_starred_message_shows_its_star_which_can_be_taken_off(fixture):
    show(fixture, messages="[parts.message({ id: 'x1', starred: true })]")
    assert fixture.until("$('parley-thread', '.foot .mark')?.getAttribute('aria-label')") == "Starred"
    choose(fixture, "Remove the star")
    fixture.until("fake.state.asked.some(([name, args]) => name === 'unstar_message' && args.message_id === 'x1')")


def test_others_messages_are_not_deleted_for_everyone_by_a_member(fixture):
    show(fixture, conversation="{ me: { ...parts.conversation().me, role: 'member' } }", messages="[parts.message({ id: 'x1' }), parts.message({ id: 'x2', sender_id: parts.ME })]")
    fixture.until("$('parley-thread', '.row[data-key=x2]')")
    for key, offered in (("x1", False), ("x2", True)):
        fixture.js(f"($('parley-thread', '.row[data-key={key}]').dispatchEvent(new MouseEvent('contextmenu', {{ bubbles: true, cancelable: true }})), true)")
        names = fixture.until(f"$('parley-thread', '.menu') && {MENU}.map((one) => one.textContent)")
        assert ("Delete for everyone" in names) is offered and ("Edit" in names) is offered and ("Report" in names) is not offered
        fixture.keys(Keys.ESCAPE)
        fixture.until("!$('parley-thread', '.menu')")


def test_forwarded_to_another_conversation(fixture):
    show(fixture)
    fixture.until("$('parley-thread', '.row')")
    choose(fixture, "Forward")
    fixture.until("$('parley-thread', 'dialog .pick')")
    fixture.js("($('parley-thread', 'dialog .pick').click(), true)")
    [[call]] = asked(fixture, "forward_message")
    assert call["message_id"] == "x1" and call["conversation_ids"] == ["c1"] and len(call["client_message_id"]) == 36
    fixture.until("$('parley-thread', '.toast')?.textContent === 'Forwarded'")


def test_a_vote_takes_the_place_of_the_one_before(fixture):
    show(fixture, messages="[parts.message({ id: 'x1', poll: { options: [{ id: 1, text: 'a', votes: 1, voter_ids: [parts.ME] }, { id: 2, text: 'b', votes: 0, voter_ids: [] }], multiple: false, total_voters: 1 } })]")
    fixture.until("$('parley-thread', '.option')")
    assert fixture.js("$$('parley-thread', '.option').map((one) => one.getAttribute('aria-pressed'))") == ["true", "false"]
    fixture.js("($$('parley-thread', '.option').forEach((one) => one.click()), true)")
    assert [options for _, options in asked(fixture, "vote")] == [[], [2]]


def test_writing_keeps_a_draft_tells_of_typing_and_sends_with_the_reply(fixture):
    show(fixture)
    choose(fixture, "Reply")
    fixture.until(f"$('parley-thread', 'parley-composer').shadowRoot.activeElement === {INPUT}")
    fixture.keys("Yes ")
    assert asked(fixture, "setDraft")[-1] == ["c1", {"content": "Yes ", "reply_to_id": "x1"}]
    assert asked(fixture, "setTyping")[-1] == ["c1", True]
    fixture.chord(Keys.SHIFT, Keys.ENTER)
    fixture.keys("please", Keys.ENTER)
    assert asked(fixture, "send") == [["c1", {"content": "Yes \nplease", "reply_to_id": "x1"}]]
    assert fixture.js(f"{INPUT}.value") == ""
    fixture.keys("   ", Keys.ENTER)
    assert len(asked(fixture, "send")) == 1


def test_a_draft_comes_back_and_a_text_that_is_too_long_is_not_sent(fixture):
    show(fixture, conversation="{ draft: { content: 'half a thought', reply_to_id: null } }")
    fixture.until(f"{INPUT}?.value === 'half a thought'")
    fixture.js(f"({INPUT}.value = 'x'.repeat(5001), {INPUT}.dispatchEvent(new Event('input')), {INPUT}.focus(), true)")
    assert fixture.js("[$('parley-thread', 'parley-composer', '.count').textContent, $('parley-thread', 'parley-composer', '.send').disabled]") == ["1 characters too many", True]
    fixture.keys(Keys.ENTER)
    assert asked(fixture, "send") == []


@pytest.mark.parametrize("more, words", [("{ status: 'locked' }", "This conversation is closed."), ("{ type: 'group', permissions: { send: 'admins' }, me: { ...parts.conversation().me, role: 'member' } }", "Only admins can write here.")])
def test_where_one_may_not_write_one_is_told(fixture, more, words):
    show(fixture, conversation=more)
    assert fixture.until("$('parley-thread', 'parley-composer', '.closed')?.textContent") == words
    assert fixture.js("$('parley-thread', 'parley-composer', '.box').hidden")


def test_the_menu_of_a_conversation_mutes_pins_and_archives(fixture):
    show(fixture)
    for item, settings in (("Pin to the top", {"pin": True}), ("Mute until I turn it on", {"mute_until": "infinity"}), ("Archive", {"archive": True})):
        fixture.js("($('parley-inbox', '.row .more').click(), true)")
        fixture.until("$('parley-inbox', '.menu')")
        fixture.js("([...$('parley-inbox', '.menu').querySelectorAll('button')].find((one) => one.textContent === args[0]).click(), true)", item)
        assert asked(fixture, "updateSettings")[-1] == ["c1", settings]
        fixture.until("!$('parley-inbox', '.menu')")


def test_blocking_asks_first(fixture):
    show(fixture)
    for answer, calls in (("cancel", []), ("confirm", [[{"user_id": "00000000-0000-4000-8000-00000000000b"}]])):
        fixture.js("($('parley-thread', '.head button[aria-label=More]').click(), true)")
        fixture.until("$('parley-thread', '.menu')")
        fixture.js(f"({MENU}.find((one) => one.textContent === 'Block').click(), true)")
        fixture.until("$('parley-thread', 'dialog')?.textContent.includes('Block Bob?')")
        fixture.js("($('parley-thread', args[0] === 'confirm' ? '[data-confirm]' : 'dialog .actions .button').click(), true)", answer)
        fixture.until("!$('parley-thread', 'dialog')")
        assert asked(fixture, "block_user") == calls


def test_settings_of_privacy_and_blocked_people(fixture):
    show(fixture, api="{ get_privacy: async () => ({ message_privacy: 'friends', read_receipts: false, show_presence: true }), get_blocked_users: async () => ({ users: [{ user_id: parts.BOB, display_name: 'Bob' }] }), get_web_push_key: async () => null }")
    fixture.js("($('parley-inbox', 'button[aria-label=Settings]').click(), true)")
    fixture.until("$('parley-inbox', 'dialog .people li')")
    assert fixture.js("[$('parley-inbox', 'dialog select').value, ...$$('parley-inbox', 'dialog input[type=checkbox]').map((one) => one.checked)]") == ["friends", False, True]
    fixture.js("($('parley-inbox', 'dialog input[type=checkbox]').click(), $('parley-inbox', 'dialog .people button').click(), true)")
    fixture.until("!$('parley-inbox', 'dialog .people li')")
    assert asked(fixture, "set_privacy") == [[{"read_receipts": True}]] and asked(fixture, "unblock_user") == [[{"user_id": "00000000-0000-4000-8000-00000000000b"}]]


def test_a_server_without_any_of_it_shows_none(fixture):
    fixture.js("(window.Notification = undefined, true)")
    missing = "async () => { throw Object.assign(new Error('no'), { status: 404 }); }"
    show(fixture, api=f"{{ get_privacy: {missing}, get_blocked_users: {missing}, get_web_push_key: {missing} }}")
    fixture.js("($('parley-inbox', 'button[aria-label=Settings]').click(), new Promise((done) => setTimeout(done, 100)))")
    assert fixture.js("$$('parley-inbox', 'dialog h3').filter((one) => one.offsetHeight).length") == 0


def test_without_pushes_the_page_asks_for_its_own_notifications(fixture):
    show(fixture, api="{ get_privacy: async () => null, get_blocked_users: async () => null, get_web_push_key: async () => null }")
    fixture.js("(window.Notification = class { static permission = 'default'; static requestPermission = async () => (Notification.permission = 'granted'); }, true)")
    fixture.js("($('parley-inbox', 'button[aria-label=Settings]').click(), true)")
    fixture.until("$('parley-inbox', 'dialog .section:not([hidden]) button')?.textContent === 'Allow notifications'")
    fixture.js("($('parley-inbox', 'dialog .section:not([hidden]) button').click(), true)")
    fixture.until("Notification.permission === 'granted' && !$('parley-inbox', 'dialog .section:not([hidden])')")


def test_an_offline_page_says_so_and_connects_when_told(fixture):
    show(fixture)
    fixture.js("(fake.connection.change({ status: 'offline', retryAt: Date.now() + 5000 }), true)")
    assert fixture.until("$('parley-inbox', '.banner:not([hidden]) span')?.textContent").startswith("You are offline. What you write is sent later. Trying again in")
    fixture.js("($('parley-inbox', '.banner button').click(), true)")
    assert asked(fixture, "reconnect") == [[]]
    fixture.js("(fake.connection.change({ status: 'online', retryAt: null }), true)")
    fixture.until("$('parley-inbox', '.banner').hidden")


def test_a_call_is_answered_and_ended(fixture):
    show(fixture)
    fixture.js("(navigator.mediaDevices.getUserMedia = async () => new MediaStream(), fake.calls.change({ incoming: [{ id: 'k1', conversation_id: 'c1' }] }), true)")
    fixture.until("$('parley-thread', '.call')?.textContent.includes('Bob is calling')")
    fixture.js("($('parley-thread', '.call .primary').click(), true)")
    assert fixture.until("fake.state.asked.find(([name]) => name === 'accept')")[1] == "k1"
    fixture.js("(fake.calls.change({ incoming: [], current: { id: 'k1', conversation_id: 'c1', state: 'active' } }), true)")
    fixture.until("$('parley-thread', '.call .danger')")
    fixture.js("($('parley-thread', '.call .danger').click(), true)")
    assert asked(fixture, "hangUp") == [[]]


def test_a_hidden_page_notifies_once_and_leads_to_the_conversation(fixture):
    show(fixture)
    fixture.js("""import('../components/index.js').then(({ notifyWhileHidden }) => {
        window.notes = [];
        window.Notification = class { static permission = 'granted'; constructor(title, options) { Object.assign(this, { title, ...options, close() {} }); notes.push(this); } };
        notifyWhileHidden(fake, (id) => { window.led = id; });
        return true;
    })""")
    tell = "(fake.state.listeners.get('message')({ message: parts.message({ content: 'Hi' }), conversation: parts.conversation(), notify: args[0] }), notes.map(({ title, body, tag }) => [title, body, tag]))"
    assert fixture.js(tell, True) == []
    fixture.hide(True)
    assert fixture.js(tell, False) == []
    assert fixture.js(tell, True) == [["Bob", "Hi", "c1"]]
    assert fixture.js("(notes[0].onclick(), window.led)") == "c1"


def test_several_people_make_a_group_with_a_name(fixture):
    show(fixture)
    fixture.js("(document.querySelector('parley-inbox').directory = async () => ['Bob', 'Carol'].map((name, at) => ({ user_id: `u${at}`, display_name: name })), true)")
    fixture.js("(document.querySelector('parley-inbox').newConversation(), true)")
    fixture.until("$$('parley-inbox', 'dialog .pick').length === 2")
    fixture.js("($('parley-inbox', 'dialog .pick').click(), true)")
    # Who is chosen is not offered again; with two there is a name to give.
    fixture.until("$$('parley-inbox', 'dialog .pick').length === 1 && $('parley-inbox', 'dialog input:not([type])').hidden")
    fixture.js("($('parley-inbox', 'dialog .pick').click(), true)")
    fixture.until("$$('parley-inbox', 'dialog .pick').length === 0 && !$('parley-inbox', 'dialog input:not([type])').hidden")
    fixture.js("($('parley-inbox', 'dialog input:not([type])').value = 'Trip', $('parley-inbox', 'dialog .primary').click(), true)")
    fixture.until("!$('parley-inbox', 'dialog')")
    assert asked(fixture, "startConversation") == [[{"participant_ids": ["u0", "u1"], "type": "group", "title": "Trip"}]]


def test_words_can_be_of_another_language(fixture):
    fixture.js("import('../components/index.js').then(({ setStrings }) => (setStrings(args[0]), true))", {"inbox": "Unterhaltungen", "write": "Schreib etwas", "members": {"one": "{count} Mitglied", "other": "{count} Mitglieder"}})
    show(fixture, conversation="{ type: 'group', title: 'Gruppe', participant_count: 3 }")
    assert fixture.until(f"{INPUT}?.placeholder") == "Schreib etwas"
    assert fixture.js("[$('parley-inbox', 'h2').textContent, $('parley-thread', '.about').textContent]") == ["Unterhaltungen", "3 Mitglieder"]


@pytest.mark.parametrize("way, answers", [(80, True), (30, False), (-80, False)])
def test_a_message_drawn_inwards_is_answered(fixture, way, answers):
    fixture.phone()
    show(fixture)
    fixture.until("$('parley-thread', '.row')")
    x, y = fixture.js("(() => { const box = $('parley-thread', '.bubble').getBoundingClientRect(); return [box.left + 20, box.top + box.height / 2]; })()")
    touch = lambda kind, at: fixture.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [] if kind == "touchEnd" else [{"x": at, "y": y}]})  # noqa: E731
    touch("touchStart", x)
    for step in range(1, 9):
        touch("touchMove", x + way * step / 8)
    touch("touchEnd", x)
    fixture.js("new Promise((done) => setTimeout(done, 100))")
    assert (fixture.js("$('parley-thread', 'parley-composer', '.about').textContent") == "Replying to BobHello") is answers
    assert fixture.js("$('parley-thread', '.row').style.transform") == ""
