// Who types: oneself, at a measured pace, and the others.
import { Cells, Part } from "./base.js";

const DEBOUNCE_MS = 300;
const REPEAT_MS = 1_000;
const PAUSE_MS = 3_000;
const HEARD_MS = 6_500;

/**
 * One's own typing, and that of the others. Nothing of it is retried: late, it would be untrue.
 * options: push(conversationId, event), userId()
 */
export class Typing extends Part {
    #own = new Map();
    #others = new Map();
    cells = new Cells((id) => [...(this.#others.get(id) ?? [])].sort());

    /** A key was pressed. The first is told after 300 ms, then once a second, and the end 3 s after the last. */
    key(id) {
        const now = this.options.clock.now();
        const own = this.#own.get(id) ?? { told: 0 };
        this.#own.set(id, own);
        const wait = own.told ? Math.max(0, own.told + REPEAT_MS - now) : DEBOUNCE_MS;
        if (!this.timers.has(`start ${id}`)) {
            this.timers.set(`start ${id}`, wait, () => {
                own.told = this.options.clock.now();
                this.options.push(id, "typing:start");
            });
        }
        this.timers.set(`stop ${id}`, PAUSE_MS, () => this.end(id));
    }

    end(id) {
        const own = this.#own.get(id);
        if (!own) return;
        this.#own.delete(id);
        this.timers.clear(`start ${id}`);
        this.timers.clear(`stop ${id}`);
        if (own.told) this.options.push(id, "typing:stop");
    }

    heard(id, event, user) {
        if (user === this.options.userId()) return;
        const users = this.#others.get(id) ?? new Set();
        this.#others.set(id, users);
        const timer = `other ${id} ${user}`;
        if (event === "typing:start") {
            users.add(user);
            this.timers.set(timer, HEARD_MS, () => this.heard(id, "typing:stop", user));
        } else {
            users.delete(user);
            this.timers.clear(timer);
        }
        this.cells.invalidate(id);
    }

    /** The connection is gone, and with it who was typing. */
    forget() {
        for (const [id, users] of this.#others) {
            users.clear();
            this.cells.invalidate(id);
        }
    }
}
