// What is told in batches: receipts and drafts.
import { Part } from "./base.js";

/** How long receipts and drafts are gathered. */
const GATHER_MS = 2_000;
const RECEIPTS_COUNT = 10;

/**
 * The newest value of each conversation, sent every 2 s; what the network stopped is sent again by itself.
 * options: send(id, value) -> result, onSent(id, result, value, newest), onLost(id, error)
 */
export class Batch extends Part {
    waiting = new Map();
    #flying = new Set();

    get idle() {
        return this.waiting.size + this.#flying.size === 0;
    }
    busy(id) {
        return this.waiting.has(id) || this.#flying.has(id);
    }

    put(id, value) {
        this.waiting.set(id, value);
        this.#later(GATHER_MS);
    }

    #later(ms) {
        if (!this.timers.has("flush")) this.timers.set("flush", ms, () => this.flushAll());
    }

    flushAll() {
        this.timers.clear("flush");
        for (const id of [...this.waiting.keys()]) this.flush(id);
    }

    async flush(id) {
        const value = this.waiting.get(id);
        if (value === undefined) return;
        if (this.#flying.has(id)) return this.#later(GATHER_MS);
        this.waiting.delete(id);
        this.#flying.add(id);
        const { send, onSent, onLost } = this.options;
        try {
            const result = await send(id, value);
            this.fails = 0;
            onSent(id, result, value, !this.waiting.has(id));
        } catch (error) {
            if (!error.retriable && error.status !== 401) return onLost(id, error);
            if (!this.waiting.has(id)) this.waiting.set(id, value);
            this.#later(this.pause(error));
        } finally {
            this.#flying.delete(id);
        }
    }
}

/** Horizons: 10 messages that have come together do not wait for their 2 s, and none goes back. */
export class Receipts extends Batch {
    #sent = new Map();
    constructor({ onSent, ...options }) {
        super({
            ...options,
            onSent: (id, result, seq) => {
                this.#sent.set(id, seq);
                onSent(id, seq);
            },
        });
    }
    add(id, seq, from) {
        const before = this.waiting.get(id) ?? this.#sent.get(id) ?? -1;
        if (seq <= before) return;
        this.put(id, seq);
        if (seq - (this.#sent.get(id) ?? from) >= RECEIPTS_COUNT && this.fails === 0) this.flush(id);
    }
    forget(id) {
        this.#sent.delete(id);
    }
}
