// What is told in batches or at a measured pace: receipts, typing, drafts.
import { Cell, Timers, backoff } from "./base.js";

const RECEIPTS_MS = 2_000;
const RECEIPTS_COUNT = 10;
/** In larger groups everybody's "it has arrived" would be more than the messages. */
const DELIVERED_GROUP = 32;

/** Horizons to report: gathered for 2 s, or until 10 messages have come together, then sent as one. */
export class Receipts {
    #options;
    #timers;
    #pending = new Map();
    #sent = new Map();
    #flying = 0;
    #fails = 0;

    /** options: rpc, clock, random, functionName, onSent(conversationId, seq), onLost(conversationId, seq, error) */
    constructor(options) {
        this.#options = options;
        this.#timers = new Timers(options.clock);
    }

    get idle() {
        return this.#pending.size === 0 && this.#flying === 0;
    }

    add(conversationId, seq, from) {
        const before = this.#pending.get(conversationId) ?? this.#sent.get(conversationId) ?? from;
        if (seq <= before && !this.#pending.has(conversationId) && this.#sent.has(conversationId)) return;
        this.#pending.set(conversationId, Math.max(seq, this.#pending.get(conversationId) ?? 0));
        const count = seq - (this.#sent.get(conversationId) ?? from);
        if (count >= RECEIPTS_COUNT && this.#fails === 0) this.flush(conversationId);
        else if (!this.#timers.has("flush")) this.#timers.set("flush", RECEIPTS_MS, () => this.flushAll());
    }

    forget(conversationId) {
        this.#sent.delete(conversationId);
    }

    flushAll() {
        this.#timers.clear("flush");
        return Promise.all([...this.#pending.keys()].map((id) => this.flush(id)));
    }

    async flush(conversationId) {
        const seq = this.#pending.get(conversationId);
        if (seq === undefined) return;
        this.#pending.delete(conversationId);
        const { rpc, functionName, onSent, onLost, random } = this.#options;
        this.#flying += 1;
        try {
            await rpc(functionName, { conversation_id: conversationId, seq });
            this.#fails = 0;
            this.#sent.set(conversationId, Math.max(seq, this.#sent.get(conversationId) ?? 0));
            onSent(conversationId, seq);
        } catch (error) {
            if (!error.retriable && error.status !== 401) return onLost(conversationId, seq, error);
            this.#pending.set(conversationId, Math.max(seq, this.#pending.get(conversationId) ?? 0));
            const wait = Math.max(backoff(this.#fails, random), error.retryAfter ?? 0);
            this.#fails += 1;
            this.#timers.set("flush", wait * 1000, () => this.flushAll());
        } finally {
            this.#flying -= 1;
        }
    }

    stop() {
        this.#timers.clearAll();
        this.#pending.clear();
    }
}

export function wantsDelivered(row) {
    return row.participant_count <= DELIVERED_GROUP && row.me && row.me.folder !== "requests";
}

const DEBOUNCE_MS = 300;
const REPEAT_MS = 1_000;
const PAUSE_MS = 3_000;
const HEARD_MS = 6_500;

/** One's own typing, and that of the others. Nothing of it is retried: late, it would be untrue. */
export class Typing {
    #options;
    #timers;
    #own = new Map();
    #others = new Map();
    #cells = new Map();

    /** options: clock, push(conversationId, event), userId() */
    constructor(options) {
        this.#options = options;
        this.#timers = new Timers(options.clock);
    }

    /** A key was pressed. The first is told after 300 ms, then once a second, and the end 3 s after the last. */
    key(id) {
        const now = this.#options.clock.now();
        const own = this.#own.get(id) ?? { told: -Infinity };
        this.#own.set(id, own);
        const wait = own.told === -Infinity ? DEBOUNCE_MS : Math.max(0, own.told + REPEAT_MS - now);
        if (!this.#timers.has(`start ${id}`)) {
            this.#timers.set(`start ${id}`, wait, () => {
                own.told = this.#options.clock.now();
                this.#options.push(id, "typing:start");
            });
        }
        this.#timers.set(`stop ${id}`, PAUSE_MS, () => this.end(id));
    }

    end(id) {
        const own = this.#own.get(id);
        if (!own) return;
        this.#own.delete(id);
        this.#timers.clear(`start ${id}`);
        this.#timers.clear(`stop ${id}`);
        if (own.told !== -Infinity) this.#options.push(id, "typing:stop");
    }

    heard(id, event, user) {
        if (user === this.#options.userId()) return;
        const users = this.#others.get(id) ?? new Set();
        this.#others.set(id, users);
        const timer = `other ${id} ${user}`;
        if (event === "typing:start") {
            users.add(user);
            this.#timers.set(timer, HEARD_MS, () => this.heard(id, "typing:stop", user));
        } else {
            users.delete(user);
            this.#timers.clear(timer);
        }
        this.#cells.get(id)?.invalidate();
    }

    /** The connection is gone, and with it who was typing. */
    forget() {
        for (const [id, users] of this.#others) {
            users.clear();
            this.#cells.get(id)?.invalidate();
        }
    }

    store(id) {
        let cell = this.#cells.get(id);
        if (!cell) this.#cells.set(id, (cell = new Cell(() => [...(this.#others.get(id) ?? [])].sort())));
        return cell;
    }

    stop() {
        this.#timers.clearAll();
    }
}

const DRAFT_MS = 2_000;

/** Drafts: here at once, on the server every 2 s, and cleared by sending. */
export class Drafts {
    #options;
    #timers;
    #dirty = new Map();
    #flying = new Set();
    #fails = 0;

    /** options: rpc, clock, random, vault, onSaved(conversationId, draft, isNewest) */
    constructor(options) {
        this.#options = options;
        this.#timers = new Timers(options.clock);
    }

    get idle() {
        return this.#dirty.size === 0 && this.#flying.size === 0;
    }

    restore(id, draft) {
        this.#dirty.set(id, draft);
        this.#later();
    }

    set(id, draft) {
        this.#dirty.set(id, draft);
        this.#options.vault.put(`d/${id}`, draft ?? { content: null });
        this.#later();
    }

    busy(id) {
        return this.#dirty.has(id) || this.#flying.has(id);
    }

    #later(ms = DRAFT_MS) {
        if (!this.#timers.has("save")) this.#timers.set("save", ms, () => this.flush());
    }

    async flush() {
        this.#timers.clear("save");
        await Promise.all([...this.#dirty.keys()].map((id) => this.#save(id)));
    }

    async #save(id) {
        if (this.#flying.has(id)) return this.#later();
        const draft = this.#dirty.get(id);
        this.#dirty.delete(id);
        this.#flying.add(id);
        const { rpc, vault, onSaved, random } = this.#options;
        const args = draft?.content == null ? {} : { content: draft.content, reply_to_id: draft.reply_to_id, metadata: draft.metadata };
        try {
            const saved = await rpc("save_draft", { conversation_id: id, ...args });
            this.#fails = 0;
            const newest = !this.#dirty.has(id);
            if (newest) vault.put(`d/${id}`, null);
            onSaved(id, saved, newest);
        } catch (error) {
            if (error.retriable || error.status === 401) {
                if (!this.#dirty.has(id)) this.#dirty.set(id, draft);
                this.#later(Math.max(backoff(this.#fails, random), error.retryAfter ?? 0) * 1000);
                this.#fails += 1;
            } else if (!this.#dirty.has(id)) {
                // the conversation is not the user's any more, or it is too long: it stays here
                vault.put(`d/${id}`, null);
            }
        } finally {
            this.#flying.delete(id);
        }
    }

    stop() {
        this.#timers.clearAll();
    }
}
