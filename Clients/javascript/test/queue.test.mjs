// The queue: what is sent arrives once, in order, whatever dies when.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeStorage, ME, OTHER, ROOM, fakeSockets, history, message, page, row, tokenOf, turns } from "./fakes.mjs";
import { contents, open, world } from "./setup.mjs";

const away = () => Promise.reject(new Error("fetch failed"));
const refuse = (status, more = {}) => Promise.reject({ status, code: `PT${status}`, message: "No.", ...more });

test("a message is stored before it is shown, and shown before it is answered", async () => {
    let answer;
    const { parley, storage, shown } = await open({ functions: { send_message: () => new Promise((resolve) => (answer = resolve)) } });
    const setItem = storage.setItem;
    let write;
    storage.setItem = async (key, value) => {
        if (key.includes("/o/")) await new Promise((resolve) => (write = resolve));
        return setItem(key, value);
    };
    const { stored, client_message_id: id } = parley.send(ROOM, "hello");
    await turns();
    assert.deepEqual(contents(shown()), [], "not yet stored");
    storage.setItem = setItem;
    write();
    await turns();
    assert.deepEqual(shown().map((m) => [m.content, m.status, m.key, m.seq]), [["hello", "sending", id, null]]);
    answer(message(1, { client_message_id: id, sender_id: ME, content: "hello" }));
    assert.equal((await stored).seq, 1);
    assert.deepEqual(shown().map((m) => [m.content, m.status, m.key, m.seq]), [["hello", "sent", id, 1]], "the answer is the message");
    assert.deepEqual(parley.outbox.getSnapshot(), []);
    await turns();
    assert.deepEqual([...storage.items.keys()].filter((key) => key.includes("/o/")), []);
    await parley.stop();
});

test("the event may come before the answer, and nothing shows twice", async () => {
    let answer;
    const { parley, live, shown } = await open({ functions: { send_message: () => new Promise((resolve) => (answer = resolve)) } });
    const { stored, client_message_id: id } = parley.send(ROOM, "hello");
    await turns();
    const whole = message(1, { client_message_id: id, sender_id: ME, content: "hello" });
    await live("message:new", { event_seq: 2, message: whole });
    assert.equal((await stored).seq, 1);
    assert.deepEqual(shown().map((m) => [m.content, m.seq]), [["hello", 1]]);
    answer(whole);
    await turns();
    assert.deepEqual(shown().map((m) => [m.content, m.seq]), [["hello", 1]]);
    await parley.stop();
});

test("without an answer the same is sent again under the same id, after 1, 2, 4 s", async () => {
    let tries = 0;
    const { parley, clock, server, state } = await open({
        functions: { send_message: (args) => { tries += 1; state_(args); return tries < 4 ? away() : state.stored.get(args.client_message_id); } },
    });
    // the server has stored the first try; only the answers are lost
    function state_(args) {
        state.stored.set(args.client_message_id, state.stored.get(args.client_message_id) ?? message(1, { ...args, sender_id: ME }));
    }
    const { stored } = parley.send(ROOM, "hello");
    await turns();
    for (const [wait, count] of [[1000, 2], [2000, 3], [4000, 4]]) {
        await clock.tick(wait - 10);
        assert.equal(tries, count - 1);
        await clock.tick(10);
        assert.equal(tries, count);
    }
    assert.equal((await stored).seq, 1);
    assert.equal(new Set(server.of("send_message").map((args) => args.client_message_id)).size, 1);
    await parley.stop();
});

test("an answer that is not the message is none", async () => {
    let tries = 0;
    const { parley, clock } = await open({ functions: { send_message: (args) => ((tries += 1) === 1 ? null : message(1, { ...args, sender_id: ME })) } });
    const { stored, client_message_id: id } = parley.send(ROOM, "hello");
    await turns();
    assert.deepEqual(parley.outbox.getSnapshot().map(({ id: one, state }) => [one, state]), [[id, "waiting"]]);
    await clock.tick(2_000);
    assert.equal((await stored).seq, 1);
    await parley.stop();
});

test("several that wait go out in the order they were written, one after the other", async () => {
    let online = false;
    let flying = 0;
    const { parley, clock, server, shown } = await open({
        functions: {
            send_message: async (args) => {
                if (!online) return away();
                flying += 1;
                assert.equal(flying, 1, "one of a conversation at a time");
                await turns(3);
                flying -= 1;
                return message(server.of("send_message").length, { ...args, sender_id: ME });
            },
        },
    });
    for (const text of ["one", "two", "three", "four"]) parley.send(ROOM, text);
    await clock.tick(500);
    assert.deepEqual(contents(shown()), ["one", "two", "three", "four"]);
    assert.deepEqual(server.of("send_message").map((args) => args.content), ["one"], "the later ones wait behind the first");
    online = true;
    await clock.tick(3_000);
    assert.deepEqual(server.of("send_message").slice(1).map((args) => args.content), ["one", "two", "three", "four"]);
    await parley.stop();
});

test("messages sent at one moment keep their order through a reload", async () => {
    const storage = new FakeStorage();
    const first = await open({ storage, functions: { send_message: () => new Promise(() => {}) } });
    const texts = [...Array(12).keys()].map(String);
    for (const text of texts) first.parley.send(ROOM, text);
    await turns();
    // a storage gives back in an order of its own
    storage.items = new Map([...storage.items].reverse());
    const next = await open({ storage, clock: first.clock });
    await next.clock.tick(100);
    assert.deepEqual(next.server.of("send_message").map((args) => args.content), texts);
    await next.parley.stop();
});

test("a client is not settled while a message is still being stored", async () => {
    const { parley, storage, clock, server } = await open();
    const { setItem } = storage;
    let write;
    storage.setItem = (key, value) => (key.includes("/o/") ? new Promise((resolve) => (write = resolve)).then(() => setItem(key, value)) : setItem(key, value));
    parley.send(ROOM, "hello");
    await import("../src/settled.js");
    let sent;
    parley.settled().then(() => (sent = server.of("send_message").length));
    await clock.tick(1_000);
    assert.equal(sent, undefined);
    storage.setItem = setItem;
    write();
    await clock.tick(1_000);
    assert.equal(sent, 1);
    await parley.stop();
});

test("a refused message steps aside with its reason, the next goes, and retry sends it again", async () => {
    let refusing = true;
    const { parley, shown, server, state, clock } = await open({
        functions: { send_message: (args) => (args.content === "bad" && refusing ? refuse(403, { message: "Not allowed." }) : message(++state.seq, { ...args, sender_id: ME })) },
    });
    const refused = [];
    parley.on("refused", ({ error }) => refused.push(error.code));
    const bad = parley.send(ROOM, "bad");
    parley.send(ROOM, "good");
    await assert.rejects(bad.stored, { code: "PT403", retriable: false });
    await turns();
    assert.deepEqual(shown().map((m) => [m.content, m.status]), [["good", "sent"], ["bad", "failed"]]);
    assert.deepEqual(shown()[1].error, { code: "PT403", message: "Not allowed." });
    assert.deepEqual(refused, ["PT403"]);
    await clock.tick(60_000);
    assert.equal(server.of("send_message").length, 2, "a refusal is not retried by itself");
    refusing = false;
    assert.equal(parley.retry(bad.client_message_id), true);
    assert.equal(parley.retry(bad.client_message_id), false, "it is on its way already");
    await turns();
    assert.deepEqual(contents(shown()), ["good", "bad"]);
    assert.deepEqual(parley.outbox.getSnapshot(), []);
    await parley.stop();
});

test("Retry-After is obeyed, also when the connection comes back meanwhile", async () => {
    let first = true;
    const { parley, clock, server, sockets } = await open({
        functions: {
            send_message: (args) => {
                if (!first) return message(1, { ...args, sender_id: ME });
                first = false;
                return refuse(429, { details: "Retry-After: 20" });
            },
        },
    });
    const { stored } = parley.send(ROOM, "hello");
    await clock.tick(1_000);
    sockets.last.drop();
    await clock.tick(15_000);
    assert.equal(parley.connection.getSnapshot().status, "online");
    assert.equal(server.of("send_message").length, 1);
    await clock.tick(5_000);
    assert.equal((await stored).seq, 1);
    await parley.stop();
});

test("one that was never on its way can be cancelled, one that may have arrived cannot", async () => {
    const { parley, clock, server, shown } = await open({ functions: { send_message: away } });
    const first = parley.send(ROOM, "first");
    const second = parley.send(ROOM, "second");
    await turns();
    assert.equal(parley.cancel(first.client_message_id), false);
    assert.equal(parley.cancel(second.client_message_id), true);
    await assert.rejects(second.stored, { code: "aborted" });
    assert.deepEqual(contents(shown()), ["first"]);
    await clock.tick(10_000);
    assert.ok(server.of("send_message").every((args) => args.content === "first"));
    await parley.stop();
});

test("the queue outlives a crash: what was on its way is sent again under its id", async () => {
    const storage = new FakeStorage();
    const dead = await open({ storage, functions: { send_message: () => new Promise(() => {}) } });
    const ids = ["one", "two"].map((text) => dead.parley.send(ROOM, text).client_message_id);
    await turns();
    assert.equal(dead.parley.outbox.getSnapshot()[0].state, "sending");
    // the page is gone, without a word
    const next = await open({ storage, clock: dead.clock });
    await next.clock.tick(100);
    assert.deepEqual(next.server.of("send_message").map((args) => [args.content, args.client_message_id]), [["one", ids[0]], ["two", ids[1]]]);
    assert.deepEqual(next.shown().map((m) => [m.content, m.status]), [["one", "sent"], ["two", "sent"]]);
    await next.parley.stop();
});

test("what failed before a reload is shown as failed after it, with its reason", async () => {
    const storage = new FakeStorage();
    const first = await open({ storage, functions: { send_message: () => refuse(413, { message: "Too long." }) } });
    await assert.rejects(first.parley.send(ROOM, "long").stored);
    await turns();
    await first.parley.stop();
    const next = await open({ storage, clock: first.clock });
    assert.deepEqual(next.shown().map((m) => [m.content, m.status, m.error?.message]), [["long", "failed", "Too long."]]);
    assert.equal(next.server.of("send_message").length, 0);
    assert.equal(next.parley.cancel(next.shown()[0].pending_id), true);
    await turns();
    assert.deepEqual([...storage.items.keys()].filter((key) => key.includes("/o/")), []);
    await next.parley.stop();
});

test("one that has waited for more than 60 days is not sent any more", async () => {
    const storage = new FakeStorage();
    const first = await open({ storage, functions: { send_message: away } });
    first.parley.send(ROOM, "hello").stored.catch(() => {});
    await turns();
    first.parley.stop();
    await first.clock.tick(61 * 86_400_000);
    const next = await open({ storage, clock: first.clock });
    await turns();
    assert.equal(next.server.of("send_message").length, 0);
    assert.deepEqual(next.shown().map((m) => [m.status, m.error.code, m.error.uncertain]), [["failed", "expired", true]]);
    await next.parley.stop();
});

test("a message that a page shows as stored is settled, though its answer never came", async () => {
    const { parley, view, state, shown } = await open({ functions: { send_message: away }, window: {} });
    const { client_message_id: id, stored } = parley.send(ROOM, "hello");
    await turns();
    state.messages.push(message(1, { client_message_id: id, sender_id: ME, content: "hello" }));
    view.reload();
    assert.equal((await stored).seq, 1);
    assert.deepEqual(shown().map((m) => [m.seq, m.status]), [[1, "sent"]]);
    await parley.stop();
});

test("an edit is never rolled back, a deletion and a reaction are", async () => {
    const mine = message(1, { sender_id: ME, client_message_id: "c1" });
    const no = () => refuse(403);
    const { parley, shown } = await open({ messages: [mine], rows: [row({ last_seq: 1 })], functions: { edit_message: no, delete_message: no, add_reaction: no } });
    const refused = [];
    parley.on("refused", ({ entry }) => refused.push(entry.kind));
    parley.edit(shown()[0], "better");
    parley.react(shown()[0], "👍");
    await new Promise((resolve) => setImmediate(resolve));
    await turns();
    assert.deepEqual([shown()[0].content, shown()[0].pending, shown()[0].error?.code], ["better", "edit-failed", "PT403"]);
    assert.deepEqual(shown()[0].reactions, []);
    parley.delete(shown()[0], { forEveryone: true });
    await turns(1);
    await turns();
    assert.equal(shown()[0].deleted_at, null);
    assert.deepEqual(refused, ["edit", "react", "delete"]);
    assert.equal(parley.cancel(shown()[0].pending_id), true);
    assert.equal(shown()[0].content, "text 1");
    await parley.stop();
});

test("edits, deletions and reactions written offline show at once and go in order", async () => {
    let online = false;
    const order = [];
    const later = (name) => (args) => (online ? (order.push(name), { ...message(1), content: args.content ?? "text 1", sender_id: ME }) : away());
    const { parley, shown, clock } = await open({
        messages: [message(1, { sender_id: ME }), message(2)], rows: [row({ last_seq: 2 })],
        functions: { edit_message: later("edit"), add_reaction: later("react"), delete_message: later("delete"), send_message: (args) => (online ? (order.push("send"), message(3, { ...args, sender_id: ME })) : away()) },
    });
    parley.send(ROOM, "new");
    parley.edit(shown()[0], "better");
    parley.react(shown()[1], "👍");
    await turns();
    parley.delete(shown()[0]);
    await turns();
    assert.deepEqual(contents(shown()), ["text 2", "new"], "deleted for me");
    assert.deepEqual(shown()[0].reactions, [{ emoji: "👍", count: 1, user_ids: [ME] }]);
    online = true;
    await clock.tick(2_000);
    assert.deepEqual(order, ["send", "edit", "react", "delete"]);
    await parley.stop();
});

test("a reaction goes out after an outage, also where nothing is stored", async () => {
    let online = false;
    const { parley, shown, server, clock, sockets } = await open({
        storage: "memory", messages: [message(1)], rows: [row({ last_seq: 1 })],
        functions: { add_reaction: ({ emoji }) => (online ? message(1, { reactions: [{ emoji, count: 1, user_ids: [ME] }] }) : away()) },
    });
    sockets.last.drop();
    parley.react(shown()[0], "👍");
    await clock.tick(60_000);
    assert.deepEqual(shown()[0].reactions, [{ emoji: "👍", count: 1, user_ids: [ME] }], "shown meanwhile");
    assert.equal(parley.outbox.getSnapshot().length, 1);
    online = true;
    await clock.tick(40_000);
    assert.deepEqual(server.of("add_reaction").at(-1), { message_id: "message-1", emoji: "👍" });
    assert.deepEqual([parley.outbox.getSnapshot(), shown()[0].pending], [[], null]);
    await parley.stop();
});

test("a browser is asked once to keep what is stored, with the first message", async (t) => {
    let asked = 0;
    const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
    Object.defineProperty(globalThis, "navigator", { configurable: true, value: { storage: { persist: async () => void (asked += 1) } } });
    t.after(() => (before ? Object.defineProperty(globalThis, "navigator", before) : delete globalThis.navigator));
    const { parley } = await open();
    assert.equal(asked, 0, "not by looking");
    await parley.send(ROOM, "one").stored;
    await parley.send(ROOM, "two").stored;
    assert.equal(asked, 1);
    await parley.stop();
    const nothing = await open({ storage: "memory" });
    await nothing.parley.send(ROOM, "three").stored;
    assert.equal(asked, 1, "where nothing is stored nothing is to be kept");
    await nothing.parley.stop();
});

test("a reaction that is taken back before it left goes nowhere", async () => {
    const { parley, shown, server, clock } = await open({ messages: [message(1)], rows: [row({ last_seq: 1 })], functions: { send_message: away } });
    parley.send(ROOM, "blocks the queue").stored.catch(() => {});
    await turns();
    parley.react(shown()[0], "👍");
    await turns();
    parley.react(shown()[0], "👍");
    await turns();
    assert.deepEqual(shown()[0].reactions, []);
    await clock.tick(5_000);
    assert.equal(server.of("add_reaction").length + server.of("remove_reaction").length, 0);
    await parley.stop();
});

test("a message that is still waiting is edited in the queue, and deleted out of it", async () => {
    const { parley, shown } = await open({ functions: { send_message: away } });
    parley.send(ROOM, "first").stored.catch(() => {});
    parley.send(ROOM, "second").stored.catch(() => {});
    parley.send(ROOM, "third").stored.catch(() => {});
    await turns();
    parley.edit(shown()[1], "second, better");
    parley.delete(shown()[2]);
    await turns();
    assert.deepEqual(contents(shown()), ["first", "second, better"]);
    assert.deepEqual(parley.outbox.getSnapshot().map((entry) => entry.kind), ["send", "send"]);
    await parley.stop();
});

test("a message that may have arrived is edited and deleted after it, by its own id", async () => {
    let online = false;
    const { parley, shown, server, clock } = await open({
        functions: {
            send_message: (args) => (online ? message(7, { ...args, id: "stored", sender_id: ME }) : away()),
            edit_message: ({ content }) => message(7, { id: "stored", content, sender_id: ME }),
        },
    });
    parley.send(ROOM, "hello");
    await turns();
    parley.edit(shown()[0], "hello!");
    await turns();
    assert.deepEqual(contents(shown()), ["hello!"]);
    online = true;
    await clock.tick(2_000);
    assert.deepEqual(server.of("edit_message"), [{ message_id: "stored", content: "hello!" }]);
    assert.deepEqual(shown().map((m) => [m.seq, m.content]), [[7, "hello!"]]);
    await parley.stop();
});

test("an edit that is still being stored when its message is answered goes all the same", async () => {
    let answer;
    const { parley, storage, server } = await open({
        functions: {
            send_message: (args) => new Promise((resolve) => (answer = () => resolve(message(7, { ...args, id: "stored", sender_id: ME })))),
            edit_message: ({ content }) => message(7, { id: "stored", content, sender_id: ME }),
        },
    });
    const { client_message_id: id } = parley.send(ROOM, "hello");
    await turns();
    const { setItem } = storage;
    let write;
    storage.setItem = (key, value) => new Promise((resolve) => (write = resolve)).then(() => setItem(key, value));
    parley.edit(id, "hello!");
    await turns();
    answer();
    await turns();
    storage.setItem = setItem;
    write();
    await turns();
    assert.deepEqual(server.of("edit_message"), [{ message_id: "stored", content: "hello!" }]);
    assert.deepEqual(parley.outbox.getSnapshot(), []);
    await parley.stop();
});

test("a storage that fails is given up, said once, and sending goes on", async () => {
    const storage = new FakeStorage();
    const { parley, shown } = await open({ storage });
    const warnings = [];
    parley.on("warning", ({ code }) => warnings.push(code));
    assert.equal(parley.connection.getSnapshot().persistent, true);
    storage.broken = true;
    const one = parley.send(ROOM, "one");
    const two = parley.send(ROOM, "two");
    await one.stored;
    await two.stored;
    await turns();
    assert.deepEqual(contents(shown()), ["one", "two"]);
    assert.deepEqual(warnings, ["storage-failed"]);
    assert.equal(parley.connection.getSnapshot().persistent, false);
    await parley.stop();
});

test("a storage that never answers holds nothing up for more than 3 s", async () => {
    const storage = new FakeStorage();
    const { parley, clock, shown } = await open({ storage });
    storage.setItem = () => new Promise(() => {});
    parley.send(ROOM, "hello");
    await clock.tick(2_900);
    assert.deepEqual(contents(shown()), []);
    await clock.tick(200);
    assert.deepEqual(contents(shown()), ["hello"]);
    await parley.stop();
});

test("a storage that was slow is not given up: what was written meanwhile outlives the page", async () => {
    const storage = new FakeStorage();
    const { parley, clock, shown } = await open({ storage, functions: { send_message: away } });
    const warnings = [];
    parley.on("warning", ({ code }) => warnings.push(code));
    const { setItem } = storage;
    let answer;
    storage.setItem = (key, value) => new Promise((resolve) => (answer = resolve)).then(() => setItem(key, value));
    parley.send(ROOM, "one");
    await clock.tick(3_100);
    parley.send(ROOM, "two");
    await turns();
    assert.deepEqual(contents(shown()), ["one", "two"], "nothing waits for it twice");
    assert.equal(parley.connection.getSnapshot().persistent, false);
    storage.setItem = setItem;
    answer();
    await turns();
    assert.equal(parley.connection.getSnapshot().persistent, true);
    assert.deepEqual(warnings, ["storage-failed"]);
    // the page is gone, without a word
    const next = await open({ storage, clock, functions: { send_message: away } });
    assert.deepEqual(contents(next.shown()), ["one", "two"]);
    await next.parley.stop();
    await parley.stop();
});

test("a queue that the storage gives back late is taken up all the same", async () => {
    const storage = new FakeStorage();
    const first = await open({ storage, functions: { send_message: away } });
    first.parley.send(ROOM, "hello");
    await turns();
    await first.parley.stop();
    const { getItem } = storage;
    let answer;
    const late = new Promise((resolve) => (answer = resolve));
    storage.getItem = (key) => late.then(() => getItem(key));
    const next = world({ storage, clock: first.clock });
    await next.clock.tick(3_100);
    answer();
    await next.clock.tick(1_000);
    assert.deepEqual(next.server.of("send_message").map((args) => args.content), ["hello"]);
    await next.parley.stop();
});

test("entries of the storage that cannot be read are left out, the others are taken up", async () => {
    const storage = new FakeStorage();
    const first = await open({ storage, functions: { send_message: away } });
    first.parley.send(ROOM, "good").stored.catch(() => {});
    await turns();
    first.parley.stop();
    storage.items.set(`parley/server/${ME}/o/bad`, "{");
    const next = world({ storage, clock: first.clock });
    const warnings = [];
    next.parley.on("warning", ({ code }) => warnings.push(code));
    await next.parley.start();
    await turns();
    assert.deepEqual(warnings, ["storage-damaged"]);
    assert.deepEqual(next.server.of("send_message").map((args) => args.content), ["good"]);
    await next.parley.stop();
});

test("without a network the queue and the inbox of a user who is named show, and can be written on", async () => {
    const storage = new FakeStorage();
    const first = await open({ storage, messages: [message(1)], rows: [row({ last_seq: 1, last_message: message(1) })] });
    await first.clock.tick(3_000);
    await first.parley.stop();
    const sockets = fakeSockets({ autoOpen: false });
    let offline = true;
    const newer = [message(1, { content: "edited meanwhile" }), message(2)];
    const next = world({ userId: ME, storage, clock: first.clock, sockets, functions: {
        sync: () => (offline ? away() : page([row({ last_seq: 2, last_event_seq: 3 })])), send_message: away,
        get_conversation_messages: (args) => (offline ? away() : history(newer, args)),
    } });
    const give = next.tokens.next;
    next.tokens.next = away;
    await next.clock.tick(10);
    const view = next.parley.messages(ROOM);
    next.parley.send(ROOM, "written offline").stored.catch(() => {});
    await next.clock.tick(2_000);
    assert.deepEqual(contents(view.getSnapshot().messages), ["text 1", "written offline"]);
    assert.deepEqual(next.parley.conversations().getSnapshot().conversations.map((c) => c.last_message.content), ["written offline"]);
    assert.equal(next.parley.connection.getSnapshot().status, "offline");
    offline = false;
    next.tokens.next = give;
    await next.clock.tick(10_000);
    assert.deepEqual(contents(view.getSnapshot().messages), ["edited meanwhile", "text 2", "written offline"]);
    await next.parley.stop();
});

test("a message goes through the channel, and by HTTP under its id where that gives no answer", async () => {
    const { parley, sockets, server, clock } = await open({ window: { live: true } });
    const topic = `realtime:conversation:${ROOM}`;
    const one = parley.send(ROOM, "one");
    await turns();
    const [joinRef, ref, , , { event, payload }] = sockets.last.of("broadcast").at(-1);
    assert.deepEqual([event, payload.content, payload.client_message_id], ["message:send", "one", one.client_message_id]);
    sockets.last.receive([joinRef, ref, topic, "phx_reply", { status: "ok", response: { message: message(1, { client_message_id: one.client_message_id, sender_id: ME }) } }]);
    assert.equal((await one.stored).seq, 1);
    assert.equal(server.of("send_message").length, 0);
    const two = parley.send(ROOM, "two");
    await turns();
    await clock.tick(10_100);
    await two.stored;
    assert.deepEqual(server.of("send_message").map((args) => args.client_message_id), [two.client_message_id]);
    await parley.stop();
});

test("a message for a channel that the server has just closed goes by HTTP", async () => {
    const { parley, sockets, server } = await open({ window: { live: true } });
    const one = parley.send(ROOM, "one");
    await turns();
    const [joinRef, ref, topic] = sockets.last.of("broadcast").at(-1);
    // as a worker does when the token has expired
    sockets.last.receive([joinRef, ref, topic, "phx_reply", { status: "error", response: { code: "PT404", reason: "unmatched topic", retriable: false } }]);
    assert.equal((await one.stored).seq, 1);
    assert.deepEqual(server.of("send_message").map((args) => args.client_message_id), [one.client_message_id]);
    await parley.stop();
});

test("signing out wipes what is stored and held of the user, and closes the socket", async () => {
    const { parley, storage, sockets, shown, clock } = await open({ functions: { send_message: away }, messages: [message(1)], rows: [row({ last_seq: 1, unread_count: 1 })], window: { live: true } });
    const { stored } = parley.send(ROOM, "hello");
    const refused = assert.rejects(stored, { code: "signed-out" });
    parley.setDraft(ROOM, "words");
    sockets.last.broadcast(`realtime:conversation:${ROOM}`, "typing:start", { user_id: OTHER });
    await turns();
    assert.equal(shown().length, 2);
    assert.deepEqual(parley.typing(ROOM).getSnapshot(), [OTHER]);
    assert.ok([...storage.items.keys()].some((key) => key.includes(ME)));
    await parley.signOut();
    assert.deepEqual([...storage.items.keys()].filter((key) => key.includes(ME)), []);
    assert.deepEqual([...storage.items].filter(([, value]) => value.includes(ME)), []);
    assert.equal(parley.connection.getSnapshot().status, "closed");
    assert.deepEqual([shown(), parley.outbox.getSnapshot(), parley.conversations().getSnapshot().conversations, parley.typing(ROOM).getSnapshot()], [[], [], [], []]);
    assert.deepEqual([parley.conversation(ROOM).getSnapshot(), parley.unread.getSnapshot().total], [null, 0]);
    assert.ok(sockets.last.closed);
    await refused;
    await clock.tick(60_000);
    assert.deepEqual(clock.pending, []);
    assert.equal(sockets.all.length, 1);
});

test("signing out before the storage is open wipes it, and of an unknown user everybody's", async () => {
    const storage = new FakeStorage();
    const first = await open({ storage });
    first.parley.setDraft(ROOM, "words");
    await turns();
    await first.parley.stop();
    storage.items.set(`parley/server/${OTHER}/o/1`, "{}");
    storage.items.set(`parley/elsewhere/${ME}/o/1`, "{}");
    const of = (user) => [...storage.items.keys()].filter((key) => key.startsWith(`parley/server/${user}/`)).length;
    assert.ok(of(ME) > 0);
    const named = world({ storage, clock: first.clock, userId: ME, autoStart: false });
    await named.parley.signOut();
    assert.deepEqual([of(ME), of(OTHER)], [0, 1]);
    const unknown = world({ storage, clock: first.clock, autoStart: false });
    await unknown.parley.signOut();
    assert.deepEqual([...storage.items.keys()], [`parley/elsewhere/${ME}/o/1`]);
});

test("a storage that failed meanwhile is wiped by signing out", async () => {
    const storage = new FakeStorage();
    const { parley } = await open({ storage });
    storage.broken = true;
    parley.setDraft(ROOM, "words");
    await turns();
    storage.broken = false;
    await parley.signOut();
    assert.deepEqual([...storage.items.keys()], []);
});

test("a refusal after a try without an answer says that it may have arrived", async () => {
    let tries = 0;
    const { parley, shown, clock } = await open({ functions: { send_message: () => (++tries === 1 ? away() : refuse(403, { message: "Removed." })) } });
    const { stored, client_message_id: id } = parley.send(ROOM, "hello");
    await clock.tick(1_100);
    await assert.rejects(stored, { code: "PT403" });
    assert.deepEqual(shown()[0].error, { code: "PT403", message: "Removed.", uncertain: true });
    parley.edit(shown()[0], "other words under the same id");
    await turns();
    assert.equal(parley.outbox.getSnapshot()[0].args.content, "hello", "what may have arrived keeps its words");
    assert.equal(parley.cancel(id), true);
    await parley.stop();
});

test("a message that is refused may be put in other words and sent again", async () => {
    const { parley, shown } = await open({ functions: { send_message: (args) => (args.content === "bad" ? refuse(400) : message(1, { ...args, sender_id: ME })) } });
    await assert.rejects(parley.send(ROOM, "bad").stored);
    await turns();
    parley.edit(shown()[0], "good");
    assert.deepEqual(shown().map((m) => [m.content, m.status]), [["good", "failed"]]);
    parley.retry(shown()[0].pending_id);
    await turns();
    assert.deepEqual(shown().map((m) => [m.content, m.status]), [["good", "sent"]]);
    await parley.stop();
});

test("what one user has not sent is not sent with the token of another", async () => {
    const { parley, storage, make, tokens, server, clock } = await open({ functions: { send_message: away } });
    parley.send(ROOM, "mine").stored.catch(() => {});
    parley.setDraft(ROOM, "a draft of mine");
    await turns();
    await parley.stop();
    const before = server.calls.length;
    // the next page is told that it is the same user's, and its token, which is late, is of another
    tokens.next = async () => {
        await new Promise((resolve) => clock.setTimeout(resolve, 2_000));
        return tokenOf(OTHER, 3600, clock.now());
    };
    const next = make({ storage, userId: ME });
    next.start().catch(() => {});
    await clock.tick(60_000);
    assert.equal(next.userId, ME);
    assert.equal(next.connection.getSnapshot().status, "closed");
    assert.deepEqual(next.outbox.getSnapshot(), []);
    assert.deepEqual(next.conversations().getSnapshot().conversations, []);
    assert.deepEqual(server.calls.slice(before).map(({ name }) => name), []);
    const refused = assert.rejects(next.rpc("get_privacy"), { code: "signed-out", status: 401 });
    await clock.tick(3_000);
    await refused;
    assert.equal(server.calls.length, before);
});

test("nothing that is kept of one user shows before the token says who is here", async () => {
    const { parley, storage, make, tokens, server, clock } = await open({ functions: { send_message: away, sync: (_, { token }) => page(token === tokens.given[0] ? [row()] : []) } });
    parley.send(ROOM, "mine").stored.catch(() => {});
    await turns();
    await parley.stop();
    let here = false;
    tokens.next = () => (here ? tokenOf(OTHER, 3600, clock.now()) : away());
    const next = make({ storage });
    const shown = () => [next.outbox.getSnapshot(), next.conversations().getSnapshot().conversations, next.messages(ROOM).getSnapshot().messages];
    await clock.tick(30_000);
    assert.deepEqual([next.userId, next.connection.getSnapshot().status], [null, "offline"]);
    assert.deepEqual(shown(), [[], [], []]);
    here = true;
    const sends = server.of("send_message").length;
    await clock.tick(60_000);
    assert.equal(next.userId, OTHER);
    assert.deepEqual(shown(), [[], [], []]);
    assert.equal(server.of("send_message").length, sends);
    await next.stop();
});

test("a client that was stopped tries nothing again", async () => {
    const { parley, clock, server } = await open({ functions: { save_draft: away } });
    parley.setDraft(ROOM, "words");
    await turns();
    await parley.stop();
    await clock.tick(10);
    const calls = server.of("save_draft").length;
    await clock.tick(7_200_000);
    assert.equal(server.of("save_draft").length, calls);
    assert.deepEqual(clock.pending, []);
});

test("what ends after signing out is stored no more", async () => {
    let answer;
    const { parley, storage } = await open({
        functions: { send_message: (args) => new Promise((resolve) => (answer = () => resolve(message(1, { ...args, sender_id: ME })))) },
    });
    const { client_message_id: id, stored } = parley.send(ROOM, "hello");
    stored.catch(() => {});
    await turns();
    parley.react(id, "👍");
    await turns();
    await parley.signOut();
    answer();
    await turns();
    assert.deepEqual([...storage.items.keys()].filter((key) => key.includes(ME)), []);
});

test("nothing stays pending when the user signs out, and nothing that comes after it is kept", async () => {
    const never = () => new Promise(() => {});
    const { parley, storage, make, server, clock } = await open({ functions: { send_message: never, search_messages: never, start_conversation: never, start_call: never } });
    const out = { code: "signed-out" };
    const { calls } = parley;
    const sent = () => parley.send(ROOM, "hello").stored;
    const asked = [parley.rpc("search_messages", {}), parley.startConversation({}), parley.settled(), calls.start(ROOM)];
    const before = asked.map((one) => assert.rejects(one, out));
    // it may be on its way, and arrive
    before.push(assert.rejects(sent(), { ...out, message: "Signed out: what was not sent yet is not sent any more." }));
    const elsewhere = make({ storage: new FakeStorage(), token: never, autoStart: false });
    before.push(assert.rejects(elsewhere.start(), out));
    await turns();
    const leaving = [parley.signOut(), elsewhere.signOut()];
    // at once, while the storage is being wiped, and later
    const meanwhile = [assert.rejects(sent(), out)];
    parley.setDraft(ROOM, "words");
    await Promise.all([...before, ...leaving, ...meanwhile]);
    const answered = server.calls.length;
    const later = [parley.rpc("search_messages", {}), parley.settled(), parley.start(), elsewhere.send(ROOM, "x").stored];
    later.push(calls.start(ROOM), calls.accept("call"), calls.decline("call"), calls.hangUp(), elsewhere.calls.start(ROOM));
    await Promise.all(later.map((one) => assert.rejects(one, out)));
    await assert.rejects(sent(), { ...out, message: "Signed out: the message is not sent." });
    for (const change of [() => parley.setDraft(ROOM, "words"), () => parley.markUnread(ROOM), () => parley.updateSettings(ROOM, { is_muted: true })]) change();
    await clock.tick(60_000);
    assert.deepEqual([[...storage.items.keys()], parley.outbox.getSnapshot()], [[], []]);
    assert.equal(server.calls.length, answered);
});

test("a message that waits when another user's token comes stays queued, and says so", async () => {
    let offline = true;
    const functions = { send_message: (args) => (offline ? away() : message(1, { ...args, sender_id: ME })) };
    const { parley, make, tokens, server, clock } = await open({ functions });
    const { stored, client_message_id: id } = parley.send(ROOM, "mine");
    const queued = assert.rejects(stored, { code: "aborted", message: "Stopped: the message stays queued." });
    tokens.next = () => tokenOf(OTHER, 3600, clock.now());
    await clock.tick(3_600_000);
    assert.equal(parley.connection.getSnapshot().status, "closed");
    await queued;
    offline = false;
    tokens.next = () => tokenOf(ME, 3600, clock.now());
    const tries = server.of("send_message").length;
    const next = make();
    await clock.tick(1_000);
    assert.deepEqual(server.of("send_message").slice(tries).map((args) => args.client_message_id), [id]);
    await next.stop();
});

test("a message that waits for the storage when the client ends stays queued, as it says", async () => {
    for (const end of [(parley) => parley.stop(), (parley) => parley.rpc("get_privacy").catch(() => {})]) {
        const storage = new FakeStorage();
        const { getAllKeys } = storage;
        let answer;
        const late = new Promise((resolve) => (answer = resolve));
        storage.getAllKeys = () => late.then(getAllKeys);
        const { parley, make, tokens, server, clock } = world({ storage, userId: ME });
        const queued = assert.rejects(parley.send(ROOM, "mine").stored, { code: "aborted", message: "Stopped: the message stays queued." });
        tokens.next = () => tokenOf(OTHER, 3600, clock.now());
        await turns();
        end(parley);
        await queued;
        answer();
        await turns(60);
        tokens.next = () => tokenOf(ME, 3600, clock.now());
        const next = make();
        await clock.tick(1_000);
        assert.deepEqual(server.of("send_message").map((args) => args.content), ["mine"]);
        await next.stop();
    }
});

test("a message that waits for a token when the user signs out is not sent when that comes", async () => {
    const { parley, tokens, server, clock } = await open({ functions: { send_message: () => refuse(401) } });
    let give;
    tokens.next = () => new Promise((resolve) => (give = () => resolve(tokenOf(ME, 3600, clock.now() + 1_000))));
    const refused = assert.rejects(parley.send(ROOM, "mine").stored, { code: "signed-out" });
    await turns(60);
    const sends = server.of("send_message").length;
    await parley.signOut();
    give();
    await turns(60);
    await refused;
    assert.deepEqual([sends, server.of("send_message").length], [1, 1]);
});

test("what is said after another user's token came is not kept as the first one's", async () => {
    const { parley, storage, tokens, clock } = await open({});
    tokens.next = () => tokenOf(OTHER, 3600, clock.now());
    await clock.tick(3_600_000);
    assert.equal(parley.connection.getSnapshot().status, "closed");
    const held = () => [...storage.items.keys()].filter((key) => /\/[od]\//.test(key));
    const before = held();
    await assert.rejects(parley.send(ROOM, "not Ann's").stored, { code: "signed-out" });
    parley.setDraft(ROOM, "not Ann's");
    await turns();
    assert.deepEqual(held(), before);
});

test("a message that is sent after stop() says that it waits, and goes with the next page", async () => {
    const { parley, storage, clock } = await open({});
    await parley.stop();
    await assert.rejects(parley.send(ROOM, "later").stored, { code: "aborted" });
    await turns();
    const next = await open({ storage, clock });
    await next.clock.tick(100);
    assert.deepEqual(next.server.of("send_message").map((args) => args.content), ["later"]);
    await next.parley.stop();
});

test("what is answered after signing out shows nothing, and nothing more is asked", async () => {
    const answers = [];
    const late = (result) => () => new Promise((resolve) => answers.push(() => resolve(result)));
    let slow = false;
    const rows = [row({ last_seq: 1, unread_count: 1 })];
    const pages = late({ messages: [message(1)], has_more_before: false, has_more_after: false, last_seq: 1 });
    const { parley, shown, clock, server } = await open({
        rows,
        functions: { get_conversation_messages: pages, sync: () => (slow ? late(page(rows))() : page(rows)), search_messages: late({ messages: [] }) },
    });
    slow = true;
    parley.startConversation({}).catch(() => {});
    const search = assert.rejects(parley.api.search_messages({ query: "text" }), { code: "signed-out" });
    parley.reconnect();
    await turns();
    await parley.signOut();
    const calls = server.calls.length;
    for (const answer of answers) answer();
    await turns(60);
    await search;
    await assert.rejects(parley.api.search_messages({ query: "text" }), { code: "signed-out" });
    await clock.tick(60_000);
    assert.deepEqual([shown(), parley.conversations().getSnapshot().conversations, clock.pending], [[], [], []]);
    assert.equal(server.calls.length, calls);
});

test("a client that was stopped asks for no page again that could not be loaded", async () => {
    let fail;
    const { parley, clock, server } = await open({ functions: { get_conversation_messages: () => new Promise((_, reject) => (fail = reject)) } });
    await parley.stop();
    fail(new Error("fetch failed"));
    await clock.tick(60_000);
    assert.equal(server.of("get_conversation_messages").length, 1);
    assert.deepEqual(clock.pending, []);
});

test("what waits for its turn when the client stops is not sent", async () => {
    const answers = [];
    const { parley, server } = await open({ functions: { send_message: (args) => new Promise((resolve) => answers.push(() => resolve(message(1, { ...args, sender_id: ME })))) } });
    for (let n = 0; n < 6; n++) parley.send(`${ROOM.slice(0, -1)}${n}`, "hello").stored.catch(() => {});
    await turns(60);
    const sent = server.of("send_message").length;
    await parley.stop();
    for (const answer of answers) answer();
    await turns(60);
    assert.deepEqual([sent, server.of("send_message").length], [4, 4]);
});
