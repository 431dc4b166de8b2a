// At rest: what a tab shows against the server's own answers.
import assert from "node:assert/strict";

const OWN = ["key", "error", "pending", "pending_id"];

export async function compareAll(world, tab) {
    const { parley } = tab;
    const user = tab.device.userId;
    assert.deepEqual(parley.unread.getSnapshot(), await unread(world, user), `${tab.name}: the counts`);
    for (const filter of ["all", "unread", "archived", "requests"]) {
        const shown = parley.conversations({ filter }).getSnapshot().conversations;
        const answer = await inbox(world, user, filter);
        assert.deepEqual(shown.map(({ id }) => id), answer.map(({ id }) => id), `${tab.name}: the order of ${filter}`);
        for (const [n, row] of answer.entries()) await compareRow(world, user, shown[n], row, `${tab.name}: row ${row.id}`);
    }
    for (const view of tab.views) await compareWindow(world, tab, view);
}

async function unread(world, user) {
    const { conversations: _, ...counts } = await world.rpc(user, "get_unread_counts");
    return counts;
}

async function inbox(world, user, filter) {
    const rows = [];
    let cursor;
    do {
        const page = await world.rpc(user, "get_user_conversations", { filter, page_size: 100, ...(cursor ? { cursor } : {}) });
        rows.push(...page.conversations);
        cursor = page.next_cursor;
    } while (cursor);
    return rows;
}

async function compareRow(world, user, shown, row, what) {
    // the inbox has the first eight participants, sync the first fifty
    const mine = { ...shown, participants: shown.participants.slice(0, 8) };
    if (mine.last_message) mine.last_message = bare(mine.last_message);
    if (mine.last_event_seq < row.last_event_seq) {
        // nobody is told what happens to a message that they have hidden
        const { events } = await world.rpc(user, "get_events", { conversation_id: row.id, after_seq: mine.last_event_seq });
        assert.deepEqual(events, [], `${what}: not heard of`);
        mine.last_event_seq = row.last_event_seq;
    }
    // nor has the preview its quote
    const quoteless = row.last_message && { ...row.last_message, reply_to: null };
    assert.deepEqual(mine, { ...row, last_message: quoteless }, what);
}

function bare(message) {
    const rest = { ...message };
    for (const name of OWN) delete rest[name];
    return rest;
}

async function compareWindow(world, tab, view) {
    const id = view.conversationId;
    const snapshot = view.getSnapshot();
    const row = tab.parley.conversation(id).getSnapshot();
    if (!row) {
        assert.deepEqual(snapshot.messages.filter((message) => message.seq !== null), [], `${tab.name}: of a conversation that was left`);
        return;
    }
    // what could not be loaded, as a message that is gone, shows its error
    if (snapshot.loading) return assert.ok(snapshot.error, `${tab.name}: a window neither loads nor has failed`);
    const shown = snapshot.messages.filter((message) => message.seq !== null);
    const pending = snapshot.messages.filter((message) => message.seq === null);
    for (const message of pending) assert.equal(message.status, "failed", `${tab.name}: ${message.id} at rest`);
    const low = snapshot.hasOlder && shown.length ? shown[0].seq : 1;
    const high = snapshot.hasNewer && shown.length ? shown.at(-1).seq : Infinity;
    const answer = [];
    for (let after = low - 1, more = true; more; ) {
        const page = await world.rpc(tab.device.userId, "get_conversation_messages", { conversation_id: id, after_seq: after, page_size: 100 });
        answer.push(...page.messages.filter((message) => message.seq <= high));
        more = page.has_more_after && page.messages.at(-1).seq < high;
        after = page.messages.at(-1)?.seq;
    }
    const what = `${tab.name}: the window on ${id}, ${low} to ${high}`;
    assert.deepEqual(shown.map(({ seq }) => seq), answer.map(({ seq }) => seq), what);
    for (const [n, message] of answer.entries()) {
        const mine = { ...shown[n] };
        if (mine.pending === "edit-failed") continue;
        assert.deepEqual(bare(mine), message, `${what}: message ${message.seq}`);
    }
    if (!snapshot.hasOlder) {
        const page = await world.rpc(tab.device.userId, "get_conversation_messages", { conversation_id: id, before_seq: low, page_size: 1 });
        assert.deepEqual(page.messages, [], `${what}: there is something older`);
    }
}
