// What a page tells of itself: that it is looked at again, that the network is back, that it may end soon.
import { Part } from "./base.js";

/** options: page, onBack(), onAway() */
export class Visibility extends Part {
    #end = new AbortController();
    get hidden() {
        return this.options.page.document?.visibilityState === "hidden";
    }
    start() {
        const { onBack, onAway, page } = this.options;
        const { document } = page;
        if (!document?.addEventListener || !page.addEventListener) return;
        const { signal } = this.#end;
        document.addEventListener("visibilitychange", () => (this.hidden ? onAway() : onBack()), { signal });
        for (const event of ["online", "offline", "pageshow", "focus"]) page.addEventListener(event, onBack, { signal });
        page.addEventListener("pagehide", onAway, { signal });
    }
    stop() {
        super.stop();
        this.#end.abort();
    }
}
