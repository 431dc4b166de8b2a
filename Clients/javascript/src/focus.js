// Tells the server which conversation is looked at, so that nothing is pushed to other devices for it. A lease: it is
// said again while the window is visible, and runs out by itself.
import { Part } from "./base.js";

const AGAIN_MS = 15_000;

/** options: isHidden(), push(payload) */
export class Focus extends Part {
    #looked = [];
    #told = null;

    /** A window on a conversation opens. @returns what to call when it closes */
    look(id) {
        const look = { id };
        this.#looked.push(look);
        this.tell();
        return () => {
            this.#looked = this.#looked.filter((other) => other !== look);
            this.tell();
        };
    }

    tell() {
        const id = this.options.isHidden() ? null : (this.#looked.at(-1)?.id ?? null);
        if (id ?? this.#told) this.options.push({ conversation_id: id, active: id !== null });
        this.#told = id;
        if (id) this.timers.set("again", AGAIN_MS, () => this.tell());
        else this.timers.clearAll();
    }
}
