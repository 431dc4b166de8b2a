// Sends the queue's entries, only in the tab that may: one of a conversation at a time, so their order stays, but
// settings and marks, which may wait for a sync, beside them. Failed by the network, an entry stays first and is tried
// again by itself; refused by the server, it does not hold up the others.
import { ParleyError, aborted } from "./errors.js";
import { Part, pause } from "./base.js";

/** The server knows a client_message_id for 90 days. */
const TOO_OLD_MS = 60 * 86_400_000;
/** Requests at a time, of all conversations. */
const AT_ONCE = 4;

const laneOf = ({ conversation_id: id, kind }) => (kind === "settings" || kind === "unread" ? `${kind} ${id}` : id);

/** options: outbox, perform(entry) -> result */
export class Sender extends Part {
    /** What is being worked off. */
    lanes = new Set();
    #wakers = new Map();
    #active = 0;
    #turns = [];
    may = false;

    run() {
        if (!this.may || this.stopped) return;
        for (const entry of this.options.outbox.list()) {
            const lane = laneOf(entry);
            if (entry.state !== "waiting" || this.lanes.has(lane)) continue;
            this.lanes.add(lane);
            this.#lane(lane, entry.conversation_id).finally(() => {
                this.lanes.delete(lane);
                this.run();
            });
        }
    }

    async #lane(lane, conversationId) {
        for (;;) {
            const entry = this.options.outbox.of(conversationId).find((other) => laneOf(other) === lane && other.state !== "failed");
            if (!entry || this.stopped || !this.may) return;
            const wait = await this.#attempt(entry);
            if (wait) await this.#pause(wait);
        }
    }

    /** Tries once; returns how long to wait before the next try, if there is one. */
    async #attempt(entry) {
        const { clock, outbox, perform, random } = this.options;
        if (clock.now() - entry.created_at > TOO_OLD_MS) {
            const message = "It was not sent within 60 days.";
            return void outbox.refuse(entry, new ParleyError({ code: "expired", message }), entry.tried);
        }
        // its message was cancelled
        if (entry.ref && !entry.message_id && !outbox.get(entry.ref)) return void outbox.end(entry.id, aborted());
        // That it may have arrived is kept before it may: it can be cancelled no more.
        const trying = outbox.change(entry, { state: "sending", tried: true, attempts: entry.attempts + 1 });
        if (!entry.tried) await outbox.keep(trying);
        const over = () => this.stopped || !outbox.get(entry.id);
        if (over()) return;
        try {
            outbox.done(trying, await this.#inTurn(() => {
                if (over()) throw aborted();
                return perform(trying);
            }));
        } catch (error) {
            if (over()) return;
            // no token is no refusal of this entry
            if (error.retriable || error.status === 401 || error.code === "aborted") {
                outbox.change(trying, { state: "waiting" });
                return { ms: pause(entry.attempts, error, random), firm: error.retryAfter > 0 };
            }
            // an earlier try without an answer may have arrived
            outbox.refuse(trying, error, entry.tried || error.uncertain);
        }
    }

    async #inTurn(work) {
        while (this.#active >= AT_ONCE) await new Promise((resolve) => this.#turns.push(resolve));
        this.#active += 1;
        try {
            return await work();
        } finally {
            this.#active -= 1;
            this.#turns.shift()?.();
        }
    }

    /** firm: the server asked for this wait, so no connection that comes back ends it. */
    #pause({ ms, firm }) {
        return new Promise((resolve) => {
            const wake = () => {
                this.#wakers.delete(wake);
                this.timers.clear(wake);
                resolve();
            };
            this.#wakers.set(wake, firm);
            this.timers.set(wake, ms, wake);
        });
    }

    /** What waits for its next try goes now, as when the connection is back. */
    wake(all = false) {
        for (const [wake, firm] of [...this.#wakers]) if (all || !firm) wake();
        this.run();
    }

    stop() {
        super.stop();
        this.wake(true);
    }
}
