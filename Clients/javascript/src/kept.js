// The newest messages of the conversations that were looked at last: what a start without a network can show.
import { Part } from "./base.js";

const MESSAGES = 40;
const CONVERSATIONS = 30;
const WAIT_MS = 2_000;

/** options: vault */
export class Kept extends Part {
    /** By conversation. */
    messages = new Map();
    #recent = [];

    restore(stored) {
        for (const [key, value] of stored) if (key.startsWith("m/")) this.messages.set(key.slice(2), value);
        this.#recent = stored.get("recent") ?? [];
    }

    changed(conversation) {
        if (this.timers.has(conversation.id) || ![...conversation.views].some((view) => view.atEnd)) return;
        this.timers.set(conversation.id, WAIT_MS, () => this.#keep(conversation));
    }

    #keep({ id, seqs, messages, row }) {
        if (!row || seqs.length === 0) return;
        const newest = seqs.slice(-MESSAGES).map((seq) => messages.get(seq));
        this.messages.set(id, newest);
        const entries = [[`m/${id}`, newest]];
        if (this.#recent[0] !== id) {
            this.#recent = [id, ...this.#recent.filter((other) => other !== id)];
            for (const old of this.#recent.splice(CONVERSATIONS)) {
                this.messages.delete(old);
                entries.push([`m/${old}`, null]);
            }
            entries.push(["recent", this.#recent]);
        }
        this.options.vault.write(entries);
    }
}
