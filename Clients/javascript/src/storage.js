// What outlives a reload: IndexedDB, anything of AsyncStorage's shape, or nothing. The memory is always the truth of a
// running page; this mirrors it. A storage that fails is given up, which is said once, and the page goes on.

/** Keeps [key, value] pairs; values are JSON. null as a value removes. */
class IndexedDb {
    #db = null;
    #open() {
        this.#db ??= new Promise((resolve, reject) => {
            const request = globalThis.indexedDB.open("parley", 1);
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
    return globalThis.indexedDB ? new IndexedDb() : null;
}

const PATIENCE_MS = 3_000;

/**
 * One user's part of a storage. Writes go out one after the other, what has gathered meanwhile in one.
 * options: clock, warn(code, message); without a code: something is well again
 */
export class Vault {
    #options;
    #keeper = null;
    #prefix;
    #waiting = new Map();
    #asked = false;
    /** The storage has let something wait too long: nothing waits for it until it has caught up. */
    #late = false;
    /** Nothing is written before it is known whose it is, and what was kept has been taken up. */
    opened = new Promise((resolve) => (this.begin = resolve));
    #writing = this.opened;
    /** Until it is known, nothing is wrong. */
    #kept = true;
    constructor(options) {
        this.#options = options;
    }
    get persistent() {
        return this.#kept && !this.#late;
    }
    /** @returns what is kept; nothing where the storage does not answer in time */
    async open(keeper, prefix) {
        this.#keeper = keeper;
        this.#prefix = prefix;
        this.#kept = keeper !== null;
        return (await this.#patiently(this.load())) ?? new Map();
    }
    /** Of the keys that begin with `part`. */
    async load(part = "") {
        const found = new Map();
        if (!this.#keeper) return found;
        try {
            let damaged = 0;
            for (const [key, value] of await this.#keeper.load(this.#prefix + part)) {
                if (value === undefined) damaged += 1;
                else found.set(key.slice(this.#prefix.length), value);
            }
            if (damaged) this.#options.warn("storage-damaged", `${damaged} stored entries cannot be read.`);
        } catch (error) {
            this.#giveUp(error);
        }
        return found;
    }
    /** Resolves when it is kept, or when it is clear that it is not for now. Never rejects. */
    write(entries) {
        for (const [key, value] of entries) this.#waiting.set(key, value);
        const writing = (this.#writing = this.#writing.then(() => this.#flush()));
        return this.opened.then(() => this.#patiently(writing));
    }
    put(key, value) {
        return this.write([[key, value]]);
    }
    async #flush() {
        const entries = [...this.#waiting].map(([key, value]) => [this.#prefix + key, value]);
        this.#waiting.clear();
        if (!this.#keeper || entries.length === 0) return;
        try {
            await this.#keeper.write(entries);
            if (!this.#late) return;
            this.#late = false;
            this.#options.warn();
        } catch (error) {
            this.#giveUp(error);
        }
    }
    /** Keeps nothing from now on: whatever is said now is not the user's. */
    end() {
        this.write = async () => {};
    }
    /** Removes all that begins with `prefix`, after the end: what was under way must not come back. */
    wipe(keeper, prefix) {
        this.#late = false;
        this.begin();
        const work = async () => {
            await this.#writing;
            const entries = await keeper?.load(prefix) ?? [];
            if (entries.length > 0) await keeper.write(entries.map(([key]) => [key, null]));
        };
        return this.#patiently(work().catch((error) => this.#failed(error)));
    }
    /** Asks the browser to keep what is stored even when it runs out of space. */
    askToStay() {
        if (this.#asked || !this.#keeper) return;
        this.#asked = true;
        globalThis.navigator?.storage?.persist?.().catch(() => {});
    }
    // A storage that is slow, or a page that was frozen, is no broken storage: what is written gets there later.
    #patiently(work) {
        if (this.#late) return;
        return new Promise((resolve) => {
            const timer = this.#options.clock.setTimeout(() => {
                this.#late = true;
                this.#failed("The storage does not answer.");
                resolve();
            }, PATIENCE_MS);
            work.then(resolve).finally(() => this.#options.clock.clearTimeout(timer));
        });
    }
    #giveUp(error) {
        this.#keeper = null;
        this.#kept = false;
        this.#failed(error);
    }
    #failed(error) {
        this.#options.warn("storage-failed", `Unsent messages are lost with this page: ${error?.message ?? error}`);
    }
}
