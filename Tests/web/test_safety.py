"""Whatever people write, and whatever they are called: it changes no DOM but text."""

from __future__ import annotations

import re

import pytest
from hostile import LINKS, NO_LINKS, TEXTS
from test_served import CLIENT

# Everything that is drawn, as tags and attributes without texts; the shadow roots of components included.
SKELETON = """
window.skeleton = () => {
    const lines = [];
    const walk = (node, depth) => {
        for (const child of node.children) {
            const free = ["aria-label", "title", "alt", "datetime", "style", "aria-labelledby", "id", "aria-controls", "aria-activedescendant"];
            const attributes = [...child.attributes].map(({ name, value }) => (free.includes(name) ? name : `${name}=${value}`)).sort();
            lines.push(`${depth} ${child.localName} ${attributes.join(" ")}`);
            if (child.shadowRoot) walk(child.shadowRoot, `${depth}#`);
            walk(child, `${depth}.`);
        }
    };
    walk(document.body, "");
    return lines.filter((line) => !/ spacer /.test(line));
};
"""
# One text in every place that shows one.
EVERYWHERE = """
window.everywhere = async (text) => {
    const { message, conversation, person, ME, BOB } = parts;
    const bob = person(BOB, text, { app_role: text });
    const people = [person(ME, "Alice", { role: "owner" }), bob];
    const group = conversation({ type: "group", title: text, description: text, context_type: text, context_id: text, participants: people, counterpart: null, icon_url: text, settings: { [text]: text }, draft: null });
    const direct = conversation({ id: "c2", participants: people, counterpart: bob, icon_url: text, draft: { content: text, reply_to_id: null }, last_message: message({ content: text }) });
    const file = (kind) => ({ kind, file_name: text, url: text, content_type: text, byte_size: 5, width: 10, height: 10, variants: { thumbnail: { url: text } }, metadata: { x: text } });
    const at = "2026-06-01T12:00:00Z";
    const m = (more) => message({ created_at: at, metadata: { event: text, [text]: text }, ...more });
    const messages = [
        m({ id: "x1", seq: 1, content: text, sender_role: text, mentions: [BOB], mentions_all: true }),
        m({ id: "x2", seq: 2, content: "reply", reply_to_id: "x1", reply_to: { id: "x1", seq: 1, sender_id: BOB, type: text, content: text, attachment: null, deleted: false } }),
        m({ id: "x3", seq: 3, content: text, attachments: ["image", "file", "audio", "video"].map(file) }),
        m({ id: "x4", seq: 4, content: text, sender_id: null, type: "system" }),
        m({ id: "x5", seq: 5, content: text, type: "poll", poll: { options: [{ id: 1, text, votes: 1, voter_ids: [BOB] }], multiple: false, total_voters: 1, closed_at: null } }),
        m({ id: "x6", seq: 6, content: text, reactions: [{ emoji: text.slice(0, 40), count: 1, user_ids: [BOB] }], forwarded: true, edited_at: at, pinned_at: at }),
        m({ id: "x7", seq: null, content: text, sender_id: ME, status: "failed", error: { code: text, message: text }, pending_id: "p" }),
    ];
    const blocked = [{ user_id: BOB, display_name: text }];
    const client = show({
        conversations: [group, direct], messages,
        api: {
            get_privacy: async () => ({ message_privacy: text, read_receipts: true, show_presence: true }),
            get_blocked_users: async () => ({ users: blocked }),
            get_web_push_key: async () => { throw Object.assign(new Error(text), { status: 404 }); },
            search_messages: async () => ({ messages: [{ ...messages[0], highlight: [{ text, match: false }, { text, match: true }] }] }),
            add_participants: async () => { throw new Error(text); },
        },
    });
    client.state.typing.set([BOB]);
    const frame = () => new Promise((done) => setTimeout(done, 30));
    // A dialog is gone when its event has come.
    const close = async (name) => { $(name, "dialog").close(); while ($(name, "dialog")) await frame(); };
    const thread = document.querySelector("parley-thread");
    const inbox = document.querySelector("parley-inbox");
    inbox.directory = async () => [{ user_id: BOB, display_name: text }];
    const found = {};
    const take = async (name) => { await frame(); found[name] = skeleton(); };
    await take("page");
    $("parley-thread", ".who").click();
    await take("details");
    await close("parley-thread");
    inbox.newConversation();
    await frame();
    $("parley-inbox", "dialog .pick")?.click();
    await take("new conversation");
    await close("parley-inbox");
    $("parley-inbox", "button[aria-label=Settings]").click();
    await take("settings");
    await close("parley-inbox");
    $("parley-thread", "button[aria-label=Search]").click();
    const search = $("parley-thread", ".search input");
    search.value = "abc";
    search.dispatchEvent(new Event("input"));
    await new Promise((done) => setTimeout(done, 300));
    await take("search");
    $("parley-thread", ".search button").click();
    thread.toast(text);
    inbox.toast(text);
    const input = $("parley-thread", "parley-composer", "textarea");
    input.value = "@";
    input.dispatchEvent(new Event("input"));
    await take("toast and mentions");
    input.value = "";
    input.dispatchEvent(new Event("input"));
    thread.toasts.replaceChildren();
    inbox.toasts.replaceChildren();
    $("parley-thread", ".row[data-key=x1]").dispatchEvent(new MouseEvent("contextmenu", { bubbles: true, cancelable: true }));
    await frame();
    [...$("parley-thread", ".menu").querySelectorAll("button")].find((one) => one.textContent === "Forward").click();
    await take("forward");
    await close("parley-thread");
    $("parley-thread", "parley-composer").reply(messages[0]);
    await take("reply");
    return found;
};
"""


@pytest.fixture(scope="module")
def plain():
    return {}


@pytest.fixture
def everywhere(fixture, plain):
    # So high that all rows are drawn, however long their texts are.
    fixture.driver.set_window_size(1200, 3000)
    fixture.driver.execute_script(SKELETON + EVERYWHERE)
    if not plain:
        plain.update(fixture.js("everywhere('plain words')"))
        assert plain["page"] and all(len(lines) > 50 for lines in plain.values())
        fixture.driver.refresh()
        fixture.until("document.body.dataset.ready !== undefined")
        fixture.driver.execute_script(SKELETON + EVERYWHERE)
    return fixture


@pytest.mark.parametrize("number", range(0, len(TEXTS), 6))
def test_a_text_is_a_text_everywhere(everywhere, plain, number):
    for text in TEXTS[number : number + 6]:
        found = everywhere.js("everywhere(args[0])", text)
        for place, lines in found.items():
            # An emoji alone is drawn large; nothing else of a row depends on its text.
            assert [line.replace(" large", "") for line in lines] == plain[place], f"{text!r} in {place}"
        assert everywhere.js("window.pwned ?? null") is None
        assert everywhere.js("Object.prototype.toString === {}.toString && Object.keys(Object.prototype).length") == 0


@pytest.mark.parametrize("text", NO_LINKS)
def test_this_is_no_link(fixture, text):
    fixture.js("(show({ messages: [parts.message({ content: args[0], attachments: [{ kind: 'file', file_name: 'a', url: args[0] }, { kind: 'image', file_name: 'a', url: args[0] }] })] }), true)", text)
    fixture.until("$$('parley-thread', '.row').length === 1")
    assert fixture.js("$$('parley-thread', '.row [href], .row [src]').map((one) => one.outerHTML)") == []
    assert fixture.js("$('parley-thread', '.text').textContent") == text


@pytest.mark.parametrize("text", LINKS)
def test_this_is_a_link_and_a_safe_one(fixture, text):
    fixture.js("(show({ messages: [parts.message({ content: args[0] })] }), true)", text)
    fixture.until("$('parley-thread', '.row')")
    links = fixture.js("$$('parley-thread', '.row a').map((one) => [one.href, one.rel, one.target, [...one.attributes].length])")
    assert links == [[LINKS[text], "noopener noreferrer nofollow ugc", "_blank", 4]]
    assert fixture.js("$('parley-thread', '.text').textContent") == text


def test_no_text_is_ever_parsed():
    """The doors through which text becomes markup or code are not used at all."""
    doors = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|setHTMLUnsafe|\beval\(|new Function|srcdoc|setAttribute\(\s*[\"']on"
    found = [(file.name, line) for folder in ("components", "web", "src") for file in (CLIENT / folder).rglob("*.js") for line in file.read_text().splitlines() if re.search(doors, line)]
    assert found == []
