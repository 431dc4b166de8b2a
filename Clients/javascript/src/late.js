// Calls for a client that has not had one yet: what they need is loaded with the first.
import { Cell } from "./base.js";

const NONE = Object.freeze({ incoming: Object.freeze([]), current: null, streams: Object.freeze({}), media: "none" });

export class LateCalls {
    #options;
    #calls = null;
    #loading = null;
    constructor(options) {
        this.#options = options;
        const cell = new Cell(() => this.#calls?.snapshot() ?? NONE);
        this.#options.onChange = () => cell.invalidate();
        this.store = {
            subscribe: cell.subscribe, getSnapshot: cell.getSnapshot, setStream: (stream) => this.#calls?.setStream(stream),
        };
        for (const name of ["start", "accept", "decline", "hangUp"]) this.store[name] = async (...args) => (await this.#load())[name](...args);
    }
    #load() {
        this.#loading ??= import("./calls.js").then(
            ({ Calls }) => (this.#calls = new Calls(this.#options)),
            (error) => {
                this.#loading = null;
                throw error;
            },
        );
        return this.#loading;
    }
    hear(event, payload) {
        // of calls that are over nothing is left to do
        if (!this.#calls && (payload.call?.state === "ended" || payload.payload === null)) return;
        this.#load().then((calls) => calls.hear(event, payload), () => {});
    }
    stop() {
        this.#calls?.stop();
    }
}
