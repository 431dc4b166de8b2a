// Who is there, by conversation.
import { Cell } from "./base.js";

export class Presence {
    #entries = new Map();

    #entry(id) {
        if (!this.#entries.has(id)) {
            const entry = { ids: [] };
            entry.cell = new Cell(() => entry.ids);
            this.#entries.set(id, entry);
        }
        return this.#entries.get(id);
    }

    store(id) {
        return this.#entry(id).cell;
    }

    set(id, ids) {
        const entry = this.#entry(id);
        entry.ids = ids;
        entry.cell.invalidate();
    }

    forget() {
        for (const id of this.#entries.keys()) this.set(id, []);
    }
}
