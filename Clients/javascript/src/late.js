// Calls for a client that has not had one yet: what they need is loaded with the first.
import { Cell } from "./base.js";
import { aborted } from "./errors.js";

const NONE = Object.freeze({ incoming: Object.freeze([]), current: null, streams: Object.freeze({}), media: "none" });

/** options: as those of Calls, without onChange(); within(work): its result, or an error when the user signs out */
export class LateCalls {
    #options;
    #calls = null;
    #stopped = false;
    constructor(options) {
        const cell = new Cell(() => this.#calls?.snapshot() ?? NONE);
        this.#options = { ...options, onChange: () => cell.invalidate() };
        const { subscribe, getSnapshot } = cell;
        this.store = { subscribe, getSnapshot, setStream: (stream) => this.#calls?.setStream(stream) };
        for (const name of ["start", "accept", "decline", "hangUp"]) {
            this.store[name] = (...args) => options.within(async () => (await this.#load())[name](...args));
        }
    }
    async #load() {
        if (!this.#calls) {
            const { Calls } = await import("./calls.js");
            if (this.#stopped) throw aborted("Stopped: there are no calls any more.");
            this.#calls ??= new Calls(this.#options);
        }
        return this.#calls;
    }
    hear(event, payload) {
        // of calls that are over nothing is left to do
        if (!this.#calls && (payload.call?.state === "ended" || payload.payload === null)) return;
        this.#load().then((calls) => calls.hear(event, payload), () => {});
    }
    stop() {
        this.#stopped = true;
        this.#calls?.stop();
        this.#calls = null;
        this.#options.onChange();
    }
}
