// Who is there, by conversation.
import { Cell } from "./base.js";

export class Presence {
    #ids = new Map();
    #cells = new Map();

    store(id) {
        if (!this.#cells.has(id)) this.#cells.set(id, new Cell(() => this.#ids.get(id) ?? []));
        return this.#cells.get(id);
    }

    set(id, ids) {
        this.#ids.set(id, ids);
        this.#cells.get(id)?.invalidate();
    }

    forget() {
        for (const id of this.#ids.keys()) this.set(id, []);
    }
}
