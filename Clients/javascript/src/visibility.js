// What a page tells of itself: that it is looked at again, that the network is back, that it may end soon.
export class Visibility {
    #options;
    #undo = [];
    constructor(options) {
        this.#options = options;
    }
    get hidden() {
        return globalThis.document?.visibilityState === "hidden";
    }
    start() {
        const { onBack, onAway } = this.#options;
        const { document, addEventListener } = globalThis;
        const listen = (target, event, action) => {
            target.addEventListener(event, action);
            this.#undo.push(() => target.removeEventListener(event, action));
        };
        if (document?.addEventListener) listen(document, "visibilitychange", () => (this.hidden ? onAway() : onBack()));
        if (!document || !addEventListener) return;
        for (const event of ["online", "offline", "pageshow", "focus"]) listen(globalThis, event, onBack);
        listen(globalThis, "pagehide", onAway);
    }
    stop() {
        for (const undo of this.#undo.splice(0)) undo();
    }
}
