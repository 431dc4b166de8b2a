// Small things that everything uses.

export const systemClock = {
    now: () => Date.now(),
    setTimeout: (action, ms) => globalThis.setTimeout(action, ms),
    clearTimeout: (timer) => globalThis.clearTimeout(timer),
};

/** Seconds to wait before try n (0, 1, 2...): 1, 2, 4, 8, 16, 30, each a fifth more or less, so that clients do not return at once. */
export function backoff(n, random) {
    return Math.min(30, 2 ** Math.min(n, 5)) * (0.8 + 0.4 * random());
}

/** ms to wait after this many failed tries, the last with this error. */
export function pause(tries, error, random) {
    return 1000 * Math.max(backoff(tries, random), error?.retryAfter ?? 0);
}

/** Calls all; the fault of one is reported and stops nothing. */
export function tell(listeners, detail) {
    for (const listener of [...listeners]) {
        try {
            listener(detail);
        } catch (error) {
            console.error(error);
        }
    }
}

/** A value with listeners. `compute` runs when it is asked for after a change; listeners hear once of many changes. */
export class Cell {
    #compute;
    #value;
    #fresh = false;
    #told = true;
    #listeners = new Set();
    constructor(compute) {
        this.#compute = compute;
    }
    get watched() {
        return this.#listeners.size > 0;
    }
    subscribe = (listener) => {
        // each call is a subscription of its own, also of the same function
        const own = () => listener();
        this.#listeners.add(own);
        return () => this.#listeners.delete(own);
    };
    getSnapshot = () => {
        if (!this.#fresh) {
            this.#fresh = true;
            const value = this.#compute();
            if (!same(value, this.#value)) this.#value = value;
        }
        return this.#value;
    };
    invalidate() {
        this.#fresh = false;
        if (!this.#told) return;
        this.#told = false;
        queueMicrotask(() => {
            this.#told = true;
            tell(this.#listeners);
        });
    }
}

/** Equal, looking one level into objects and two into arrays in them: what is the same keeps its identity. */
export function same(a, b, depth = 2) {
    if (Object.is(a, b)) return true;
    if (depth === 0 || typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
    if (Array.isArray(a) !== Array.isArray(b)) return false;
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every((key) => same(a[key], b[key], depth - 1));
}

export function compare(a, b) {
    return a < b ? -1 : a > b ? 1 : 0;
}

/** A random uuid, of version 4. */
export function uuid() {
    const crypto = globalThis.crypto;
    if (crypto?.randomUUID) return crypto.randomUUID();
    const random = () => (crypto ? crypto.getRandomValues(new Uint8Array(1))[0] : Math.random() * 256);
    return "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx".replace(/x/g, () => (random() & 15).toString(16));
}

/** A timestamp of the server as text that sorts: its fraction has as many digits as it needs, up to six. */
export function moment(text) {
    if (!text) return "";
    return text.replace(/^(.{19})\.?(\d*).*/, (_, second, fraction) => `${second}.${fraction.padEnd(6, "0")}`);
}

export function later(a, b) {
    return moment(a) < moment(b) ? b : a;
}

/** The first `count` characters as Postgres counts them. */
export function left(text, count) {
    if (text == null || text.length <= count) return text ?? null;
    return Array.from(text).slice(0, count).join("");
}

/** What is inside a token; null if it is none. */
export function claimsOf(token) {
    try {
        // names in other letters come out garbled; who and until when does not
        return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
    } catch {
        return null;
    }
}

/** Timers by name: one of each at a time. */
export class Timers {
    #clock;
    #timers = new Map();
    constructor(clock) {
        this.#clock = clock;
    }
    has(name) {
        return this.#timers.has(name);
    }
    /** Sets or replaces the timer. */
    set(name, ms, action) {
        this.clear(name);
        const timer = this.#clock.setTimeout(() => {
            this.#timers.delete(name);
            action();
        }, ms);
        this.#timers.set(name, timer);
    }
    clear(name) {
        this.#clock.clearTimeout(this.#timers.get(name));
        this.#timers.delete(name);
    }
    clearAll() {
        for (const name of [...this.#timers.keys()]) this.clear(name);
    }
    /** No timer is set any more: what was under way when its owner stopped begins nothing anew. */
    end() {
        this.clearAll();
        this.set = () => {};
    }
}

/** A part of the client: what it was given, the clock and randomness in it, and timers that end with it. */
export class Part {
    stopped = false;
    /** How often in a row it has failed at what it tries again by itself. */
    fails = 0;
    constructor(options) {
        this.options = options;
        this.timers = new Timers(options.clock);
    }
    /** ms to wait after one more failure. */
    pause(error) {
        this.fails += 1;
        return pause(this.fails - 1, error, this.options.random);
    }
    stop() {
        this.stopped = true;
        this.timers.end();
    }
}

/** A cell for each id, from when it is asked for. */
export class Cells {
    #compute;
    #cells = new Map();
    constructor(compute) {
        this.#compute = compute;
    }
    get(id) {
        if (!this.#cells.has(id)) this.#cells.set(id, new Cell(() => this.#compute(id)));
        return this.#cells.get(id);
    }
    invalidate(id) {
        this.#cells.get(id)?.invalidate();
    }
}
