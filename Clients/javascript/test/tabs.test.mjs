// Many tabs of one user: one socket, one sender, and whatever the leader's death leaves undone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, FakeStorage, ME, OTHER, ROOM, fakeSockets, message, page, row, turns } from "./fakes.mjs";
import { contents, world } from "./setup.mjs";

/** Web Locks and BroadcastChannels that the tabs of a test share. */
function browser() {
    // who has each lock, and who waits for it
    const queues = new Map();
    const channels = new Set();
    const grant = (name) => {
        const [lock] = queues.get(name);
        if (!lock || lock.granted) return;
        lock.granted = true;
        setImmediate(() => lock.action({}).then((value) => {
            const queue = queues.get(name);
            if (queue[0] !== lock) return;
            queue.shift();
            lock.resolve(value);
            grant(name);
        }));
    };
    return {
        tab() {
            let frozen = false;
            const late = [];
            const own = {
                get frozen() {
                    return frozen;
                },
                set frozen(value) {
                    frozen = value;
                    if (!value) for (const action of late.splice(0)) action();
                },
            };
            own.locks = {
                request: (name, options, action) => new Promise((resolve, reject) => {
                    if (!queues.has(name)) queues.set(name, []);
                    const queue = queues.get(name);
                    // a frozen tab hears that it was robbed when it wakes up
                    const robbed = () => (own.frozen ? late.push(robbed) : reject(new Error("AbortError")));
                    const lock = { own, action, resolve, robbed };
                    if (options.steal) {
                        queue.shift()?.robbed();
                        queue.unshift(lock);
                    } else queue.push(lock);
                    grant(name);
                }),
            };
            own.channel = (name) => {
                const channel = {
                    name,
                    onmessage: null,
                    postMessage: (data) => {
                        if (!channels.has(channel)) throw new Error("InvalidStateError");
                        if (own.frozen) return;
                        for (const other of channels) if (other !== channel && other.name === name) setImmediate(() => other.own.frozen || other.onmessage?.({ data: structuredClone(data) }));
                    },
                    close: () => channels.delete(channel),
                    own,
                };
                channels.add(channel);
                return channel;
            };
            const listeners = [];
            const addEventListener = (event, listener) => listeners.push([event, listener]);
            const document = { visibilityState: "visible", addEventListener };
            own.page = { document, addEventListener };
            own.tell = async (event) => {
                for (const [name, listener] of listeners) if (name === event) listener();
                await turns();
            };
            own.hide = (hidden) => {
                document.visibilityState = hidden ? "hidden" : "visible";
                return own.tell("visibilitychange");
            };
            own.die = () => {
                own.frozen = true;
                for (const [name, queue] of queues) {
                    queues.set(name, queue.filter((lock) => lock.own !== own));
                    grant(name);
                }
            };
            return own;
        },
    };
}

async function twoTabs(options = {}) {
    const shared = browser();
    const [one, two] = [shared.tab(), shared.tab()];
    const storage = new FakeStorage();
    const clock = new FakeClock();
    const make = (tab) => world({ clock, storage, locks: tab.locks, channel: tab.channel, page: tab.page, sockets: fakeSockets(), ...options });
    const a = make(one);
    await a.parley.start();
    await turns(60);
    const b = make(two);
    await b.parley.start();
    await turns(60);
    return { shared, one, two, a, b, clock, storage, make };
}

const leads = (...all) => all.map(({ parley }) => parley.connection.getSnapshot().leader);
const stopAll = (...all) => Promise.all(all.map(({ parley }) => parley.stop()));

/** What the server says of who is in the conversation. */
const arrive = async ({ sockets }, user) => {
    sockets.last.receive([null, null, `realtime:conversation:${ROOM}`, "presence_state", { x: { metas: [{ phx_ref: "1", user_id: user }] } }]);
    await turns();
};

test("the tabs of a user share one socket, and what it brings shows in all of them", async () => {
    const { a, b } = await twoTabs({ rows: [row()] });
    assert.deepEqual([a.parley.connection.getSnapshot().leader, b.parley.connection.getSnapshot().leader], [true, false]);
    assert.equal(b.parley.connection.getSnapshot().status, "online");
    assert.equal(b.sockets.all.length, 0);
    const notified = [];
    for (const tab of [a, b]) tab.parley.on("message", ({ notify }) => notified.push([tab === a, notify]));
    a.sockets.last.broadcast(`realtime:user:${ME}`, "message:new", { conversation_id: ROOM, event_seq: 2, at: "2026-01-01T00:00:02+00:00", message: message(1) });
    await turns();
    for (const tab of [a, b]) assert.equal(tab.parley.unread.getSnapshot().total, 1);
    assert.deepEqual(notified, [[true, true], [false, false]], "one tab alone shows the notification");
    await a.parley.stop();
    await b.parley.stop();
});

test("what a follower sends goes by the leader, once, and shows in both as sent", async () => {
    const { a, b } = await twoTabs();
    const views = [a, b].map((tab) => tab.parley.messages(ROOM, { live: false }));
    await turns(60);
    const { stored } = b.parley.send(ROOM, "hello");
    assert.equal((await stored).seq, 1);
    await turns();
    assert.deepEqual([a.server.of("send_message").length, b.server.of("send_message").length], [1, 0]);
    for (const view of views) assert.deepEqual(contents(view.getSnapshot().messages), ["hello"]);
    for (const tab of [a, b]) assert.deepEqual(tab.parley.outbox.getSnapshot(), []);
    await a.parley.stop();
    await b.parley.stop();
});

test("what a follower changes in a message that the leader begins to send goes after it, as an edit", async () => {
    let answer;
    const { a, b } = await twoTabs({
        functions: {
            send_message: (args) => new Promise((resolve) => (answer = () => resolve(message(1, { ...args, id: "stored", sender_id: ME })))),
            edit_message: ({ content }) => message(1, { id: "stored", content, sender_id: ME }),
        },
    });
    const { client_message_id: id } = b.parley.send(ROOM, "old");
    while (a.parley.outbox.getSnapshot()[0]?.state !== "sending") await turns(1);
    assert.equal(b.parley.outbox.getSnapshot()[0].tried, false, "the follower has not heard of it yet");
    b.parley.edit(id, "new");
    await turns();
    answer();
    await turns(60);
    assert.deepEqual(a.server.of("send_message").map(({ content }) => content), ["old"]);
    assert.deepEqual([...a.server.of("edit_message"), ...b.server.of("edit_message")], [{ message_id: "stored", content: "new" }]);
    for (const { parley } of [a, b]) {
        assert.deepEqual(parley.outbox.getSnapshot(), []);
        await parley.stop();
    }
});

test("what a follower changes in a message that still waits goes out as it was changed", async () => {
    let online = false;
    const { a, b, clock } = await twoTabs({ functions: { send_message: (args) => (online ? message(args.content === "first" ? 1 : 2, { ...args, sender_id: ME }) : Promise.reject(new Error("fetch failed"))) } });
    b.parley.send(ROOM, "first");
    const { client_message_id: id } = b.parley.send(ROOM, "old");
    await turns();
    b.parley.edit(id, "new");
    await turns();
    online = true;
    await clock.tick(5_000);
    assert.deepEqual(a.server.of("send_message").map(({ content }) => content).slice(-2), ["first", "new"]);
    assert.equal(a.server.of("edit_message").length, 0);
    for (const { parley } of [a, b]) {
        assert.deepEqual(parley.outbox.getSnapshot(), []);
        await parley.stop();
    }
});

test("when the leader dies another tab leads at once, syncs, and sends what was left", async () => {
    let dead = false;
    const { one, a, b, clock } = await twoTabs({ functions: { send_message: (args) => (dead ? message(1, { ...args, sender_id: ME }) : new Promise(() => {})) } });
    const { stored } = b.parley.send(ROOM, "hello");
    await turns();
    assert.equal(a.server.of("send_message").length, 1);
    const syncs = b.server.of("sync").length;
    dead = true;
    one.die();
    await clock.tick(100);
    await turns(60);
    assert.equal(b.parley.connection.getSnapshot().leader, true);
    assert.equal(b.sockets.all.length, 1);
    assert.ok(b.server.of("sync").length > syncs, "what the dead one had not passed on is asked for");
    assert.equal((await stored).seq, 1);
    assert.equal(b.server.of("send_message")[0].client_message_id, a.server.of("send_message")[0].client_message_id);
    await b.parley.stop();
});

test("a leader that is frozen is replaced by a visible tab, and follows when it wakes up", async () => {
    const { one, a, b, clock } = await twoTabs();
    one.frozen = true;
    await clock.tick(60_000);
    await turns(60);
    assert.equal(b.parley.connection.getSnapshot().leader, true);
    one.frozen = false;
    await turns(60);
    assert.equal(a.parley.connection.getSnapshot().leader, false);
    assert.ok(a.sockets.last.closed, "one socket");
    await a.parley.stop();
    await b.parley.stop();
});

test("a leader that is frozen is replaced also where several tabs follow it, and what waits is sent", async () => {
    const { shared, one, a, b, clock, make } = await twoTabs();
    const c = make(shared.tab());
    await c.parley.start();
    await turns(60);
    one.frozen = true;
    b.parley.send(ROOM, "hello");
    await clock.tick(100_000);
    assert.deepEqual(leads(b, c).filter(Boolean).length, 1);
    assert.equal(b.server.of("send_message").length + c.server.of("send_message").length, 1);
    for (const { parley } of [b, c]) assert.deepEqual(parley.outbox.getSnapshot(), []);
    await stopAll(a, b, c);
});

test("a tab that opens later is told who is there", async () => {
    const { shared, a, b, make } = await twoTabs();
    a.parley.messages(ROOM);
    await turns(60);
    await arrive(a, OTHER);
    const c = make(shared.tab());
    await c.parley.start();
    c.parley.messages(ROOM);
    await turns(60);
    assert.deepEqual(c.parley.presence(ROOM).getSnapshot(), [OTHER]);
    await stopAll(a, b, c);
});

test("a leader that wakes up after it was replaced learns who is there, and sends nobody away", async () => {
    const { shared, one, a, b, clock, make } = await twoTabs();
    a.parley.messages(ROOM);
    await turns(60);
    await arrive(a, OTHER);
    one.frozen = true;
    await clock.tick(80_000);
    const c = make(shared.tab());
    await c.parley.start();
    const shown = [];
    c.parley.messages(ROOM);
    await turns(60);
    await arrive(b, OTHER);
    const { subscribe, getSnapshot } = c.parley.presence(ROOM);
    subscribe(() => shown.push(getSnapshot().length));
    one.frozen = false;
    await turns(60);
    assert.deepEqual(leads(a, b, c), [false, true, false]);
    assert.equal(shown.includes(0), false);
    for (const { parley } of [a, b, c]) assert.deepEqual(parley.presence(ROOM).getSnapshot(), [OTHER]);
    await stopAll(a, b, c);
});

test("tabs of two releases do not listen to each other, and each release has a leader", async () => {
    const { shared, a, b } = await twoTabs();
    const other = shared.tab();
    const name = `parley/server/${ME}`;
    other.locks.request(name, {}, () => new Promise(() => {}));
    const channel = other.channel(name);
    const heard = [];
    channel.onmessage = ({ data }) => heard.push(data);
    channel.postMessage({ t: "status", status: "in words of its own", from: "other" });
    await turns();
    b.parley.send(ROOM, "hello");
    await turns(60);
    assert.deepEqual([...leads(a, b), b.parley.connection.getSnapshot().status, heard.length], [true, false, "online", 0]);
    await stopAll(a, b);
});

test("a follower sees a gap by itself and repairs it", async () => {
    const { a, b } = await twoTabs({ functions: { get_events: () => ({ events: [{ event: "message:new", payload: { conversation_id: ROOM, event_seq: 2, message: message(1) } }], gap: null, to: 3, has_more: false, last_event_seq: 3 }) } });
    const topic = `realtime:user:${ME}`;
    // the first one does not reach the follower
    b.parley.messages(ROOM, { live: false });
    await turns(60);
    a.sockets.last.broadcast(topic, "message:new", { conversation_id: ROOM, event_seq: 3, message: message(2) });
    await turns(60);
    assert.equal(b.server.of("get_events").length, 1);
    assert.equal(b.parley.conversations().getSnapshot().conversations[0].unread_count >= 1, true);
    await a.parley.stop();
    await b.parley.stop();
});

test("typing of a follower goes by the leader, which joins what the follower looks at", async () => {
    const { a, b, clock } = await twoTabs();
    const view = b.parley.messages(ROOM);
    await turns(60);
    assert.ok(a.sockets.last.of("phx_join").some((frame) => frame[2] === `realtime:conversation:${ROOM}`));
    b.parley.setTyping(ROOM);
    await clock.tick(400);
    assert.deepEqual(a.sockets.last.said("typing").map(({ event }) => event), ["typing:start"]);
    a.sockets.last.broadcast(`realtime:conversation:${ROOM}`, "typing:start", { conversation_id: ROOM, user_id: OTHER });
    await turns();
    assert.deepEqual(b.parley.typing(ROOM).getSnapshot(), [OTHER]);
    view.close();
    await turns();
    assert.ok(a.sockets.last.of("phx_leave").length > 0);
    await a.parley.stop();
    await b.parley.stop();
});

for (const event of ["online", "pageshow", "focus", "visibilitychange"]) {
    test(`a page that hears ${event} finds a dead connection within 5 s, and what came meanwhile shows`, async () => {
        const { one, two, a, b, clock } = await twoTabs({ rows: [row()] });
        for (const tab of [one, two]) {
            await clock.tick(1_000);
            a.sockets.last.beats = false;
            const [sockets, syncs] = [a.sockets.all.length, a.server.of("sync").length];
            await tab.tell(event);
            await clock.tick(8_000);
            await turns(60);
            assert.equal(a.sockets.all.length, sockets + 1, "also when a follower hears it");
            assert.ok(a.server.of("sync").length > syncs);
            assert.deepEqual([a, b].map(({ parley }) => parley.connection.getSnapshot().status), ["online", "online"]);
        }
        await a.parley.stop();
        await b.parley.stop();
    });
}

test("of many tabs one tells to notify", async () => {
    const { a, b } = await twoTabs({ rows: [row()] });
    const notified = [];
    for (const { parley } of [a, b]) parley.on("message", ({ notify }) => notified.push(notify));
    a.sockets.last.broadcast(`realtime:user:${ME}`, "message:new", { conversation_id: ROOM, event_seq: 2, message: message(1) });
    await turns(60);
    assert.deepEqual(notified.sort(), [false, true]);
    await a.parley.stop();
    await b.parley.stop();
});

test("a hidden leader gives its socket to a tab that is seen, after 15 s, and follows", async () => {
    const { one, two, a, b, clock } = await twoTabs({ rows: [row()] });
    await one.hide(true);
    await clock.tick(10_000);
    await one.hide(false);
    await clock.tick(60_000);
    assert.equal(a.parley.connection.getSnapshot().leader, true, "a short look elsewhere changes nothing");
    await two.hide(true);
    await one.hide(true);
    await clock.tick(60_000);
    assert.equal(a.parley.connection.getSnapshot().leader, true, "nobody is seen");
    await two.hide(false);
    await clock.tick(1_000);
    await turns(60);
    assert.deepEqual([a.parley.connection.getSnapshot().leader, b.parley.connection.getSnapshot().leader], [false, true]);
    assert.ok(a.sockets.last.closed, "one socket");
    assert.equal(a.parley.connection.getSnapshot().status, "online");
    b.sockets.last.broadcast(`realtime:user:${ME}`, "message:new", { conversation_id: ROOM, event_seq: 2, message: message(1) });
    await turns(60);
    assert.equal(a.parley.unread.getSnapshot().total, 1, "what the new leader hears shows in the hidden one");
    await a.parley.stop();
    await b.parley.stop();
});

test("signing out in one tab ends the others and leaves nothing stored", async () => {
    const { a, b, storage } = await twoTabs();
    const out = [];
    b.parley.on("signed-out", ({ reason }) => out.push(reason));
    await a.parley.signOut();
    await turns();
    assert.equal(out.length, 1);
    for (const { parley } of [a, b]) {
        assert.equal(parley.connection.getSnapshot().status, "closed");
        assert.deepEqual(parley.conversations().getSnapshot().conversations, []);
    }
    assert.deepEqual([...storage.items.keys()].filter((key) => key.includes(ME)), []);
});

test("without Web Locks each tab has a socket and a queue of its own, and the server stores once", async () => {
    const storage = new FakeStorage();
    const clock = new FakeClock();
    const a = world({ clock, storage });
    await a.parley.start();
    await turns(60);
    const b = world({ clock, storage });
    await b.parley.start();
    await turns(60);
    assert.deepEqual([a, b].map((tab) => tab.parley.connection.getSnapshot().leader), [true, true]);
    assert.equal((await a.parley.send(ROOM, "a").stored).content, "a");
    await a.parley.stop();
    await b.parley.stop();
});

test("a tab that opens while an entry ends learns of the end from the leader", async () => {
    let answer;
    const { a, b, clock, make, shared } = await twoTabs({ functions: { send_message: (args) => new Promise((resolve) => (answer = () => resolve(message(1, { ...args, sender_id: ME })))) } });
    a.parley.send(ROOM, "hello");
    await turns();
    // the third has read the storage, and hears nothing yet
    const tab = shared.tab();
    tab.frozen = true;
    const c = make(tab);
    await c.parley.start();
    await turns();
    assert.equal(c.parley.outbox.getSnapshot().length, 1);
    answer();
    await turns();
    assert.equal(a.parley.outbox.getSnapshot().length, 0);
    tab.frozen = false;
    await clock.tick(21_000);
    assert.deepEqual(c.parley.outbox.getSnapshot(), []);
    for (const one of [a, b, c]) await one.parley.stop();
});

test("a tab that opens while another sends shows what is not sent, as the other does", async () => {
    const { a, b, clock, make, shared } = await twoTabs({ functions: { send_message: () => Promise.reject({ status: 403, code: "PT403", message: "You are not in it." }) } });
    // the third has read the storage, and hears nothing yet
    const tab = shared.tab();
    tab.frozen = true;
    const c = make(tab);
    await c.parley.start();
    a.parley.send(ROOM, "hello");
    await turns(60);
    assert.deepEqual(c.parley.outbox.getSnapshot(), []);
    tab.frozen = false;
    await clock.tick(21_000);
    await turns(60);
    assert.equal(a.parley.outbox.getSnapshot()[0].state, "failed");
    assert.deepEqual(c.parley.outbox.getSnapshot(), a.parley.outbox.getSnapshot());
    for (const one of [a, b, c]) await one.parley.stop();
});

test("what a follower has kept of a message that was sent meanwhile is kept no longer", async () => {
    let answer;
    const { two, a, b, clock, storage } = await twoTabs({ functions: { send_message: (args) => new Promise((resolve) => (answer = () => resolve(message(1, { ...args, sender_id: ME })))) } });
    const { client_message_id: id } = b.parley.send(ROOM, "old");
    while (a.parley.outbox.getSnapshot()[0]?.state !== "sending") await turns(1);
    two.frozen = true;
    answer();
    await turns(60);
    assert.equal(b.parley.outbox.getSnapshot()[0].tried, false, "it has not heard of the end");
    b.parley.edit(id, "new");
    await turns(60);
    assert.equal([...storage.items.keys()].filter((key) => key.includes("/o/")).length, 1);
    two.frozen = false;
    await clock.tick(21_000);
    await turns(60);
    assert.deepEqual([...storage.items.keys()].filter((key) => key.includes("/o/")), []);
    for (const one of [a, b]) await one.parley.stop();
});

test("a tab that takes over stores what it has learnt as a follower", async () => {
    let rows = [row()];
    let cursor = 0;
    const { one, a, b, clock, storage } = await twoTabs({ functions: { delete_conversation: () => ({}), sync: () => page(rows, { cursor: `c${(cursor += 1)}` }) } });
    // the follower alone learns of the message, and the next sync has nothing of it any more
    one.frozen = true;
    rows = [row({ last_seq: 1, last_event_seq: 2, unread_count: 1 })];
    await b.parley.deleteConversation(ROOM); // which syncs
    rows = [];
    await clock.tick(60_000);
    await turns(60);
    assert.equal(b.parley.connection.getSnapshot().leader, true);
    const stored = JSON.parse(storage.items.get(`parley/server/${ME}/c/${ROOM}`));
    assert.equal(stored.last_event_seq, 2);
    for (const tab of [a, b]) await tab.parley.stop();
});
