// Who is there, by conversation.
import { Cells } from "./base.js";

export class Presence {
    #ids = new Map();
    cells = new Cells((id) => this.#ids.get(id) ?? []);

    set(id, ids) {
        this.#ids.set(id, ids);
        this.cells.invalidate(id);
    }

    forget() {
        for (const id of this.#ids.keys()) this.set(id, []);
    }
}
