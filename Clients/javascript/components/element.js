// What all components share: the client, stores that are followed while the element is in the page, errors that are shown.
import { h, sheet } from "./dom.js";
import { t } from "./strings.js";
import { theme } from "./theme.js";

/** @type {import("../src/parley.d.ts").Parley | null} */
let shared = null;
const waiting = new Set();

/** The client of every component that was not given one of its own by its property `parley`. */
export function useParley(parley) {
    shared = parley;
    for (const element of [...waiting]) element.restart();
}

export class ParleyElement extends HTMLElement {
    static styles = sheet("");

    #parley = null;
    #ends = [];
    #following = new Map();

    constructor() {
        super();
        const root = this.attachShadow({ mode: "open" });
        root.adoptedStyleSheets = [theme, /** @type {any} */ (this.constructor).styles];
        this.toasts = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
    }

    /** The client. @returns {import("../src/parley.d.ts").Parley | null} */
    get parley() {
        return this.#parley ?? shared;
    }

    set parley(parley) {
        this.#parley = parley;
        this.restart();
    }

    connectedCallback() {
        waiting.add(this);
        this.restart();
    }

    disconnectedCallback() {
        waiting.delete(this);
        this.#end();
    }

    /** Builds the element anew, with the client and the attributes of now. */
    restart() {
        this.#end();
        if (!this.isConnected) return;
        this.shadowRoot.replaceChildren();
        delete this.shadowRoot.parleyKeys;
        if (this.parley) this.start();
        this.shadowRoot.append(this.toasts);
    }

    /** To be written by the component: makes its content. */
    start() {}

    #end() {
        for (const end of this.#ends.splice(0)) end();
        for (const stop of this.#following.values()) stop();
        this.#following.clear();
    }

    /** Calls `end` when the element leaves the page, or starts anew. */
    atEnd(end) {
        this.#ends.push(end);
    }

    /**
     * Calls `show` with the snapshot of a store, now and after each change. Another store under the same name replaces it;
     * null ends it.
     */
    follow(name, store, show) {
        this.#following.get(name)?.();
        this.#following.delete(name);
        if (!store) return;
        this.#following.set(name, store.subscribe(() => show(store.getSnapshot())));
        show(store.getSnapshot());
    }

    emit(name, detail = {}) {
        return this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true }));
    }

    toast(text) {
        const note = h("div", { class: "toast" }, text);
        this.toasts.append(note);
        setTimeout(() => note.remove(), 5000);
    }

    /** Waits for `work`, and says so if it fails. @template T @param {Promise<T>} work @returns {Promise<T | undefined>} */
    async attempt(work) {
        try {
            return await work;
        } catch (error) {
            this.toast(t("somethingFailed", { reason: error?.message ?? String(error) }));
            return undefined;
        }
    }
}

/** Defines an element, once. */
export function define(name, element) {
    if (!customElements.get(name)) customElements.define(name, element);
}
