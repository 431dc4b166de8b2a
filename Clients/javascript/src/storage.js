// What outlives a reload: IndexedDB, anything of AsyncStorage's shape, or nothing. The memory is always the truth of a
// running page; this mirrors it. A storage that fails is given up, which is said once, and the page goes on.

/** Keeps [key, value] pairs; values are JSON. null as a value removes. */
class IndexedDb {
    #name;
    #db = null;
    constructor(name) {
        this.#name = name;
    }
    #open() {
        this.#db ??= new Promise((resolve, reject) => {
            const request = globalThis.indexedDB.open(this.#name, 1);
            request.onupgradeneeded = () => request.result.createObjectStore("entries");
            request.onerror = () => reject(request.error);
            request.onsuccess = () => {
                const db = request.result;
                // the user cleared the site's data, or another tab wants to
                db.onclose = () => (this.#db = null);
                db.onversionchange = () => db.close(db.onclose());
                resolve(db);
            };
        });
        return this.#db;
    }
    async #run(mode, work) {
        for (let attempt = 0; ; attempt++) {
            try {
                const transaction = (await this.#open()).transaction("entries", mode);
                const result = work(transaction.objectStore("entries"));
                await new Promise((resolve, reject) => {
                    transaction.oncomplete = resolve;
                    transaction.onerror = transaction.onabort = () => reject(transaction.error);
                });
                return result;
            } catch (error) {
                this.#db = null;
                // a connection that vanished is opened anew, once
                if (attempt > 0 || error?.name !== "InvalidStateError") throw error;
            }
        }
    }
    async load(prefix) {
        const range = globalThis.IDBKeyRange.bound(prefix, prefix + "\uffff");
        const [keys, values] = await this.#run("readonly", (store) => [store.getAllKeys(range), store.getAll(range)]);
        return keys.result.map((key, index) => [key, values.result[index]]);
    }
    async write(entries) {
        await this.#run("readwrite", (store) => {
            for (const [key, value] of entries) value === null ? store.delete(key) : store.put(value, key);
        });
    }
}

/** The keeper that `storage` names; null: nothing is kept. */
export async function openStorage(storage) {
    if (storage === "memory") return null;
    if (storage && typeof storage === "object") return new (await import("./items.js")).Items(storage);
    return globalThis.indexedDB ? new IndexedDb("parley") : null;
}

const PATIENCE_MS = 3_000;

/** One user's part of a storage. Writes go out one after the other, what has gathered meanwhile in one. */
export class Vault {
    #keeper = null;
    #prefix;
    #clock;
    #warn;
    #waiting = new Map();
    #writing;
    #asked = false;
    #begin;
    /** Nothing is written before it is known whose it is, and what was kept has been taken up. */
    opened = new Promise((resolve) => (this.#begin = resolve));
    /** Until it is known, nothing is wrong. */
    persistent = true;
    constructor(clock, warn) {
        this.#clock = clock;
        this.#warn = warn;
        this.#writing = this.opened;
    }
    /** @returns what is kept */
    open(keeper, prefix) {
        this.#keeper = keeper;
        this.#prefix = prefix;
        this.persistent = keeper !== null;
        return this.load();
    }
    begin() {
        this.#begin();
    }
    /** Of the keys that begin with `part`. */
    async load(part = "") {
        const found = new Map();
        if (!this.#keeper) return found;
        try {
            let damaged = 0;
            for (const [key, value] of await this.#patiently(this.#keeper.load(this.#prefix + part))) {
                if (value === undefined) damaged += 1;
                else found.set(key.slice(this.#prefix.length), value);
            }
            if (damaged) this.#warn("storage-damaged", `${damaged} stored entries cannot be read.`);
        } catch (error) {
            this.#giveUp(error);
        }
        return found;
    }
    /** Resolves when it is kept, or when it is clear that it cannot be. Never rejects. */
    write(entries) {
        for (const [key, value] of entries) this.#waiting.set(key, value);
        this.#writing = this.#writing.then(() => this.#flush());
        return this.#writing;
    }
    put(key, value) {
        return this.write([[key, value]]);
    }
    async #flush() {
        const entries = [...this.#waiting].map(([key, value]) => [this.#prefix + key, value]);
        this.#waiting.clear();
        if (!this.#keeper || entries.length === 0) return;
        try {
            await this.#patiently(this.#keeper.write(entries));
        } catch (error) {
            this.#giveUp(error);
        }
    }
    /** Removes all, and keeps nothing from now on: what was still under way must not come back. */
    async wipe() {
        this.write = async () => {};
        this.#begin();
        if (!this.#keeper) return;
        await this.#writing;
        try {
            const entries = await this.#keeper.load(this.#prefix);
            await this.#keeper.write(entries.map(([key]) => [key, null]));
        } catch (error) {
            this.#giveUp(error);
        }
    }
    /** Asks the browser to keep what is stored even when it runs out of space. */
    askToStay() {
        if (this.#asked || !this.#keeper) return;
        this.#asked = true;
        globalThis.navigator?.storage?.persist?.().catch(() => {});
    }
    #patiently(work) {
        return new Promise((resolve, reject) => {
            const timer = this.#clock.setTimeout(() => reject(new Error("The storage does not answer.")), PATIENCE_MS);
            work.then(resolve, reject).finally(() => this.#clock.clearTimeout(timer));
        });
    }
    #giveUp(error) {
        if (!this.#keeper) return;
        this.#keeper = null;
        this.persistent = false;
        this.#warn("storage-failed", `Unsent messages are lost with this page, because its storage fails: ${error?.message ?? error}`);
    }
}
