// What this device has yet to bring to the server. Each entry is stored before it is shown, shown before it is sent, and
// sent again with the same id until an answer comes: the server stores it once however often it arrives. One entry of a
// conversation is on its way at a time, so their order stays. Only one tab sends; the others hand their entries over.
//
// Failed by the network: the entry stays first and is tried again by itself. Refused by the server: it steps aside, does
// not hold up the others, and waits for retry() or cancel(), if it is the user's text; a deletion, a reaction, a vote or
// a setting is undone.
import { Cell, Timers, pause, uuid } from "./base.js";
import { ParleyError, aborted } from "./errors.js";

/** The server knows a client_message_id for 90 days. */
const TOO_OLD_MS = 60 * 86_400_000;
/** Requests at a time, of all conversations. */
const AT_ONCE = 4;
const KEPT = new Set(["send", "edit"]);

export class Outbox {
    #options;
    #timers;
    #entries = new Map();
    #lanes = new Set();
    #promises = new Map();
    /** Ids that are over, so that no other tab's copy brings them back. */
    #over = new Set();
    #wakers = new Map();
    #active = 0;
    #turns = [];
    #stopped = false;
    #maySend = false;
    cell = new Cell(() => this.list());

    /**
     * options: vault, clock, random, perform(entry) -> result, tell(message), onChange(conversationId),
     * onDone(entry, result), onRefused(entry, error)
     */
    constructor(options) {
        this.#options = options;
        this.#timers = new Timers(options.clock);
    }

    list() {
        return [...this.#entries.values()].sort((a, b) => a.order - b.order);
    }

    of(conversationId) {
        return this.list().filter((entry) => entry.conversation_id === conversationId);
    }

    get idle() {
        return this.#lanes.size === 0 && !this.list().some((entry) => entry.state !== "failed");
    }

    get(id) {
        return this.#entries.get(id);
    }

    /** Takes up what a former page, or another tab, has left. */
    restore(stored) {
        for (const entry of stored) {
            if (!this.#over.has(entry.id) && !this.#entries.has(entry.id)) {
                this.#set({ ...entry, state: entry.state === "failed" ? "failed" : "waiting" });
            }
        }
        this.#run();
    }

    /** From now on this tab sends. */
    async takeOver() {
        this.#maySend = true;
        // what the one before was about to send
        for (const entry of this.list()) if (entry.state === "sending") this.#set({ ...entry, state: "waiting" });
        this.#run();
        // what a tab had stored and died before it could hand it over
        const stored = await this.#options.vault.load("o/");
        if (!this.#stopped) this.restore(stored.values());
    }

    stepBack() {
        this.#maySend = false;
    }

    /** kind, conversation_id, args; of a change also message_id, or ref: the client_message_id of one not yet stored. */
    add({ id = uuid(), ...entry }) {
        const last = Math.max(0, ...this.list().map((other) => other.order));
        const now = this.#options.clock.now();
        const whole = {
            message_id: null, ref: null, state: "waiting", attempts: 0, tried: false, error: null, ...entry,
            id, created_at: now, order: Math.max(now, last + 0.001),
        };
        const stored = new Promise((resolve, reject) => this.#promises.set(id, { resolve, reject }));
        // who does not listen is told by the entry itself
        stored.catch(() => {});
        this.#options.vault.askToStay();
        this.#options.vault.put(`o/${id}`, whole).then(() => {
            if (this.#stopped || this.#over.has(id)) return;
            this.#set(whole);
            this.#options.tell({ o: "add", entry: whole });
            this.#run();
        });
        return { id, stored };
    }

    /** Changes the arguments of an entry that has never been on its way, or was refused. */
    amend(id, args) {
        const entry = this.#entries.get(id);
        const open = entry && (!entry.tried || (entry.state === "failed" && !entry.error.uncertain));
        if (!open) return false;
        const next = { ...entry, args: { ...entry.args, ...args } };
        this.#set(next);
        this.#options.vault.put(`o/${id}`, next);
        this.#options.tell({ o: "amend", entry: next });
        return true;
    }

    retry(id) {
        const entry = this.#entries.get(id);
        if (entry?.state !== "failed") return false;
        // what was surely refused has not arrived, and may be cancelled again; what was too old is as young as now
        const next = { ...entry, state: "waiting", error: null, attempts: 0, tried: entry.error?.uncertain ?? false };
        if (entry.error?.code === "expired") next.created_at = this.#options.clock.now();
        this.#set(next);
        this.#options.vault.put(`o/${id}`, next);
        this.#options.tell({ o: "retry", id });
        this.#run();
        return true;
    }

    cancel(id) {
        const entry = this.#entries.get(id);
        if (!entry || (entry.state !== "failed" && entry.tried)) return false;
        this.#end(id, aborted("The message was cancelled."));
        this.#options.tell({ o: "end", id, error: { code: "aborted", message: "The message was cancelled." } });
        for (const other of this.list()) if (other.ref === id) this.cancel(other.id);
        return true;
    }

    /** A message that is stored, whoever says so first: the answer, the event, a page. */
    settle(message) {
        const id = message.client_message_id;
        const entry = id && this.#entries.get(id);
        if (entry?.kind !== "send" || entry.conversation_id !== message.conversation_id) return;
        this.#done(entry, message);
    }

    /** The connection is back: what waits for its next try goes now. */
    wake() {
        for (const [wake, firm] of [...this.#wakers]) if (!firm) wake();
        this.#run();
    }

    /** Tells the leader what this tab holds: it may know of an end that this tab has missed, or not know of an entry. */
    offer() {
        if (this.#entries.size > 0) this.#options.tell({ o: "mine", entries: this.list() });
    }

    /** A message of another tab's outbox. */
    hear({ o, id, entry, entries, error, message }) {
        if (o === "mine" && this.#maySend) {
            for (const other of entries) {
                const held = this.#entries.get(other.id);
                if (this.#over.has(other.id)) this.#options.tell({ o: "end", id: other.id });
                else if (held) this.#options.tell({ o: "state", id: held.id, entry: { state: held.state, tried: held.tried, error: held.error } });
                else this.restore([other]);
            }
        }
        if (o === "add" || o === "amend") {
            if (this.#over.has(entry.id) || (o === "add" && this.#entries.has(entry.id))) return;
            this.#set({ ...this.#entries.get(entry.id), ...entry });
            this.#run();
        } else if (o === "retry") {
            const held = this.#entries.get(id);
            if (held?.state === "failed") this.#set({ ...held, state: "waiting", error: null, attempts: 0 });
            this.#run();
        } else if (o === "state" && this.#entries.has(id)) {
            this.#set({ ...this.#entries.get(id), ...entry });
        } else if (o === "end") {
            const held = this.#entries.get(id);
            this.#end(id, error && new ParleyError(error), message, true);
            if (held && message) this.#options.onDone(held, message);
        }
    }

    stop() {
        this.#stopped = true;
        this.#timers.clearAll();
        for (const wake of [...this.#wakers.keys()]) wake();
        for (const { reject } of this.#promises.values()) reject(aborted("The client was stopped; the message stays queued."));
        this.#promises.clear();
    }

    #set(entry) {
        this.#entries.set(entry.id, Object.freeze(entry));
        this.cell.invalidate();
        this.#options.onChange(entry.conversation_id);
    }

    #end(id, error, message, elsewhere = false) {
        const entry = this.#entries.get(id);
        this.#over.add(id);
        this.#entries.delete(id);
        if (!elsewhere) this.#options.vault.put(`o/${id}`, null);
        const promise = this.#promises.get(id);
        this.#promises.delete(id);
        if (error) promise?.reject(error);
        else promise?.resolve(message);
        this.cell.invalidate();
        if (entry) this.#options.onChange(entry.conversation_id);
    }

    #done(entry, result) {
        if (!this.#entries.has(entry.id)) return;
        for (const other of this.list().filter((o) => entry.kind === "send" && o.ref === entry.id)) {
            const known = { ...other, message_id: result.id };
            this.#set(known);
            this.#options.vault.put(`o/${other.id}`, known);
        }
        this.#end(entry.id, null, result);
        this.#options.tell({ o: "end", id: entry.id, message: result });
        this.#options.onDone(entry, result);
    }

    #run() {
        if (!this.#maySend || this.#stopped) return;
        for (const entry of this.list()) {
            if (entry.state !== "waiting" || this.#lanes.has(entry.conversation_id)) continue;
            this.#lanes.add(entry.conversation_id);
            this.#lane(entry.conversation_id).finally(() => {
                this.#lanes.delete(entry.conversation_id);
                this.#run();
            });
        }
    }

    async #lane(conversationId) {
        for (;;) {
            const entry = this.of(conversationId).find((other) => other.state !== "failed");
            if (!entry || this.#stopped || !this.#maySend) return;
            const wait = await this.#attempt(entry);
            if (wait) await this.#pause(wait);
        }
    }

    /** Tries once; returns how long to wait before the next try, if there is one. */
    async #attempt(entry) {
        const { clock, vault, perform, random } = this.#options;
        if (clock.now() - entry.created_at > TOO_OLD_MS) {
            const message = "It was not sent within 60 days.";
            this.#refuse(entry, new ParleyError({ code: "expired", message, retriable: false }), entry.tried);
            return null;
        }
        if (entry.ref && !entry.message_id && !this.#entries.has(entry.ref)) {
            // its message was cancelled
            this.#end(entry.id, aborted("The message was cancelled."));
            return null;
        }
        // That it may have arrived is kept before it may: it can be cancelled no more.
        const trying = { ...entry, state: "sending", tried: true, attempts: entry.attempts + 1 };
        this.#set(trying);
        this.#options.tell({ o: "state", id: entry.id, entry: { state: "sending", tried: true } });
        if (!entry.tried) await vault.put(`o/${entry.id}`, trying);
        if (!this.#entries.has(entry.id) || this.#stopped) return null;
        try {
            this.#done(trying, await this.#inTurn(() => perform(trying)));
            return null;
        } catch (error) {
            if (this.#stopped || !this.#entries.has(entry.id)) return null;
            // no token is no refusal of this entry
            if (!error.retriable && error.status !== 401 && error.code !== "aborted") {
                // an earlier try without an answer may have arrived
                this.#refuse(trying, error, entry.tried || error.uncertain);
                return null;
            }
            this.#set({ ...trying, state: "waiting" });
            this.#options.tell({ o: "state", id: entry.id, entry: { state: "waiting" } });
            return { ms: pause(entry.attempts, error, random), firm: error.retryAfter > 0 };
        }
    }

    #refuse(entry, error, uncertain) {
        const { vault, tell, onRefused } = this.#options;
        const reason = { code: error.code, message: error.message, ...(uncertain ? { uncertain: true } : {}) };
        if (KEPT.has(entry.kind)) {
            const failed = { ...entry, state: "failed", error: reason };
            this.#set(failed);
            vault.put(`o/${entry.id}`, failed);
            tell({ o: "state", id: entry.id, entry: { state: "failed", error: reason } });
            this.#promises.get(entry.id)?.reject(error);
            this.#promises.delete(entry.id);
        } else {
            this.#end(entry.id, error);
            tell({ o: "end", id: entry.id, error: reason });
        }
        onRefused(entry, error);
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
                this.#timers.clear(wake);
                resolve();
            };
            this.#wakers.set(wake, firm);
            this.#timers.set(wake, ms, wake);
        });
    }
}
