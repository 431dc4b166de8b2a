// What is held: sync first, live after it, gaps seen and repaired, nothing twice, nothing lost.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeStorage, ME, OTHER, ROOM, fakeSockets, history, message, page, participant, row, turns } from "./fakes.mjs";
import { contents, open, world } from "./setup.mjs";

const first = (parley) => parley.conversations().getSnapshot().conversations[0];

test("the inbox is there after the first sync, and a sync follows each time the channel is live", async () => {
    const { parley, server, sockets } = await open();
    assert.equal(first(parley).id, ROOM);
    const before = server.of("sync").length;
    assert.deepEqual(server.of("sync").at(-1), { cursor: "c1" });
    sockets.last.drop();
    parley.reconnect();
    await turns(60);
    assert.equal(server.of("sync").length, before + 1);
    await parley.stop();
});

test("an event that comes while a sync is on its way is applied once", async () => {
    const answers = [];
    let slow = false;
    const { parley, sockets, live, shown, clock } = await open({
        messages: [message(1)], rows: [row({ last_seq: 1, unread_count: 1 })],
        functions: { sync: () => (slow ? new Promise((resolve) => answers.push(resolve)) : page([row({ last_seq: 1, unread_count: 1 })])) },
    });
    slow = true;
    sockets.last.drop();
    parley.reconnect();
    await turns(60);
    // the sync saw the second message, and the live event of it comes before the sync's answer
    await live("message:new", { event_seq: 2, message: message(2) });
    await live("message:new", { event_seq: 3, message: message(3) });
    const events = [{ event: "message:new", payload: { conversation_id: ROOM, event_seq: 2, message: message(2) } }];
    answers.shift()(page([row({ last_seq: 2, last_event_seq: 2, unread_count: 2 })], { events, cursor: "c2" }));
    await turns(60);
    assert.deepEqual(contents(shown()), ["text 1", "text 2", "text 3"]);
    assert.equal(first(parley).unread_count, 3, "the row of the sync is older than what is shown");
    slow = false;
    await clock.tick(100);
    await parley.stop();
});

test("a missing event is asked for, and what came after it waits for it", async () => {
    let answer;
    const { parley, live, shown, server } = await open({
        messages: [message(1)], rows: [row({ last_seq: 1 })],
        functions: { get_events: () => new Promise((resolve) => (answer = resolve)) },
    });
    await live("message:new", { event_seq: 4, message: message(4) });
    await live("message:new", { event_seq: 3, message: message(3) });
    assert.deepEqual(contents(shown()), ["text 1"]);
    assert.deepEqual(server.of("get_events"), [{ conversation_id: ROOM, page_size: 1000, after_seq: 1 }]);
    answer({ events: [{ event: "message:new", payload: { conversation_id: ROOM, event_seq: 2, message: message(2) } }], gap: null, to: 4, has_more: false, last_event_seq: 4 });
    await turns();
    // numbers 3 and 4 are settled by the answer, as not the user's to see, unless it brought them
    assert.deepEqual(contents(shown()), ["text 1", "text 2"]);
    await parley.stop();
});

test("a number that is not the user's to see is settled by the answer", async () => {
    const { parley, live, shown } = await open({
        messages: [message(1)], rows: [row({ last_seq: 1 })],
        functions: { get_events: () => ({ events: [], gap: null, to: 2, has_more: false, last_event_seq: 3 }) },
    });
    await live("message:new", { event_seq: 3, message: message(2) });
    assert.deepEqual(contents(shown()), ["text 1", "text 2"]);
    await live("message:new", { event_seq: 4, message: message(3) });
    assert.deepEqual(contents(shown()), ["text 1", "text 2", "text 3"]);
    await parley.stop();
});

for (const reason of ["purged", "reset", "before_joining", "beyond_tier"]) {
    test(`a gap that is ${reason} loads the windows afresh, and they are never empty`, async () => {
        const { parley, live, shown, state, view } = await open({
            messages: [message(1)], rows: [row({ last_seq: 1 })],
            functions: { get_events: () => ({ events: [], gap: { reason, from: 2, to: 8, readable: false }, to: 9, has_more: false, last_event_seq: 9 }) },
        });
        let empty = false;
        view.subscribe(() => (empty ||= shown().length === 0));
        state.messages = [message(7), message(8)];
        await live("message:new", { event_seq: 10, message: message(8) });
        await turns(60);
        assert.deepEqual(contents(shown()), ["text 7", "text 8"]);
        assert.equal(empty, false);
        await parley.stop();
    });
}

test("resync_required forgets what was held: rows, windows, positions", async () => {
    let again = false;
    const other = "00000000-0000-4000-8000-00000000000b";
    let rows = [row({ last_seq: 2, last_event_seq: 50 })];
    const sync = () => page(rows, again ? { resync_required: true, cursor: "c2" } : {});
    const all = await open({ messages: [message(1), message(2)], functions: { sync } });
    const resets = [];
    all.parley.on("reset", ({ reason }) => resets.push(reason));
    await all.clock.tick(2_500);
    again = true;
    rows = [row({ last_seq: 1, last_event_seq: 3 }), row({ id: other, last_activity_at: "2025-01-01T00:00:00+00:00" })];
    all.state.messages = [message(1, { content: "as in the older copy" })];
    all.sockets.last.drop();
    all.parley.reconnect();
    await turns(80);
    again = false;
    assert.deepEqual(contents(all.shown()), ["as in the older copy"]);
    assert.deepEqual(all.parley.conversations().getSnapshot().conversations.map((c) => c.id), [ROOM, other]);
    assert.equal(resets.length, 1);
    await all.live("message:new", { event_seq: 4, message: message(2, { content: "goes on from 3" }) });
    assert.deepEqual(contents(all.shown()), ["as in the older copy", "goes on from 3"]);
    await all.parley.stop();
});

test("an inbox of many pages is loaded page by page, with the events since the first", async () => {
    const rows = Array.from({ length: 3 }, (_, n) => row({ id: `${ROOM.slice(0, -1)}${n}`, last_activity_at: `2026-01-0${n + 1}T00:00:00+00:00` }));
    const pages = [page([rows[0]], { has_more: true, cursor: "p1" }), page([rows[1]], { has_more: true, cursor: "p2" }), page([rows[2]], { cursor: "p3" })];
    const asked = [];
    const { parley } = world({ functions: { sync: ({ cursor }) => (asked.push(cursor), pages.shift() ?? page([], { cursor: "p4" })) } });
    await parley.start();
    await turns(60);
    assert.deepEqual(asked.slice(0, 3), [undefined, "p1", "p2"]);
    assert.deepEqual(parley.conversations().getSnapshot().conversations.map((c) => c.id), [rows[2].id, rows[1].id, rows[0].id]);
    await parley.stop();
});

test("a cursor that the server does not know is dropped, and the inbox loaded afresh", async () => {
    const storage = new FakeStorage();
    const one = await open({ storage });
    await one.parley.stop();
    const two = world({ storage, clock: one.clock, functions: { sync: ({ cursor }) => (cursor ? Promise.reject({ status: 400, code: "PT400", message: "The cursor is not valid." }) : page([row()])) } });
    await two.parley.start();
    await two.clock.tick(3_000);
    assert.deepEqual(two.server.of("sync").slice(0, 2).map(({ cursor }) => cursor), ["c1", undefined]);
    assert.equal(two.parley.connection.getSnapshot().ready, true);
    await two.parley.stop();
});

test("a new message counts as unread, one's own and one that was read elsewhere do not", async () => {
    const { parley, live } = await open();
    await live("message:new", { event_seq: 2, message: message(1) });
    await live("message:new", { event_seq: 3, message: message(2, { mentions: [ME] }) });
    await live("message:new", { event_seq: 4, message: message(3, { sender_id: ME }) });
    assert.deepEqual([first(parley).unread_count, first(parley).mention_count, first(parley).last_message.content], [2, 1, "text 3"]);
    assert.equal(parley.unread.getSnapshot().total, 2);
    assert.equal(parley.unread.getSnapshot().mentions_total, 1);
    await live("message:read", { event_seq: 5, user_id: ME, last_read_seq: 3, read_at: "2026-01-01T00:00:05+00:00" });
    assert.deepEqual([first(parley).unread_count, first(parley).mention_count], [0, 0]);
    await parley.stop();
});

test("what cannot be counted here is asked for soon", async () => {
    const { parley, live, server, clock, state } = await open();
    const before = server.of("sync").length;
    await clock.tick(3_000);
    state.rows = [row({ last_seq: 1, last_event_seq: 2, unread_count: 0, last_message: null })];
    await live("message:new", { event_seq: 2, message: message(1, { sender_id: null, type: "system", metadata: { event: "joined" } }) });
    await clock.tick(800);
    assert.equal(server.of("sync").length, before + 1);
    assert.equal(first(parley).unread_count, 0);
    await parley.stop();
});

test("quiet traffic is not synced after each message", async () => {
    const { live, server, clock, parley, state } = await open();
    await clock.tick(3_000);
    const before = server.of("sync").length;
    for (let n = 1; n <= 20; n++) {
        await live("message:new", { event_seq: n + 1, message: message(n) });
        await clock.tick(1_000);
    }
    assert.equal(server.of("sync").length, before);
    state.rows = [row({ last_seq: 20, last_event_seq: 21 })];
    await clock.tick(15_000);
    assert.equal(server.of("sync").length, before + 1);
    await parley.stop();
});

test("edits, deletions, reactions, pins and receipts change what is shown, in place", async () => {
    const mine = message(1, { sender_id: ME });
    const { live, shown, parley, state } = await open({ messages: [mine, message(2)], rows: [row({ last_seq: 2 })] });
    await live("message:updated", { event_seq: 2, message: { ...message(2), content: "edited", edited_at: "2026-01-01T00:00:03+00:00" } });
    assert.deepEqual(contents(shown()), ["text 1", "edited"]);
    await live("message:reaction", { event_seq: 3, message_id: mine.id, seq: 1, user_id: OTHER, emoji: "👍", op: "added" });
    await live("message:reaction", { event_seq: 3, message_id: mine.id, seq: 1, user_id: OTHER, emoji: "👍", op: "added" });
    assert.deepEqual(shown()[0].reactions, [{ emoji: "👍", count: 1, user_ids: [OTHER] }]);
    await live("message:reaction", { event_seq: 4, message_id: mine.id, seq: 1, user_id: OTHER, emoji: "👍", op: "removed" });
    assert.deepEqual(shown()[0].reactions, []);
    await live("message:pinned", { event_seq: 5, message_id: mine.id, seq: 1, pinned_at: "2026-01-01T00:00:04+00:00" });
    assert.equal(shown()[0].pinned_at, "2026-01-01T00:00:04+00:00");
    assert.equal(shown()[0].status, "sent");
    await live("message:delivered", { event_seq: 6, user_id: OTHER, last_delivered_seq: 1 });
    assert.equal(shown()[0].status, "delivered");
    await live("message:read", { event_seq: 7, user_id: OTHER, last_read_seq: 2, read_at: "2026-01-01T00:00:05+00:00" });
    assert.deepEqual([shown()[0].status, shown()[0].read_at], ["read", "2026-01-01T00:00:05+00:00"]);
    state.messages = [mine];
    await live("message:deleted", { event_seq: 8, message_id: "message-2", seq: 2, for_everyone: true });
    assert.deepEqual([shown()[1].content, shown()[1].deleted_at], [null, "2026-01-01T00:00:02+00:00"]);
    await live("message:deleted", { message_id: mine.id, seq: 1, for_everyone: false });
    assert.deepEqual(shown().map((m) => m.seq), [2]);
    await parley.stop();
});

test("what is read while its page is on the way shows when it was read", async () => {
    const mine = (read_at) => message(1, { sender_id: ME, read_at });
    const at = "2026-01-01T00:00:05+00:00";
    let answer;
    const { shown, live, parley, clock } = await open({
        rows: [row({ last_seq: 1 })],
        functions: { get_conversation_messages: (args) => (answer ? history([mine(at)], args) : new Promise((resolve) => (answer = () => resolve(history([mine(null)], args))))) },
    });
    await live("message:read", { event_seq: 2, user_id: OTHER, last_read_seq: 1, read_at: at });
    answer();
    await clock.tick(1_000);
    assert.equal(shown()[0].read_at, at);
    await parley.stop();
});

test("when everybody else has left, nobody has read one's messages", async () => {
    const group = (participants) => row({ type: "group", counterpart: null, last_seq: 1, participant_count: participants.length, participants, last_event_seq: 10 - participants.length });
    const mine = message(1, { sender_id: ME, status: "read" });
    let users = [participant(ME), participant(OTHER, { last_read_seq: 1 })];
    const { parley, shown, live, clock } = await open({
        messages: [mine],
        functions: { sync: () => ({ ...page([group(users)]), participants: users.map((user) => ({ ...user, conversation_id: ROOM })) }) },
    });
    assert.equal(shown()[0].status, "read");
    users = [participant(ME)];
    await live("participant:left", { event_seq: 9, user_id: OTHER });
    await clock.tick(2_000);
    assert.equal(shown()[0].status, "sent");
    await parley.stop();
});

test("a reply that quotes what the viewer has deleted for themselves shows no quote", async () => {
    const quote = { id: "message-1", seq: 1, sender_id: OTHER, type: "text", content: "text 1", attachment: null, deleted: false };
    const reply = message(2, { reply_to_id: "message-1", reply_to: quote });
    const { live, shown, parley, clock, state } = await open({ messages: [message(1)], rows: [row({ last_seq: 1 })] });
    await live("message:deleted", { event_seq: null, message_id: "message-1", seq: 1, for_everyone: false });
    state.messages = [{ ...reply, reply_to: null }];
    // the event is the same for everybody
    await live("message:new", { event_seq: 2, message: reply });
    await clock.tick(400);
    assert.equal(shown()[0].reply_to, null);
    assert.equal(first(parley).last_message.reply_to, null);
    await parley.stop();
});

test("a row of the inbox shows its last message without a quote, also as a sync brought it", async () => {
    const quote = { id: "message-1", seq: 1, sender_id: OTHER, type: "text", content: "text 1", attachment: null, deleted: false };
    const { parley } = await open({ rows: [row({ last_seq: 2, last_message: message(2, { reply_to_id: "message-1", reply_to: quote }) })] });
    assert.deepEqual([first(parley).last_message.content, first(parley).last_message.reply_to], ["text 2", null]);
    await parley.stop();
});

test("a deletion for oneself that comes after a sync which knew of it also takes the quotes elsewhere", async () => {
    const quote = { id: "message-1", seq: 1, sender_id: OTHER, type: "text", content: "text 1", attachment: null, deleted: false };
    const reply = message(3, { reply_to_id: "message-1", reply_to: quote });
    const rows = [row({ last_seq: 3 })];
    const { live, shown, parley, clock, state, server } = await open({
        messages: [message(1), message(2), reply], functions: { sync: () => page(rows, { position: 20 }) },
    });
    await clock.tick(3_000);
    const before = server.of("get_conversation_messages").length;
    state.messages = [message(2), { ...reply, reply_to: null }];
    for (let n = 0; n < 3; n++) await live("message:deleted", { event_seq: null, message_id: "message-1", seq: 1, for_everyone: false }, 19);
    await clock.tick(1_000);
    assert.deepEqual(shown().map(({ seq, reply_to: shortly }) => [seq, shortly]), [[2, null], [3, null]]);
    assert.equal(server.of("get_conversation_messages").length, before + 1, "asked for once");
    await parley.stop();
});

test("a private reading that comes after a sync which knew of it shows when the messages were read", async () => {
    const rows = [row({ last_seq: 1, me: { last_read_seq: 1 } })];
    const { live, shown, parley, clock, state } = await open({
        messages: [message(1, { read_at: null })], functions: { sync: () => page(rows, { position: 20 }) },
    });
    await clock.tick(3_000);
    state.messages = [message(1, { read_at: "then" })];
    await live("message:read", { event_seq: null, user_id: ME, last_read_seq: 1, read_at: "then" }, 19);
    await clock.tick(1_000);
    assert.equal(shown()[0].read_at, "then");
    await parley.stop();
});

test("what replies quote from further up is asked for within seconds, at a moment of each client's own", async () => {
    const quote = { id: "message-1", seq: 1, sender_id: OTHER, type: "text", content: "text 1", attachment: null, deleted: false };
    const reply = (n) => message(100 + n, { reply_to_id: "message-1", reply_to: quote });
    const all = Array.from({ length: 100 }, (_, n) => message(n + 1));
    const waits = [];
    for (const chance of [0.2, 0.8]) {
        const { live, shown, parley, clock, server, state } = await open({ messages: [...all], rows: [row({ last_seq: 100 })], random: () => chance });
        await clock.tick(5_000);
        const asked = () => server.of("get_conversation_messages").length;
        const before = asked();
        for (let n = 1; n <= 10; n++) {
            state.messages.push({ ...reply(n), reply_to: null });
            await live("message:new", { event_seq: n + 1, message: reply(n) });
        }
        const start = clock.now();
        while (asked() === before) await clock.tick(100);
        waits.push(clock.now() - start);
        await clock.tick(10_000);
        assert.equal(asked(), before + 1);
        assert.equal(shown().at(-1).reply_to, null);
        await parley.stop();
    }
    assert.ok(waits[0] + 1_000 < waits[1] && waits[1] < 10_000, String(waits));
});

test("a message that was deleted shows so where it is quoted", async () => {
    const quote = { id: "message-1", seq: 1, sender_id: OTHER, type: "text", content: "text 1", attachment: null, deleted: false };
    const { live, shown, parley } = await open({ messages: [message(1), message(2, { reply_to_id: "message-1", reply_to: quote })], rows: [row({ last_seq: 2 })] });
    await live("message:updated", { event_seq: 2, message: { ...message(1), content: "edited" } });
    assert.equal(shown()[1].reply_to.content, "edited");
    await live("message:deleted", { event_seq: 3, message_id: "message-1", seq: 1, for_everyone: true });
    assert.deepEqual([shown()[1].reply_to.content, shown()[1].reply_to.deleted], [null, true]);
    await parley.stop();
});

test("a poll counts votes at once and fetches their names", async () => {
    const poll = (votes, names) => ({ options: [{ id: 1, text: "here", votes, voter_ids: names }], multiple: false, anonymous: false, total_voters: votes, closes_at: null, closed_at: null });
    const { live, shown, parley, clock, state } = await open({ messages: [message(1, { type: "poll", poll: poll(0, []) })], rows: [row({ last_seq: 1 })] });
    state.messages = [message(1, { type: "poll", poll: poll(1, [OTHER]) })];
    await live("poll:updated", { event_seq: 2, message_id: "message-1", seq: 1, votes: [1], total_voters: 1, closed_at: null });
    assert.equal(shown()[0].poll.options[0].votes, 1);
    await clock.tick(200);
    assert.deepEqual(shown()[0].poll.options[0].voter_ids, [OTHER]);
    await parley.stop();
});

// Star, then delete: the star's event is lost on the channel, and the deletion, which took the star along, is not.
test("a star that is heard of after the deletion that took it is not shown", async () => {
    let events = [];
    const { live, shown, parley, clock, state, sockets } = await open({
        messages: [message(1, { starred: false })], functions: { sync: () => page([row({ last_seq: 1 })], { events }) },
    });
    state.messages = [message(1, { starred: false, content: null, deleted_at: "2026-01-01T00:00:03+00:00" })];
    const deletion = { message_id: "message-1", seq: 1, for_everyone: true };
    await live("message:deleted", { event_seq: 2, ...deletion });
    await clock.tick(200);
    events = [
        { event: "message:starred", payload: { conversation_id: ROOM, event_seq: null, message_id: "message-1", seq: 1 } },
        { event: "message:deleted", payload: { conversation_id: ROOM, event_seq: 2, ...deletion } },
    ];
    sockets.last.drop();
    parley.reconnect();
    await turns(60);
    await clock.tick(400);
    assert.deepEqual([shown()[0].starred, shown()[0].deleted_at], [false, state.messages[0].deleted_at]);
    await parley.stop();
});

const UNNUMBERED = {
    star: ["message:starred", {}, { starred: true }],
    pin: ["message:pinned", { pinned_at: "2026-01-01T00:00:02+00:00" }, { pinned_at: "2026-01-01T00:00:02+00:00" }],
    reaction: ["message:reaction", { user_id: ME, emoji: "+", op: "added" }, { reactions: [{ emoji: "+", count: 1, user_ids: [ME] }] }],
};
for (const [name, [event, payload, change]] of Object.entries(UNNUMBERED)) {
    test(`a ${name} that comes late, after it was taken back, gives way to what the server has`, async () => {
        const plain = message(1, { starred: false });
        const { live, shown, parley, clock } = await open({ messages: [plain], rows: [row({ last_seq: 1 })] });
        await live(event, { event_seq: null, message_id: "message-1", seq: 1, ...payload });
        for (const [key, value] of Object.entries(change)) assert.deepEqual(shown()[0][key], value, "it shows at once");
        await clock.tick(400);
        for (const key of Object.keys(change)) assert.deepEqual(shown()[0][key], plain[key]);
        await parley.stop();
    });
}

test("an event without a number that comes while a sync is on its way is shown again soon after it", async () => {
    const draft = (content) => ({ content, reply_to_id: null, metadata: {}, updated_at: "t" });
    const answers = [];
    let slow = false;
    const { parley, live, sockets, clock } = await open({ functions: { sync: () => (slow ? new Promise((resolve) => answers.push(resolve)) : page([row({ draft: draft("newer") })])) } });
    slow = true;
    sockets.last.drop();
    parley.reconnect();
    await turns(60);
    await live("draft:updated", { draft: draft("newer") });
    slow = false;
    answers.shift()(page([row({ draft: draft("older") })]));
    await clock.tick(2_100);
    assert.equal(first(parley).draft.content, "newer");
    await parley.stop();
});

// What was read from the log before a sync may come after it: a slow socket, or a tab that hears of it by another.
const LATE = {
    draft: ["draft:updated", { draft: { content: "older", reply_to_id: null, metadata: {}, updated_at: "t" } }, (row) => row.draft],
    setting: ["participant:updated", { settings: { ...row().me, muted_until: "infinity" } }, (row) => row.me.muted_until],
    mark: ["message:read", { user_id: ME, last_read_seq: 1, read_at: "t" }, (row) => row.me.marked_unread],
    farewell: ["conversation:deleted", {}, (row) => row?.id],
};
for (const [name, [event, payload, of]] of Object.entries(LATE)) {
    test(`a ${name} that comes after a sync which knew of newer ones changes nothing, one that is newer does`, async () => {
        const newer = row({ last_seq: 1, draft: { content: "newer", reply_to_id: null, metadata: {}, updated_at: "t" }, me: { marked_unread: true } });
        const { parley, live, server, clock } = await open({ functions: { sync: () => page([newer], { position: 20 }) } });
        await clock.tick(3_000);
        const before = of(first(parley));
        const syncs = server.of("sync").length;
        await live(event, payload, 19);
        assert.deepEqual(of(first(parley)), before);
        await clock.tick(3_000);
        assert.equal(server.of("sync").length, syncs + 1, "it may have been committed after that sync");
        await live(event, payload, 21);
        assert.notDeepEqual(of(first(parley)), before);
        await parley.stop();
    });
}

test("an answer that a sync has overtaken leaves the draft and the settings as that sync said", async () => {
    const draft = (content) => ({ content, reply_to_id: null, metadata: {}, updated_at: "t" });
    const answers = {};
    const later = (name) => new Promise((resolve) => (answers[name] = resolve));
    let position = 20;
    const { parley, sockets, clock } = await open({
        functions: {
            sync: () => page([row(position > 20 ? { draft: draft("newer"), me: { notification_level: "none" } } : {})], { position }),
            save_draft: () => later("draft"), update_participant_settings: () => later("settings"),
        },
    });
    parley.setDraft(ROOM, "mine");
    parley.updateSettings(ROOM, { notifications: "mentions" });
    await clock.tick(2_100);
    position = 30;
    sockets.last.drop();
    parley.reconnect();
    await turns(60);
    answers.draft(draft("mine"));
    answers.settings({ ...row().me, notification_level: "mentions" });
    await clock.tick(100);
    assert.deepEqual([first(parley).draft.content, first(parley).me.notification_level], ["newer", "none"]);
    await parley.stop();
});

test("a setting that waits for a sync holds up no message, and stays if the sync fails", async () => {
    const answers = {};
    const later = (name) => new Promise((resolve) => (answers[name] = resolve));
    let sync = () => page([row()], { position: 20 });
    const { parley, sockets, clock, server } = await open({
        functions: { sync: () => sync(), update_participant_settings: () => later("settings") },
    });
    parley.updateSettings(ROOM, { notifications: "none" });
    await turns();
    sync = () => page([row()], { position: 30 });
    sockets.last.drop();
    parley.reconnect();
    await turns(60);
    sync = () => new Promise((_, reject) => (answers.sync = reject));
    answers.settings({ ...row().me, notification_level: "none" });
    await turns(60);
    parley.send(ROOM, "hello");
    await clock.tick(1_000);
    assert.equal(server.of("send_message").length, 1);
    answers.sync(new Error("the network is away"));
    await turns(60);
    assert.equal(first(parley).me.notification_level, "none");
    await parley.stop();
});

test("a late event changes nothing of how far the reader has scrolled", async () => {
    const all = Array.from({ length: 400 }, (_, n) => message(n + 1));
    const rows = [row({ last_seq: 400 })];
    const { live, shown, parley, clock, view, state } = await open({ messages: all, functions: { sync: () => page(rows, { position: 20 }) } });
    for (let n = 0; n < 6; n++) await view.loadOlder();
    const before = shown().length;
    assert.ok(before > 250, String(before));
    state.messages = all.map((each) => (each.seq === 120 ? { ...each, content: "edited" } : each));
    await live("message:starred", { event_seq: null, message_id: "message-390", seq: 390 }, 19);
    await clock.tick(3_000);
    assert.equal(shown().length, before);
    assert.equal(shown().find(({ seq }) => seq === 120).content, "edited");
    await parley.stop();
});

test("what a sync has not seen yet shows until another has, though it was answered before", async () => {
    const draft = { content: "half", reply_to_id: null, metadata: {}, updated_at: "t" };
    const answers = {};
    const later = (name) => new Promise((resolve) => (answers[name] = resolve));
    let sync = () => page([row({ draft })], { position: 20 });
    const { parley, sockets, clock } = await open({
        functions: {
            sync: () => sync(), save_draft: () => later("draft"), update_participant_settings: () => later("settings"),
        },
    });
    const shown = () => [first(parley).draft, first(parley).me.notification_level];
    parley.send(ROOM, "half a message");
    await turns();
    parley.updateSettings(ROOM, { notifications: "none" });
    await clock.tick(2_100);
    sync = () => page([row({ draft })], { position: 30 });
    sockets.last.drop();
    parley.reconnect();
    await turns(60);
    assert.deepEqual(shown(), [null, "none"]);
    sync = () => later("sync");
    answers.draft(null);
    answers.settings({ ...row().me, notification_level: "none" });
    await turns(60);
    assert.deepEqual(shown(), [null, "none"]);
    sync = () => page([], { position: 40 });
    answers.sync(page([row({ me: { notification_level: "none" } })], { position: 40 }));
    await turns(60);
    assert.deepEqual(shown(), [null, "none"]);
    assert.deepEqual(parley.outbox.getSnapshot(), []);
    await parley.stop();
});

test("an answer to a change leaves the star as it is", async () => {
    let answer;
    const starred = message(1, { starred: true });
    const { live, shown, parley, clock, view } = await open({
        messages: [starred], rows: [row({ last_seq: 1 })], functions: { add_reaction: () => new Promise((resolve) => (answer = resolve)) },
    });
    let always = true;
    view.subscribe(() => (always &&= shown()[0].starred));
    parley.react("message-1", "+", true);
    await turns(60);
    await live("message:reaction", { event_seq: 2, message_id: "message-1", seq: 1, user_id: ME, emoji: "+", op: "added" });
    answer(message(1, { reactions: [{ emoji: "+", count: 1, user_ids: [ME] }] }));
    await turns(60);
    assert.equal(always, true);
    await clock.tick(400);
    await parley.stop();
});

test("a draft of another device shows, and one's own goes first until it is saved", async () => {
    const { live, parley, clock, server } = await open();
    const remote = { content: "from the other device", reply_to_id: null, metadata: {}, updated_at: "t" };
    await live("draft:updated", { draft: remote });
    assert.deepEqual(first(parley).draft, remote);
    parley.setDraft(ROOM, "mine");
    await live("draft:updated", { draft: remote });
    assert.equal(first(parley).draft.content, "mine");
    await clock.tick(2_100);
    assert.deepEqual(server.of("save_draft").map(({ content }) => content), ["mine"]);
    assert.equal(first(parley).draft.content, "mine");
    parley.send(ROOM, "mine");
    assert.equal(first(parley).draft, null, "sending clears it");
    await parley.stop();
});

test("who is removed sees the conversation go, and who is added sees it come", async () => {
    const { live, parley, state, shown, clock } = await open({ messages: [message(1)], rows: [row({ type: "group", last_seq: 1 })] });
    state.rows = [];
    await live("participant:left", { event_seq: 2, user_id: ME, participant: participant(ME, { left_at: "2026-01-01T00:00:02+00:00" }) });
    assert.equal(first(parley), undefined);
    assert.equal(parley.conversation(ROOM).getSnapshot(), null);
    assert.deepEqual(shown(), []);
    state.rows = [row({ type: "group", last_seq: 1, last_event_seq: 3 })];
    await live("conversation:new", {});
    await clock.tick(500);
    assert.equal(first(parley).id, ROOM);
    await turns(60);
    assert.deepEqual(contents(shown()), ["text 1"], "its windows load again");
    await parley.stop();
});

test("what other clients broadcast in a conversation is not believed", async () => {
    const { parley, sockets, shown } = await open({ window: { live: true } });
    sockets.last.broadcast(`realtime:conversation:${ROOM}`, "message:new", { conversation_id: ROOM, event_seq: 2, message: message(1) });
    sockets.last.broadcast(`realtime:conversation:${ROOM}`, "anything", { conversation_id: ROOM, event_seq: 9 });
    sockets.last.broadcast(`realtime:user:${ME}`, "anything", null);
    await turns();
    assert.deepEqual(shown(), []);
    await parley.stop();
});

test("the inbox is ordered as the server orders it: pinned, then activity to the microsecond, then id", async () => {
    const at = (fraction) => `2026-01-01T00:00:00${fraction}+00:00`;
    const id = (n) => `${ROOM.slice(0, -2)}${n}`;
    const rows = [
        row({ id: id("01"), last_activity_at: at("") }), row({ id: id("02"), last_activity_at: at(".5") }),
        row({ id: id("03"), last_activity_at: at(".500001") }), row({ id: id("04"), last_activity_at: at(".5") }),
        row({ id: id("05"), last_activity_at: at(""), me: { pinned_at: at("") } }), row({ id: id("06"), me: { archived_at: at("") } }),
        row({ id: id("07"), me: { folder: "requests" } }), row({ id: id("08"), me: { deleted_seq: 0 } }),
    ];
    const { parley } = world({ rows });
    await parley.start();
    await turns(60);
    const ids = (filter) => parley.conversations({ filter }).getSnapshot().conversations.map((c) => c.id.slice(-2));
    assert.deepEqual(ids("all"), ["05", "03", "04", "02", "01"]);
    assert.deepEqual(ids("archived"), ["06"]);
    assert.deepEqual(ids("requests"), ["07"]);
    await parley.stop();
});

test("without sockets, what others send comes by requests", async () => {
    const sockets = fakeSockets({ autoOpen: false });
    const { parley, clock, state } = world({ sockets });
    await parley.start();
    await turns(60);
    state.rows = [row({ last_seq: 1, last_event_seq: 2, unread_count: 1, last_message: message(1) })];
    for (let n = 0; n < 4; n++) {
        sockets.last.drop();
        await clock.tick(40_000);
    }
    assert.equal(first(parley).unread_count, 1);
    await parley.stop();
});

test("a snapshot keeps its identity while nothing of it changes", async () => {
    const { parley, live, view } = await open({ messages: [message(1)], rows: [row({ last_seq: 1 })] });
    const before = [parley.conversations().getSnapshot(), parley.unread.getSnapshot(), view.getSnapshot().messages[0]];
    await live("participant:updated", { settings: { ...row().me } });
    assert.equal(parley.unread.getSnapshot(), before[1]);
    assert.equal(view.getSnapshot().messages[0], before[2]);
    assert.equal(parley.conversations().getSnapshot().conversations[0], before[0].conversations[0]);
    await parley.stop();
});

test("a block, another plan or other privacy loads everything anew", async () => {
    const { parley, sockets, server, clock, state, shown } = await open({ messages: [message(1)], rows: [row({ last_seq: 1 })] });
    await clock.tick(3_000);
    for (const event of ["contact:updated", "privacy:updated", "entitlements:changed", "account:updated"]) {
        state.messages = [message(1, { content: event })];
        sockets.last.broadcast(`realtime:user:${ME}`, event, { user_id: ME });
        await clock.tick(3_000);
        assert.deepEqual(server.of("sync").at(-1), {}, event);
        assert.deepEqual(contents(shown()), [event]);
    }
    await parley.stop();
});

test("a request that comes is asked for at once, though nothing of it is known", async () => {
    const { parley, sockets, server, clock, state } = await open();
    await clock.tick(3_000);
    const id = "00000000-0000-4000-8000-00000000000c";
    state.rows = [row(), row({ id, me: { folder: "requests" }, unread_count: 1 })];
    sockets.last.broadcast(`realtime:user:${ME}`, "request:new", { conversation_id: id, request: {} });
    await clock.tick(500);
    assert.deepEqual(parley.conversations({ filter: "requests" }).getSnapshot().conversations.map((c) => c.id), [id]);
    assert.equal(parley.unread.getSnapshot().unread_requests, 1);
    state.rows = [row(), row({ id, last_event_seq: 2 })];
    sockets.last.broadcast(`realtime:user:${ME}`, "request:updated", { conversation_id: id, request: {} });
    await clock.tick(3_000);
    assert.deepEqual(parley.conversations({ filter: "requests" }).getSnapshot().conversations, []);
    assert.ok(server.of("sync").length > 3);
    await parley.stop();
});

test("a listener that fails stops neither the others nor the client", async () => {
    const { parley, live } = await open();
    const { error } = console;
    const faults = [];
    console.error = (fault) => faults.push(fault.message);
    const heard = [];
    parley.on("message", () => { throw new Error("mine"); });
    parley.on("message", ({ message: { seq } }) => heard.push(seq));
    parley.unread.subscribe(() => { throw new Error("mine, too"); });
    parley.unread.subscribe(() => heard.push("unread"));
    await live("message:new", { event_seq: 2, message: message(1) });
    console.error = error;
    assert.deepEqual(heard, [1, "unread"]);
    assert.deepEqual(faults, ["mine", "mine, too"]);
    await parley.stop();
});

test("when a message was read before it got here, the time of it is asked for", async () => {
    const { parley, live, shown, state, clock } = await open();
    await live("message:read", { event_seq: 2, user_id: OTHER, last_read_seq: 1, read_at: "2026-01-01T00:00:05+00:00" });
    const mine = message(1, { sender_id: ME });
    state.messages = [{ ...mine, read_at: "2026-01-01T00:00:05+00:00" }];
    await live("message:new", { event_seq: 3, message: mine });
    await clock.tick(200);
    assert.equal(shown()[0].read_at, "2026-01-01T00:00:05+00:00");
    await parley.stop();
});
