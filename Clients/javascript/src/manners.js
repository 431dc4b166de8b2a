// What is told in batches or at a measured pace: receipts, typing, drafts.
import { Cell, Timers, pause } from "./base.js";

/** How long receipts and drafts are gathered. */
const GATHER_MS = 2_000;
const RECEIPTS_COUNT = 10;
/** In larger groups everybody's "it has arrived" would be more than the messages. */
const DELIVERED_GROUP = 32;

/** The newest value of each conversation, sent every 2 s; what the network stopped is sent again by itself. */
export class Batch {
    #options;
    #timers;
    #waiting = new Map();
    #flying = new Set();
    #fails = 0;

    /** options: clock, random, send(id, value) -> result, onSent(id, result, value, newest), onLost(id, error) */
    constructor(options) {
        this.#options = options;
        this.#timers = new Timers(options.clock);
    }

    get idle() {
        return this.#waiting.size + this.#flying.size === 0;
    }
    get failing() {
        return this.#fails > 0;
    }
    busy(id) {
        return this.#waiting.has(id) || this.#flying.has(id);
    }
    waiting(id) {
        return this.#waiting.get(id);
    }

    put(id, value) {
        this.#waiting.set(id, value);
        this.#later(GATHER_MS);
    }

    #later(ms) {
        if (!this.#timers.has("flush")) this.#timers.set("flush", ms, () => this.flushAll());
    }

    flushAll() {
        this.#timers.clear("flush");
        for (const id of [...this.#waiting.keys()]) this.flush(id);
    }

    async flush(id) {
        const value = this.#waiting.get(id);
        if (value === undefined) return;
        if (this.#flying.has(id)) return this.#later(GATHER_MS);
        this.#waiting.delete(id);
        this.#flying.add(id);
        const { send, onSent, onLost, random } = this.#options;
        try {
            const result = await send(id, value);
            this.#fails = 0;
            onSent(id, result, value, !this.#waiting.has(id));
        } catch (error) {
            if (!error.retriable && error.status !== 401) return onLost(id, error);
            if (!this.#waiting.has(id)) this.#waiting.set(id, value);
            this.#later(pause(this.#fails, error, random));
            this.#fails += 1;
        } finally {
            this.#flying.delete(id);
        }
    }

    stop() {
        this.#timers.end();
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
        const before = this.waiting(id) ?? this.#sent.get(id) ?? -1;
        if (seq <= before) return;
        this.put(id, seq);
        if (seq - (this.#sent.get(id) ?? from) >= RECEIPTS_COUNT && !this.failing) this.flush(id);
    }
    forget(id) {
        this.#sent.delete(id);
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
