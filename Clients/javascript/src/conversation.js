// One conversation as this client holds it: the server's row, the messages of the open windows, what waits for its turn.
import { Cell, left } from "./base.js";

const BUFFER = 1_000;
/** In `refetch`: all that the windows show. */
export const ALL = 0;

export class Conversation {
    /** The row as the server gives it; null: not known. Never changed in place. */
    row = null;
    /** Every event up to this event_seq has been applied. */
    applied = 0;
    /** Events that came before their predecessors, by event_seq. */
    buffer = new Map();
    /** The base of all windows, by seq. */
    messages = new Map();
    views = new Set();
    /** Read here, and not yet known to the server. */
    readHere = 0;
    /** The draft of this device; undefined: that of the row. */
    draftHere = undefined;
    #seqs = null;
    #loads = 0;
    #begun = 0;
    #newest = 0;
    /** What an event changed while a page was on its way: that page may be older. */
    #touched = new Set();
    /** Up to where somebody has read meanwhile. */
    #read = 0;
    refetch = new Set();

    constructor(id, host) {
        this.id = id;
        this.host = host;
        this.cell = new Cell(() => host.options.shown(this));
    }

    changed() {
        this.host.changed(this);
        this.cell.invalidate();
        for (const view of this.views) view.cell.invalidate();
    }

    change(part) {
        this.row = { ...this.row, ...part };
        this.changed();
    }

    participant(user, update) {
        const change = { participants: this.row.participants.map((p) => (p.user_id === user ? update(p) : p)) };
        if (this.row.counterpart?.user_id === user) change.counterpart = update(this.row.counterpart);
        this.change(change);
    }

    // --- messages
    /** Somebody looks at the messages, or is about to. */
    get held() {
        return this.views.size > 0 || this.#loads > 0;
    }

    /** The seqs of what is held, in order. */
    get seqs() {
        this.#seqs ??= [...this.messages.keys()].sort((a, b) => a - b);
        return this.#seqs;
    }

    seqOf(messageId) {
        for (const [seq, message] of this.messages) if (message.id === messageId) return seq;
        return null;
    }

    upsert(message, { onlyIfHeld = false } = {}) {
        this.host.stored(message);
        this.#touch(message.seq);
        if (!this.held || (onlyIfHeld && !this.messages.has(message.seq))) return;
        // An event is the same for everybody: what is the viewer's own is kept, a missing quote may be theirs to see, and a
        // quote of what is not here they may have deleted for themselves: surely, where a window would show it. What lies
        // further up is not here for anybody: not all ask at once.
        const quoted = message.reply_to?.seq;
        if (message.reply_to_id && !message.deleted_at && !this.messages.has(quoted)) {
            this.wantRefetch(message.seq, ![...this.views].some((view) => view.covers(quoted)));
        }
        this.#put(this.#withOwn(message));
    }

    // What a page says of a message, and an event or an answer does not: the star, and of two people when it was read. If
    // it was read before it got here, a page knows.
    #withOwn(message) {
        const { starred = false, read_at = null } = this.messages.get(message.seq) ?? {};
        if (this.row?.type !== "direct") return { starred, ...message };
        const reader = message.sender_id === this.host.userId ? this.row.counterpart : this.row.me;
        if (read_at === null && !("read_at" in message) && reader?.last_read_seq >= message.seq) this.wantRefetch(message.seq);
        return { starred, read_at, ...message };
    }

    #touch(seq) {
        if (this.#loads > 0) this.#touched.add(seq);
    }

    #put(message) {
        if (!this.messages.has(message.seq)) this.#seqs = null;
        this.messages.set(message.seq, message);
        this.changed();
    }

    update(seq, change, { refetch = false } = {}) {
        this.#touch(seq);
        const before = this.messages.get(seq);
        if (!before) return;
        if (typeof refetch === "function" ? refetch(before) : refetch) this.wantRefetch(seq);
        this.#put(change(before));
    }

    remove(seq) {
        this.#touch(seq);
        if (!this.messages.delete(seq)) return;
        this.#seqs = null;
        this.changed();
    }

    forgetBefore(seq) {
        for (const held of this.seqs) if (held < seq) this.messages.delete(held);
        this.#seqs = null;
        this.changed();
        for (const view of this.views) view.refill();
    }

    /** What answers this message shows it in short. */
    requote(quoted) {
        for (const [seq, message] of this.messages) {
            if (message.reply_to_id !== quoted.id) continue;
            const deleted = quoted.deleted_at != null;
            const short = { content: deleted ? null : left(quoted.content, 200), deleted, ...(deleted ? { attachment: null } : {}) };
            this.update(seq, (m) => ({ ...m, reply_to: quoted.gone || !m.reply_to ? null : { ...m.reply_to, ...short } }), { refetch: true });
        }
    }

    readAt(reader, upTo, at) {
        if (this.#loads > 0) this.#read = Math.max(this.#read, upTo);
        for (const [seq, message] of this.messages) {
            if (seq > upTo || message.read_at !== null) continue;
            // of one's own messages: when the other read them; of the other's: when oneself did
            if ((message.sender_id === this.host.userId) !== (reader === this.host.userId)) this.messages.set(seq, { ...message, read_at: at });
        }
    }

    /** leisurely: within some seconds, at a moment of this client's own. */
    wantRefetch(seq, leisurely = false) {
        this.refetch.add(seq);
        this.host.pages.refetchSoon(this, leisurely);
    }

    /** Nothing is on its way, waits for a predecessor, or is known to be stale. */
    get quiet() {
        return this.buffer.size + this.refetch.size + this.#loads === 0;
    }

    /** Runs `fetch`, which answers messages, and takes what no event has overtaken meanwhile. */
    async load(fetch) {
        this.#loads += 1;
        const number = ++this.#begun;
        try {
            const page = await fetch();
            // one that began later may have been answered before
            const late = number < this.#newest;
            this.#newest = Math.max(number, this.#newest);
            const fresh = [];
            for (const message of page.messages) {
                this.host.stored(message);
                const held = this.messages.get(message.seq);
                if (this.#touched.has(message.seq) || (late && held)) {
                    // held: as new or newer. Not held: removed, or changed before it was there; ask again
                    if (held) this.messages.set(message.seq, { ...message, ...held, read_at: message.read_at, starred: message.starred });
                    else fresh.push(message);
                    this.wantRefetch(message.seq);
                } else fresh.push(message);
            }
            const there = new Set(page.messages.map((message) => message.seq));
            for (const seq of this.seqs) {
                if (seq >= page.from && seq <= page.to && !there.has(seq) && !this.#touched.has(seq) && !late) this.messages.delete(seq);
            }
            // the past may have been deleted while its page was on the way
            const since = this.row?.me?.history_from_seq ?? 0;
            for (const message of fresh) {
                if (message.seq < since) continue;
                this.messages.set(message.seq, this.#withOwn(message));
                if (message.read_at === null && message.seq <= this.#read) this.wantRefetch(message.seq);
            }
            this.#seqs = null;
            this.changed();
            return page;
        } finally {
            this.#loads -= 1;
            if (this.#loads === 0) {
                this.#touched.clear();
                this.#read = 0;
            }
        }
    }

    /** What no window shows is forgotten. */
    trim() {
        if (!this.held) this.#empty();
    }

    /** It is not the user's any more. */
    forget() {
        this.row = null;
        this.applied = 0;
        this.buffer.clear();
        this.#empty();
        this.changed();
    }

    #empty() {
        this.messages.clear();
        this.refetch.clear();
        this.#seqs = null;
    }

    // --- events
    hold(event, payload) {
        if (this.buffer.size >= BUFFER) this.buffer.clear();
        this.buffer.set(payload.event_seq, { event, payload });
    }
}
