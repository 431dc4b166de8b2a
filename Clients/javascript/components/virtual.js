// A list that has only the rows near the window in the page, of whatever heights. What the reader looks at does not move.
import { h } from "./dom.js";

const OVERSCAN = 900;

/**
 * The rows lie in the normal flow between two spacers that stand for the others. A row at the top of the window is the
 * anchor: whatever changes, it keeps its place. A list that is at its edge (`stick`) stays there instead.
 *
 * @template T
 */
export class VirtualList {
    /** True while the list is at the edge to which it sticks. */
    stuck = true;
    /** @type {readonly T[]} */
    items = [];

    #heights = new Map();
    #index = new Map();
    #rows = new Map();
    #anchor = null;
    #start = 0;
    #end = 0;
    #width = 0;
    #written = -1;
    #measured = "";

    /**
     * @param {HTMLElement} scroller
     * @param {HTMLElement} content the only child of the scroller
     * @param {{ stick: "top" | "bottom", key: (item: T) => string, create: (item: T) => HTMLElement,
     *     update: (row: HTMLElement, item: T, index: number) => void, estimate: (item: T) => number, moved?: () => void }} options
     *     `moved`: the window, or what is in it, has changed
     */
    constructor(scroller, content, options) {
        this.scroller = scroller;
        this.content = content;
        this.options = options;
        this.above = h("div", { class: "spacer", "aria-hidden": "true" });
        this.below = h("div", { class: "spacer", "aria-hidden": "true" });
        content.append(this.above, this.below);
        scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
        this.observer = new ResizeObserver(() => this.#resized());
        this.observer.observe(scroller);
        this.observer.observe(content);
    }

    end() {
        this.observer.disconnect();
    }

    /** @param {readonly T[]} items @param {{ sticks?: boolean }} [options] sticks: false, the edge is not the real end */
    setItems(items, { sticks = true } = {}) {
        const before = this.items;
        this.items = items;
        this.sticks = sticks;
        if (!sticks) this.stuck = false;
        const index = new Map();
        for (let at = 0; at < items.length; at += 1) index.set(this.options.key(items[at]), at);
        if (this.#anchor && !index.has(this.#anchor.key)) this.#anchor = this.#neighbour(before, index);
        this.#index = index;
        if (this.#heights.size > 2 * items.length + 1000) {
            for (const key of this.#heights.keys()) if (!index.has(key)) this.#heights.delete(key);
        }
        this.#place(true);
    }

    /** Brings a row into the window; `part` of it lies above. @returns {HTMLElement | undefined} the row */
    reveal(key, part = 0.35) {
        if (!this.#index.has(key)) return undefined;
        this.stuck = false;
        this.#anchor = { key, offset: this.scroller.clientHeight * part };
        this.#place(false);
        // At an end of the list there is no such place for it.
        this.#remember();
        return this.#rows.get(key);
    }

    /** Goes to the edge. */
    stickNow() {
        this.stuck = true;
        this.#place(false);
    }

    row(key) {
        return this.#rows.get(key);
    }

    /** Draws the rows again, of the same items. */
    refresh() {
        this.#place(true);
    }

    /** How far the window is from the first and the last item, in pixels; what is not known is estimated. */
    get distances() {
        const { scrollTop, scrollHeight, clientHeight } = this.scroller;
        return { top: scrollTop, bottom: scrollHeight - clientHeight - scrollTop };
    }

    /** The items that are in the window, first and last. @returns {[number, number] | null} */
    visible() {
        const top = this.scroller.scrollTop;
        const bottom = top + this.scroller.clientHeight;
        let first = -1;
        let last = -1;
        for (let at = this.#start; at < this.#end; at += 1) {
            const row = this.#rowAt(at);
            if (row.offsetTop + row.offsetHeight <= top + 1 || row.offsetTop >= bottom - 1) continue;
            if (first < 0) first = at;
            last = at;
        }
        return first < 0 ? null : [first, last];
    }

    // --- inside

    #rowAt(at) {
        return this.#rows.get(this.options.key(this.items[at]));
    }

    #height(at) {
        const item = this.items[at];
        return this.#heights.get(this.options.key(item)) ?? this.options.estimate(item);
    }

    #sum(from, to) {
        let sum = 0;
        for (let at = from; at < to; at += 1) sum += this.#height(at);
        return sum;
    }

    /** The anchor's nearest neighbour that is still there. */
    #neighbour(before, index) {
        const at = this.#index.get(this.#anchor.key) ?? 0;
        for (let step = 1; step < before.length; step += 1) {
            for (const item of [before[at + step], before[at - step]]) {
                const key = item && this.options.key(item);
                const row = key && this.#rows.get(key);
                if (row && index.has(key)) return { key, offset: row.offsetTop - this.scroller.scrollTop };
            }
        }
        return null;
    }

    /** Notes where the reader is. */
    #remember() {
        const { scrollTop, clientHeight, scrollHeight } = this.scroller;
        this.stuck = this.sticks !== false
            && (this.options.stick === "top" ? scrollTop < 4 : scrollHeight - clientHeight - scrollTop < 4);
        this.#anchor = null;
        for (let at = this.#start; at < this.#end; at += 1) {
            const row = this.#rowAt(at);
            if (row.offsetTop + row.offsetHeight > scrollTop + 1) {
                if (row.offsetTop < scrollTop + clientHeight) this.#anchor = { key: this.options.key(this.items[at]), offset: row.offsetTop - scrollTop };
                break;
            }
        }
        if (this.#anchor || !this.items.length) return;
        // The window was dragged to where no row is.
        let rest = scrollTop;
        let at = 0;
        while (at < this.items.length - 1 && rest > this.#height(at)) rest -= this.#height(at++);
        this.#anchor = { key: this.options.key(this.items[at]), offset: -rest };
    }

    #scrolled() {
        if (Math.abs(this.scroller.scrollTop - this.#written) < 1) return;
        this.#written = -1;
        this.#remember();
        const top = this.above.offsetHeight;
        const { scrollTop, clientHeight } = this.scroller;
        const lacksAbove = this.#start > 0 && scrollTop - top < OVERSCAN / 2;
        const lacksBelow = this.#end < this.items.length && this.below.offsetTop - scrollTop - clientHeight < OVERSCAN / 2;
        if (lacksAbove || lacksBelow) this.#place(false);
        else this.options.moved?.();
    }

    #resized() {
        if (this.#measure() === this.#measured) return;
        if (this.scroller.clientWidth !== this.#width) {
            this.#width = this.scroller.clientWidth;
            this.#heights.clear();
        }
        // What is placed here changes the content; were it observed meanwhile, that would be an error of a loop.
        this.observer.unobserve(this.content);
        this.#place(false);
        requestAnimationFrame(() => this.content.isConnected && this.observer.observe(this.content));
    }

    #measure() {
        return `${this.scroller.clientWidth} ${this.scroller.clientHeight} ${this.content.offsetHeight}`;
    }

    /** Chooses the rows, draws them, measures them, and puts the window back to where it was. */
    #place(changed) {
        const room = this.scroller.clientHeight;
        if (!room) return;
        for (let round = 0; round < 3; round += 1) {
            const [start, end] = this.#range(room);
            this.#draw(start, end, changed && round === 0);
            let off = 0;
            for (let at = start; at < end; at += 1) {
                const height = this.#rowAt(at).offsetHeight;
                off += Math.abs(height - this.#height(at));
                this.#heights.set(this.options.key(this.items[at]), height);
            }
            if (off < OVERSCAN / 3) break;
        }
        this.#restore();
        this.#measured = this.#measure();
        this.options.moved?.();
    }

    #range(room) {
        const count = this.items.length;
        if (!count) return [0, 0];
        let at = this.options.stick === "top" ? 0 : count - 1;
        let offset = this.options.stick === "top" ? 0 : room - this.#height(at);
        if (!this.stuck && this.#anchor) {
            at = this.#index.get(this.#anchor.key) ?? at;
            offset = this.#anchor.offset;
        }
        let start = at;
        for (let space = offset; start > 0 && space > -OVERSCAN; ) space -= this.#height(--start);
        let end = at + 1;
        for (let space = offset + this.#height(at); end < count && space < room + OVERSCAN; ) space += this.#height(end++);
        return [start, end];
    }

    #draw(start, end, changed) {
        const { key, create, update } = this.options;
        const wanted = new Set();
        for (let at = start; at < end; at += 1) wanted.add(key(this.items[at]));
        for (const [name, row] of this.#rows) {
            if (wanted.has(name)) continue;
            if (row.contains(row.getRootNode().activeElement)) this.scroller.focus({ preventScroll: true });
            row.remove();
            this.#rows.delete(name);
        }
        let place = this.above.nextElementSibling;
        for (let at = start; at < end; at += 1) {
            const item = this.items[at];
            const name = key(item);
            let row = this.#rows.get(name);
            const isNew = !row;
            if (!row) this.#rows.set(name, (row = create(item)));
            if (isNew || changed) update(row, item, at);
            if (row === place) place = place.nextElementSibling;
            else this.content.insertBefore(row, place);
        }
        this.#start = start;
        this.#end = end;
        this.above.style.height = `${this.#sum(0, start)}px`;
        this.below.style.height = `${this.#sum(end, this.items.length)}px`;
    }

    #restore() {
        let top;
        if (this.stuck) top = this.options.stick === "top" ? 0 : this.scroller.scrollHeight - this.scroller.clientHeight;
        else if (this.#anchor) top = (this.#rows.get(this.#anchor.key)?.offsetTop ?? 0) - this.#anchor.offset;
        else return;
        top = Math.max(0, Math.min(top, this.scroller.scrollHeight - this.scroller.clientHeight));
        if (Math.abs(this.scroller.scrollTop - top) >= 1) this.scroller.scrollTop = top;
        this.#written = this.scroller.scrollTop;
        // Where nothing was looked at before, the first row in the window is the anchor from now on.
        if (!this.#anchor) this.#remember();
    }
}
