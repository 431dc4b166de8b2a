// What this device has yet to bring to the server. Each entry is stored before it is shown, shown before it is sent, and
// sent again with the same id until an answer comes: the server stores it once however often it arrives.
import { Sender } from "./sender.js";
import { Cell, Part, uuid } from "./base.js";
import { ParleyError, aborted, signedOut } from "./errors.js";

/**
 * options: vault, perform(entry) -> result, tell(message), onChange(conversationId), onDone(entry, result),
 * onRefused(entry, error)
 */
export class Outbox extends Part {
    #entries = new Map();
    #promises = new Map();
    /** Only in the tab that may it sends. */
    sender = new Sender({ ...this.options, outbox: this });
    /** The order of the newest: an entry has its place before it is stored. */
    #order = 0;
    /** How many are being stored, and not shown yet. */
    #keeping = 0;
    /** Ids that are over, so that no other tab's copy brings them back, and as which message they are stored. */
    #over = new Map();
    /** Why nothing is sent any more. */
    #end;
    cell = new Cell(() => this.list());

    list() {
        return [...this.#entries.values()].sort((a, b) => a.order - b.order);
    }

    of(conversationId) {
        return this.list().filter((entry) => entry.conversation_id === conversationId);
    }

    get idle() {
        return this.#keeping === 0 && this.sender.lanes.size === 0 && this.list().every((entry) => entry.state === "failed");
    }

    get(id) {
        return this.#entries.get(id);
    }

    /** Takes up what a former page, or another tab, has left. */
    restore(stored) {
        for (const entry of stored) {
            if (this.#over.has(entry.id) || this.#entries.has(entry.id)) continue;
            this.#enter(entry.state === "failed" ? entry : { ...entry, state: "waiting" });
        }
        this.sender.run();
    }

    /** From now on this tab sends. */
    async takeOver() {
        this.sender.may = true;
        // what the one before was about to send
        for (const entry of this.list()) if (entry.state === "sending") this.#set({ ...entry, state: "waiting" });
        this.sender.run();
        await this.#reload();
    }

    // What a tab had stored and died before it could hand it over, or handed over before this one could hear it.
    async #reload() {
        const stored = await this.options.vault.load("o/");
        if (!this.stopped) this.restore(stored.values());
    }

    /** kind, conversation_id, args; of a change also message_id, or ref: the client_message_id of one not yet stored. */
    add({ id = uuid(), ...entry }) {
        const now = this.options.clock.now();
        this.#order = Math.max(now, this.#order + 0.001);
        const whole = {
            message_id: null, ref: null, state: "waiting", attempts: 0, tried: false, error: null, ...entry,
            id, created_at: now, order: this.#order,
        };
        const stored = new Promise((resolve, reject) => this.#promises.set(id, { resolve, reject }));
        // who does not listen is told by the entry itself
        stored.catch(() => {});
        this.options.vault.askToStay();
        this.#keeping += 1;
        this.keep(whole).then(() => {
            this.#keeping -= 1;
            if (this.stopped || this.#over.has(id)) return;
            this.options.tell({ o: "add", entry: this.#enter(whole) });
            this.sender.run();
        });
        if (this.stopped) this.#leave();
        return { id, stored };
    }

    /** Changes the arguments of an entry that has never been on its way, or was refused. */
    amend(id, args) {
        const entry = this.get(id);
        if (!isOpen(entry)) return false;
        const { kind, conversation_id, message_id, ref } = entry;
        // where it comes too late for the tab that sends, it goes after what it was to change
        const late = { kind, conversation_id, message_id, ref, args, ...(kind === "send" && { kind: "edit", ref: id }) };
        this.keep(this.change(entry, { args: { ...entry.args, ...args } }, late));
        return true;
    }

    retry(id) {
        const entry = this.get(id);
        if (entry?.state !== "failed") return false;
        const { code, uncertain = false } = entry.error;
        // what was surely refused has not arrived, and may be cancelled again; what was too old is as young as now
        const created = code === "expired" ? this.options.clock.now() : entry.created_at;
        this.keep(this.change(entry, { state: "waiting", error: null, attempts: 0, tried: uncertain, created_at: created }));
        this.sender.run();
        return true;
    }

    cancel(id) {
        const entry = this.get(id);
        if (!entry || (entry.state !== "failed" && entry.tried)) return false;
        this.end(id, aborted());
        for (const other of this.list()) if (other.ref === id) this.cancel(other.id);
        return true;
    }

    /** A message that is stored, whoever says so first: the answer, the event, a page. */
    settle(message) {
        const entry = this.get(message.client_message_id);
        if (entry?.kind === "send" && entry.conversation_id === message.conversation_id) this.done(entry, message);
    }

    /** Tells the leader what this tab holds: it may know of an end that this tab has missed, or not know of an entry. */
    async offer() {
        await this.#reload();
        if (this.#entries.size > 0) this.options.tell({ o: "mine", entries: this.list() });
    }

    /** A message of another tab's outbox. */
    hear({ o, id, entry, late, entries, error, message }) {
        const { may } = this.sender;
        const held = this.get(id);
        if (o === "add") this.restore([entry]);
        else if (may && late && !isOpen(held)) this.add(late);
        else if (o === "state" && held && !(may && held.state === "sending")) {
            this.#set({ ...held, ...entry });
            this.sender.run();
        } else if (o === "end") {
            this.end(id, error && new ParleyError(error), message, true);
            if (held && message) this.options.onDone(held, message);
        } else if (o === "mine" && may) {
            this.restore(entries);
            for (const { id } of entries) {
                // not what it says, which the other may be changing
                const { args, ...own } = this.get(id) ?? {};
                this.options.tell(own.id ? { o: "state", id, entry: own } : { o: "end", id });
            }
        }
    }

    stop() {
        super.stop();
        this.sender.stop();
        this.#end ??= aborted("Stopped: the message stays queued.");
        this.#leave();
    }

    #leave() {
        for (const { reject } of this.#promises.values()) reject(this.#end);
        this.#promises.clear();
    }

    /** Nothing of the user stays in memory. */
    forget() {
        this.#end = signedOut("Signed out: what was not sent yet is not sent any more.");
        this.#leave();
        this.#end = signedOut("Signed out: the message is not sent.");
        this.#entries.clear();
        this.cell.invalidate();
    }

    /** @returns the entry, which knows its message if that is stored by now */
    #enter(entry) {
        const stored = this.#over.get(entry.ref);
        if (stored && !entry.message_id) this.keep((entry = { ...entry, message_id: stored }));
        this.#set(entry);
        return entry;
    }

    #set(entry) {
        this.#order = Math.max(this.#order, entry.order);
        this.#entries.set(entry.id, Object.freeze(entry));
        this.#changed(entry);
    }

    #changed(entry) {
        this.cell.invalidate();
        if (entry) this.options.onChange(entry.conversation_id);
    }

    /** Shows a change of an entry, in every tab. @returns the entry of now */
    change(entry, change, late) {
        const next = { ...entry, ...change };
        this.#set(next);
        this.options.tell({ o: "state", id: entry.id, entry: change, late });
        return next;
    }

    keep(entry) {
        return this.options.vault.put(`o/${entry.id}`, entry);
    }

    end(id, error, message, elsewhere = false) {
        const entry = this.get(id);
        this.#over.set(id, message?.id);
        this.#entries.delete(id);
        for (const other of this.list()) {
            if (!message || other.ref !== id) continue;
            const known = { ...other, message_id: message.id };
            this.#set(known);
            if (!elsewhere) this.keep(known);
        }
        // elsewhere, too: what this tab has kept of it may have come after the other's removal
        this.options.vault.put(`o/${id}`, null);
        if (!elsewhere) this.options.tell({ o: "end", id, message, error: error && { code: error.code, message: error.message } });
        const promise = this.#promises.get(id);
        this.#promises.delete(id);
        if (error) promise?.reject(error);
        else promise?.resolve(message);
        this.#changed(entry);
    }

    done(entry, result) {
        if (!this.get(entry.id)) return;
        this.end(entry.id, null, result);
        this.options.onDone(entry, result);
    }

    /** It steps aside: what is the user's text waits for retry() or cancel(), anything else is undone. */
    refuse(entry, error, uncertain) {
        if (entry.kind === "send" || entry.kind === "edit") {
            const { code, message } = error;
            this.keep(this.change(entry, { state: "failed", error: { code, message, ...(uncertain && { uncertain: true }) } }));
            this.#promises.get(entry.id)?.reject(error);
            this.#promises.delete(entry.id);
        } else this.end(entry.id, error);
        this.options.onRefused(entry, error);
    }
}

/** It has never been on its way, or was surely refused. */
function isOpen(entry) {
    return Boolean(entry) && (!entry.tried || (entry.state === "failed" && !entry.error.uncertain));
}
