// What is shown: the server's messages and rows, with this device's own unfinished work laid over them.
import { left } from "./base.js";
import { BARE, react, tombstone } from "./events.js";

const memo = new WeakMap();
const RANK = { sent: 0, delivered: 1, read: 2 };

/** How far one's messages have got: up to which seq everybody else has read them, and has them; -1: there is nobody else. */
export function horizons(row, me) {
    if (!row || row.participants.length < row.participant_count) return { read: 0, delivered: 0 };
    let read = Infinity;
    let delivered = Infinity;
    for (const p of row.participants) {
        if (p.user_id === me || p.left_at) continue;
        read = Math.min(read, p.last_read_seq ?? 0);
        delivered = Math.min(delivered, Math.max(p.last_delivered_seq ?? 0, p.last_read_seq ?? 0));
    }
    return Number.isFinite(delivered) ? { read, delivered } : { read: -1, delivered: -1 };
}

/** A stored message as it is shown; null: it is being deleted for oneself. `entries`: the queue's entries about it. */
export function shownMessage(message, entries, { read, delivered }, me) {
    let status = "sent";
    if (message.sender_id === me) {
        status = message.seq <= read ? "read" : message.seq <= delivered ? "delivered" : "sent";
        // the server counts out who can receive nothing, which is not to be seen from here
        if (read >= 0 && RANK[message.status] > RANK[status]) status = message.status;
    }
    const known = memo.get(message);
    if (known && known.status === status && known.entries.length === entries.length && known.entries.every((e, i) => e === entries[i])) {
        return known.shown;
    }
    const key = message.sender_id === me && message.client_message_id ? message.client_message_id : message.id;
    let shown = { ...message, key, status, error: null, pending: null, pending_id: null };
    for (const entry of entries) {
        if (shown) shown = LAYERS[entry.kind]?.(shown, entry, me) ?? null;
    }
    memo.set(message, { status, entries, shown });
    return shown;
}

const LAYERS = {
    edit(message, { id, args, state, error }) {
        const change = { content: args.content };
        for (const name of ["metadata", "mentions", "mentions_all"]) if (args[name] != null) change[name] = args[name];
        return { ...message, ...change, pending: state === "failed" ? "edit-failed" : "edit", pending_id: id, error };
    },
    delete(message, { args, created_at: at }) {
        if (!args.for_everyone) return null;
        return { ...tombstone(message, new Date(at).toISOString()), pending: "delete" };
    },
    react(message, { args }, me) {
        return { ...message, reactions: react(message.reactions, args.emoji, me, args.on), pending: "reaction" };
    },
    vote(message, { args }, me) {
        if (!message.poll || message.poll.anonymous) return { ...message, pending: "vote" };
        const options = message.poll.options.map((option) => {
            const others = option.voter_ids.filter((id) => id !== me);
            const ids = args.option_ids.includes(option.id) ? [...others, me] : others;
            return { ...option, voter_ids: ids, votes: option.votes - option.voter_ids.length + ids.length };
        });
        return { ...message, poll: { ...message.poll, options }, pending: "vote" };
    },
};

/** A message that is not stored yet, in the shape of one that is. `changes`: entries that change it. */
export function pendingMessage(entry, changes, conversation, me) {
    const { args } = entry;
    const replied = args.reply_to_id && [...conversation.messages.values()].find((message) => message.id === args.reply_to_id);
    const { attachment_ids: attachments, expires_in: _, ...said } = args;
    for (const name in said) if (said[name] == null) delete said[name];
    const message = {
        ...BARE, seq: null, sender_id: me, sender_role: conversation.row?.me?.app_role ?? null, type: "text", reply_to_id: null,
        forwarded: false, pinned_at: null, edited_at: null, deleted_at: null, expires_at: null, pending: null, ...said,
        id: entry.id, key: entry.id, client_message_id: entry.id, pending_id: entry.id, conversation_id: entry.conversation_id,
        status: entry.state === "failed" ? "failed" : "sending", error: entry.error, reply_to: replied ? quote(replied) : null,
        attachments: (attachments ?? []).map((id) => ({ id })), created_at: new Date(entry.created_at).toISOString(),
    };
    return changes.reduce((shown, change) => shown && (LAYERS[change.kind]?.(shown, change, me) ?? null), message);
}

function quote(message) {
    return {
        id: message.id, seq: message.seq, sender_id: message.sender_id, type: message.type, content: left(message.content, 200),
        attachment: message.attachments[0] ?? null, deleted: message.deleted_at !== null,
    };
}

/** The entries of a conversation by the message they are about; sends apart. */
export function sortEntries(entries) {
    const about = new Map();
    const sends = [];
    for (const entry of entries) {
        if (entry.kind === "send") sends.push(entry);
        const id = entry.message_id ?? entry.ref;
        if (!id || entry.kind === "send") continue;
        if (!about.has(id)) about.set(id, []);
        about.get(id).push(entry);
    }
    return { about, sends };
}

/** A row as it is shown, with what is on its way: settings, reading, draft, the last of one's own messages. */
export function shownRow(conversation, entries, me, now) {
    const { row, readHere, draftHere } = conversation;
    if (!row) return null;
    const shown = { ...row };
    if (row.me) {
        shown.me = { ...row.me };
        for (const { kind, args, created_at: at } of entries) {
            if (kind === "unread") shown.me.marked_unread = true;
            if (kind === "settings") applySettings(shown.me, args, at);
        }
        const until = shown.me.muted_until;
        shown.me.is_muted = until === "infinity" || (until !== null && Date.parse(until) > now);
        if (readHere > row.me.last_read_seq) {
            shown.me.last_read_seq = Math.min(readHere, row.last_seq);
            shown.me.marked_unread = false;
            shown.unread_count = readHere >= row.last_seq ? 0 : Math.min(row.unread_count, row.last_seq - readHere);
            if (shown.unread_count === 0) shown.mention_count = 0;
        }
    }
    if (draftHere !== undefined) shown.draft = draftHere;
    const { sends, about } = sortEntries(entries);
    const sending = sends.filter((entry) => entry.state !== "failed").at(-1);
    if (sending) shown.last_message = pendingMessage(sending, about.get(sending.id) ?? [], conversation, me) ?? row.last_message;
    else if (row.last_message) shown.last_message = shownMessage(row.last_message, [], horizons(row, me), me);
    // without its quote: the viewer may have deleted for themselves what it quotes
    if (shown.last_message) shown.last_message = { ...shown.last_message, reply_to: null };
    return shown;
}

function applySettings(me, { pin, archive, mute_until: mute, notifications }, at) {
    const since = (on, before) => (on === undefined ? before : on ? (before ?? new Date(at).toISOString()) : null);
    me.pinned_at = since(pin, me.pinned_at);
    me.archived_at = since(archive, me.archived_at);
    if (mute !== undefined) me.muted_until = mute;
    if (notifications !== undefined) {
        me.notification_level = notifications;
        me.notifications_enabled = notifications !== "none";
    }
}
