// Which conversations are looked at, in this tab and in the others: theirs are leases, which they say again.

const LEASE_MS = 150_000;

export class Watched {
    #clock;
    #counts = new Map();
    #leases = new Map();
    constructor(clock) {
        this.#clock = clock;
    }

    get own() {
        return [...this.#counts.keys()];
    }

    add(id, by) {
        const count = (this.#counts.get(id) ?? 0) + by;
        if (count > 0) this.#counts.set(id, count);
        else this.#counts.delete(id);
    }

    lease(tab, ids) {
        this.#leases.set(tab, { ids, until: this.#clock.now() + LEASE_MS });
    }

    end(tab) {
        this.#leases.delete(tab);
    }

    all() {
        const all = new Set(this.own);
        for (const [tab, { ids, until }] of this.#leases) {
            if (until < this.#clock.now()) this.end(tab);
            else for (const id of ids) all.add(id);
        }
        return all;
    }
}
