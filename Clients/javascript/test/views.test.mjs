// Windows on the messages, and what is told in batches.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ME, OTHER, ROOM, history, message, page, row, turns } from "./fakes.mjs";
import { contents, open, world } from "./setup.mjs";

const many = (count) => Array.from({ length: count }, (_, n) => message(n + 1));
const seqs = (messages) => messages.map(({ seq }) => seq);
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

test("a window opens at the newest page and grows to the beginning, a page at a time", async () => {
    const { parley, view, shown, server } = await open({ messages: many(120), rows: [row({ last_seq: 120 })] });
    assert.deepEqual(seqs(shown()), range(71, 120));
    assert.deepEqual([view.getSnapshot().hasOlder, view.getSnapshot().hasNewer], [true, false]);
    const both = [view.loadOlder(), view.loadOlder()];
    await Promise.resolve();
    assert.equal(view.getSnapshot().loadingOlder, true);
    await Promise.all(both);
    assert.deepEqual(seqs(shown()), range(21, 120), "asked for twice, loaded once");
    await view.loadOlder();
    assert.deepEqual(seqs(shown()), range(1, 120));
    assert.equal(view.getSnapshot().hasOlder, false);
    await view.loadOlder();
    await turns();
    assert.equal(server.of("get_conversation_messages").length, 3, "never all history by itself");
    await parley.stop();
});

test("a jump loads around its target in one step, however far, and shows what it had until then", async () => {
    const { parley, view, shown, server } = await open({ messages: many(5_000), rows: [row({ last_seq: 5_000 })] });
    let empty = false;
    view.subscribe(() => (empty ||= shown().length === 0));
    const before = server.of("get_conversation_messages").length;
    await view.jumpTo(1_000);
    assert.deepEqual(seqs(shown()), range(976, 1025));
    assert.equal(view.getSnapshot().target, "message-1000");
    assert.equal(server.of("get_conversation_messages").length, before + 1);
    assert.deepEqual([view.getSnapshot().hasOlder, view.getSnapshot().hasNewer], [true, true]);
    await view.jumpTo("message-990");
    assert.equal(server.of("get_conversation_messages").length, before + 1, "it is there already");
    await view.loadNewer();
    assert.deepEqual(seqs(shown()), range(976, 1075));
    await view.jumpToNewest();
    assert.deepEqual(seqs(shown()), range(4_951, 5_000));
    assert.equal(empty, false);
    await parley.stop();
});

test("what arrives at the end does not change a window further up, and is there when it reaches the end", async () => {
    const { parley, view, shown, live, state } = await open({ messages: many(200), rows: [row({ last_seq: 200 })] });
    await view.jumpTo(100);
    const before = shown();
    state.messages.push(message(201));
    await live("message:new", { event_seq: 2, message: message(201) });
    assert.deepEqual(shown(), before);
    while (view.getSnapshot().hasNewer) await view.loadNewer();
    assert.equal(shown().at(-1).seq, 201);
    await live("message:new", { event_seq: 3, message: message(202) });
    assert.equal(shown().at(-1).seq, 202);
    await parley.stop();
});

test("the line of the unread is where it was when the window opened, for 7 and for 80 unread", async () => {
    for (const unread of [7, 80]) {
        const last = 200;
        const { parley, view, shown, live } = await open({
            messages: many(last), window: { around: "unread" },
            rows: [row({ last_seq: last, unread_count: unread, me: { last_read_seq: last - unread } })],
        });
        assert.equal(view.getSnapshot().unreadAfterSeq, last - unread);
        assert.ok(seqs(shown()).includes(last - unread) && seqs(shown()).includes(last - unread + 1), "both sides of it are there");
        await live("message:read", { event_seq: 2, user_id: ME, last_read_seq: last, read_at: "2026-01-01T00:00:05+00:00" });
        assert.equal(view.getSnapshot().unreadAfterSeq, last - unread);
        await parley.stop();
    }
});

test("a page that was cut off shows its error, and comes when the connection is back", async () => {
    let broken = true;
    const { parley, view, sockets, shown } = await open({
        rows: [row({ last_seq: 3 })],
        functions: { get_conversation_messages: () => (broken ? Promise.reject(new Error("fetch failed")) : { messages: many(3), has_more_before: false, has_more_after: false, last_seq: 3, last_read_seq: 0 }) },
    });
    assert.equal(view.getSnapshot().error.code, "network");
    broken = false;
    sockets.last.drop();
    parley.reconnect();
    await turns(80);
    assert.deepEqual(seqs(shown()), [1, 2, 3]);
    assert.equal(view.getSnapshot().error, null);
    await parley.stop();
});

test("an event that comes while a page is on its way is not undone by the page", async () => {
    let answer;
    const { parley, view, shown, live, clock } = await open({
        rows: [row({ last_seq: 1 })],
        functions: { get_conversation_messages: () => new Promise((resolve) => (answer = resolve)) },
    });
    const old = { messages: many(1), has_more_before: false, has_more_after: false, last_seq: 1, last_read_seq: 0 };
    answer(old);
    await turns();
    view.reload();
    await turns();
    const slow = answer;
    await live("message:updated", { event_seq: 2, message: { ...message(1), content: "edited" } });
    slow(old);
    await turns();
    assert.deepEqual(contents(shown()), ["edited"]);
    await clock.tick(200);
    answer({ ...old, messages: [{ ...message(1), content: "edited" }] });
    await turns();
    assert.deepEqual(contents(shown()), ["edited"]);
    await parley.stop();
});

test("a closed window hears nothing and keeps nothing", async () => {
    const { parley, view, live, sockets } = await open({ messages: many(3), rows: [row({ last_seq: 3 })], window: { live: true } });
    assert.ok(sockets.last.of("phx_join").some((frame) => frame[2] === `realtime:conversation:${ROOM}`));
    view.close();
    await turns();
    assert.ok(sockets.last.of("phx_leave").some((frame) => frame[2] === `realtime:conversation:${ROOM}`));
    await live("message:new", { event_seq: 2, message: message(4) });
    const again = parley.messages(ROOM, { live: false });
    await turns(60);
    assert.deepEqual(seqs(again.getSnapshot().messages), [1, 2, 3], "as the server answers, with nothing left over");
    await parley.stop();
});

test("reading is told after 2 s, or at once when 10 messages have been read, and never twice", async () => {
    const { parley, clock, server } = await open({ messages: many(40), rows: [row({ last_seq: 40, unread_count: 40 })] });
    parley.markRead(ROOM, 3);
    parley.markRead(ROOM, 5);
    parley.markRead(ROOM, 4);
    assert.equal(parley.conversation(ROOM).getSnapshot().me.last_read_seq, 5, "it shows at once");
    await clock.tick(1_900);
    assert.deepEqual(server.of("mark_as_read"), []);
    await clock.tick(200);
    assert.deepEqual(server.of("mark_as_read").map(({ seq }) => seq), [5]);
    parley.markRead(ROOM, 15);
    await turns();
    assert.deepEqual(server.of("mark_as_read").map(({ seq }) => seq), [5, 15]);
    parley.markRead(ROOM, 15);
    await clock.tick(5_000);
    assert.equal(server.of("mark_as_read").length, 2);
    await parley.stop();
});

test("reading that could not be told is told later, after a reload as well", async () => {
    let broken = true;
    const first = await open({
        messages: many(3), rows: [row({ last_seq: 3, unread_count: 3 })],
        functions: { mark_as_read: () => (broken ? Promise.reject(new Error("fetch failed")) : {}) },
    });
    first.parley.markRead(ROOM);
    assert.equal(first.parley.unread.getSnapshot().total, 0);
    await first.clock.tick(2_100);
    await first.parley.stop();
    broken = false;
    const next = await open({ storage: first.storage, clock: first.clock, messages: many(3), rows: [row({ last_seq: 3, unread_count: 3 })] });
    assert.equal(next.parley.unread.getSnapshot().total, 0, "still read here");
    await next.clock.tick(2_100);
    assert.deepEqual(next.server.of("mark_as_read"), [{ conversation_id: ROOM, seq: 3 }]);
    await next.parley.stop();
});

test("that messages have arrived is told in batches, by the leader, and not of requests", async () => {
    const { parley, live, clock, server } = await open();
    for (let n = 1; n <= 3; n++) await live("message:new", { event_seq: n + 1, message: message(n) });
    await clock.tick(2_100);
    assert.deepEqual(server.of("mark_as_delivered"), [{ conversation_id: ROOM, seq: 3 }]);
    await parley.stop();
    const quiet = await open({ delivered: false });
    await quiet.live("message:new", { event_seq: 2, message: message(1) });
    await quiet.clock.tick(3_000);
    assert.deepEqual(quiet.server.of("mark_as_delivered"), []);
    await quiet.parley.stop();
});

test("typing is told after 300 ms, then once a second, and its end by itself", async () => {
    const { parley, clock, sockets } = await open({ window: { live: true } });
    const told = () => sockets.last.said("typing").map(({ event }) => event);
    parley.setTyping(ROOM);
    await clock.tick(250);
    assert.deepEqual(told(), []);
    await clock.tick(100);
    assert.deepEqual(told(), ["typing:start"]);
    for (let n = 0; n < 20; n++) {
        parley.setTyping(ROOM);
        await clock.tick(100);
    }
    assert.deepEqual(told(), ["typing:start", "typing:start", "typing:start"]);
    await clock.tick(3_100);
    assert.equal(told().at(-1), "typing:stop");
    const count = told().length;
    await clock.tick(20_000);
    assert.equal(told().length, count);
    await parley.stop();
});

test("a word that is begun and sent at once tells no typing, and offline it is dropped", async () => {
    const { parley, clock, sockets } = await open({ window: { live: true } });
    parley.setTyping(ROOM);
    parley.setTyping(ROOM, false);
    await clock.tick(2_000);
    assert.deepEqual(sockets.last.said("typing"), []);
    sockets.last.drop();
    parley.setTyping(ROOM);
    await clock.tick(700);
    await clock.tick(5_000);
    assert.ok(sockets.last.said("typing").every(({ event }) => event === "typing:stop"), "what was typed meanwhile is over");
    await parley.stop();
});

test("which conversation is looked at is told at once, every 15 s, and its end", async () => {
    const { parley, clock, sockets, topic, view } = await open({ window: { live: true } });
    const told = () => sockets.last.said("focus:set").map(({ payload }) => [payload.conversation_id, payload.active]);
    assert.deepEqual(told(), [[ROOM, true]]);
    assert.equal(sockets.last.said("focus:set")[0].topic, topic);
    await clock.tick(31_000);
    assert.deepEqual(told(), [[ROOM, true], [ROOM, true], [ROOM, true]]);
    view.close();
    await turns();
    assert.deepEqual(told().at(-1), [null, false]);
    await clock.tick(60_000);
    assert.equal(told().length, 4);
    await parley.stop();
});

test("who types is shown until they stop, send, or are silent", async () => {
    const { parley, clock, sockets, live } = await open({ window: { live: true } });
    const topic = `realtime:conversation:${ROOM}`;
    const typing = () => parley.typing(ROOM).getSnapshot();
    const hear = async (event, user) => {
        sockets.last.broadcast(topic, event, { conversation_id: ROOM, user_id: user });
        await turns();
    };
    await hear("typing:start", OTHER);
    await hear("typing:start", ME);
    assert.deepEqual(typing(), [OTHER]);
    await hear("typing:stop", OTHER);
    assert.deepEqual(typing(), []);
    await hear("typing:start", OTHER);
    await live("message:new", { event_seq: 2, message: message(1) });
    assert.deepEqual(typing(), []);
    await hear("typing:start", OTHER);
    await clock.tick(7_000);
    assert.deepEqual(typing(), []);
    await parley.stop();
});

test("presence follows its state and its differences", async () => {
    const { parley, sockets } = await open({ window: { live: true } });
    const topic = `realtime:conversation:${ROOM}`;
    const meta = (user, ref) => ({ metas: [{ phx_ref: ref, user_id: user }] });
    const present = () => parley.presence(ROOM).getSnapshot();
    sockets.last.receive([null, null, topic, "presence_state", { [ME]: meta(ME, "1") }]);
    sockets.last.receive([null, null, topic, "presence_diff", { joins: { [OTHER]: meta(OTHER, "2") }, leaves: {} }]);
    sockets.last.receive([null, null, topic, "presence_diff", { joins: { [OTHER]: meta(OTHER, "3") }, leaves: { [OTHER]: meta(OTHER, "2") } }]);
    assert.deepEqual(present(), [ME, OTHER]);
    sockets.last.receive([null, null, topic, "presence_diff", { joins: {}, leaves: { [OTHER]: meta(OTHER, "3") } }]);
    assert.deepEqual(present(), [ME]);
    sockets.last.drop();
    assert.deepEqual(present(), []);
    await parley.stop();
});

test("drafts go out every 2 s at most, the newest only", async () => {
    const { parley, clock, server } = await open();
    for (const text of ["h", "he", "hel"]) parley.setDraft(ROOM, text);
    await clock.tick(2_100);
    parley.setDraft(ROOM, null);
    await clock.tick(2_100);
    assert.deepEqual(server.of("save_draft").map(({ content }) => content), ["hel", undefined]);
    await parley.stop();
});

test("a new message is told to the application once, with whether to notify", async () => {
    const { parley, live, state } = await open();
    const told = [];
    parley.on("message", ({ message: { seq }, notify }) => told.push([seq, notify]));
    await live("message:new", { event_seq: 2, message: message(1) });
    await live("message:new", { event_seq: 2, message: message(1) });
    await live("message:new", { event_seq: 3, message: message(2, { sender_id: ME }) });
    await live("participant:updated", { settings: { ...state.rows[0].me, notification_level: "mentions" } });
    await live("message:new", { event_seq: 4, message: message(3) });
    await live("message:new", { event_seq: 5, message: message(4, { mentions: [ME] }) });
    assert.deepEqual(told, [[1, true], [3, false], [4, true]]);
    await parley.stop();
});

test("an older page that was cut off is asked for again, and what one reads stays", async () => {
    let broken = false;
    const all = many(300);
    const { parley, view, shown, sockets } = await open({
        messages: all, rows: [row({ last_seq: 300 })],
        functions: { get_conversation_messages: (args) => (broken ? Promise.reject(new Error("fetch failed")) : history(all, args)) },
    });
    await view.loadOlder();
    broken = true;
    await assert.rejects(view.loadOlder(), { code: "network" });
    assert.equal(view.getSnapshot().error.code, "network");
    broken = false;
    sockets.last.drop();
    parley.reconnect();
    await turns(80);
    assert.deepEqual(seqs(shown()), range(201, 300));
    assert.equal(view.getSnapshot().error, null);
    await view.loadOlder();
    assert.deepEqual(seqs(shown()), range(151, 300));
    view.reload();
    await turns(60);
    assert.deepEqual(seqs(shown()), range(201, 300), "afresh, as many as the server gives at a time");
    await parley.stop();
});

test("a window that is opened before the inbox is there misses nothing of what came meanwhile", async () => {
    let answer;
    const all = many(5);
    const { parley, sockets, state } = world({ messages: all, functions: { sync: () => new Promise((resolve) => (answer = resolve)) } });
    await parley.start();
    const view = parley.messages(ROOM, { live: false });
    await turns(60);
    assert.deepEqual(seqs(view.getSnapshot().messages), range(1, 5));
    for (let n = 6; n <= 9; n++) {
        state.messages.push(message(n));
        sockets.last.broadcast(`realtime:user:${ME}`, "message:new", { conversation_id: ROOM, event_seq: n, message: message(n) });
    }
    await turns();
    answer(page([row({ last_seq: 9, last_event_seq: 9, unread_count: 9 })]));
    await turns(60);
    assert.deepEqual(seqs(view.getSnapshot().messages), range(1, 9));
    await parley.stop();
});

test("of two pages the one that was asked for later is believed, whichever comes first", async () => {
    const answers = [];
    const { parley, view, shown, clock } = await open({
        rows: [row({ last_seq: 1 })],
        functions: { get_conversation_messages: () => new Promise((resolve) => answers.push((content) => resolve({ messages: [message(1, { content })], has_more_before: false, has_more_after: false, last_seq: 1, last_read_seq: 0 }))) },
    });
    answers.shift()("first");
    await turns();
    view.reload();
    view.reload();
    await turns();
    const [early, late] = answers.splice(0);
    late("new");
    await turns();
    early("old");
    await turns();
    assert.deepEqual(contents(shown()), ["new"]);
    await clock.tick(200);
    answers.shift()("new");
    await turns();
    assert.deepEqual(contents(shown()), ["new"]);
    await parley.stop();
});

test("a page that fails while the socket lives is asked for again by itself", async () => {
    let broken = true;
    const { parley, clock, shown, server } = await open({
        rows: [row({ last_seq: 3 })],
        functions: { get_conversation_messages: (args) => (broken ? Promise.reject({ status: 503, code: "503", message: "busy" }) : history(many(3), args)) },
    });
    await clock.tick(1_500);
    assert.equal(server.of("get_conversation_messages").length, 2);
    broken = false;
    await clock.tick(2_000);
    assert.deepEqual(seqs(shown()), [1, 2, 3]);
    await clock.tick(60_000);
    assert.equal(server.of("get_conversation_messages").length, 3);
    await parley.stop();
});
