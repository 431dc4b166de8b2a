// Stand-ins for what a browser gives its tabs: a storage, Web Locks and BroadcastChannels that all tabs of a device share,
// and a tab that can die without a word.
import { createRequire } from "node:module";
import { createParley } from "../../Clients/javascript/src/parley.js";

// Debian's, of the package node-ws; NODE_PATH says where it is
const WebSocket = createRequire(import.meta.url)("ws");

/** Sockets that a death closes. */
function socketsOf(tab) {
    return class extends WebSocket {
        constructor(url) {
            super(url);
            tab.sockets.add(this);
            this.addEventListener("close", () => tab.sockets.delete(this));
        }
        // Some broadcasts are lost on their way to the page, and some time all comes later than what is asked for by requests.
        set onmessage(listener) {
            let last = Promise.resolve();
            let held = 0;
            super.onmessage = listener && ((event) => {
                const broadcast = typeof event.data !== "string" || event.data.includes('"broadcast"');
                if (broadcast && tab.loses > 0) return void (tab.loses -= 1);
                if (tab.late === 0 && held === 0) return listener(event);
                held += 1;
                const wait = tab.late;
                last = last.then(() => new Promise((resolve) => setTimeout(resolve, wait))).then(() => {
                    held -= 1;
                    if (!tab.dead) listener(event);
                });
            });
        }
    };
}

export class Device {
    constructor(name, userId, settings) {
        Object.assign(this, { name, userId, settings, tabs: [], items: new Map(), locks: [], channels: new Set(), opened: 0 });
    }

    open() {
        this.opened += 1;
        const tab = new Tab(this, `${this.name}.${this.opened}`);
        this.tabs.push(tab);
        return tab;
    }

    // --- Web Locks, of one name
    request(tab, options, action) {
        return new Promise((resolve, reject) => {
            const lock = { tab, action, resolve, reject };
            if (options.steal) {
                const holder = this.locks.shift();
                holder?.reject(new Error("AbortError"));
                this.locks.unshift(lock);
                this.#grant();
            } else {
                this.locks.push(lock);
                if (this.locks.length === 1) this.#grant();
            }
        });
    }

    #grant() {
        const lock = this.locks[0];
        if (!lock) return;
        setImmediate(async () => {
            // it died, or was robbed, before it had it
            if (this.locks[0] !== lock) return;
            const value = await lock.action({});
            if (this.locks[0] !== lock) return;
            this.locks.shift();
            lock.resolve(value);
            this.#grant();
        });
    }

    release(tab) {
        const held = this.locks[0]?.tab === tab;
        this.locks = this.locks.filter((lock) => lock.tab !== tab);
        if (held) this.#grant();
    }
}

class Tab {
    constructor(device, name) {
        Object.assign(this, { device, name, dead: false, sockets: new Set(), timers: new Set(), views: [], loses: 0, late: 0 });
        const { settings } = device;
        this.parley = createParley({
            url: settings.url,
            token: () => this.#unlessDead(settings.token()),
            WebSocket: socketsOf(this),
            fetch: (url, options) => this.#unlessDead(fetch(url, options)),
            clock: this.#clock(),
            random: settings.random,
            storage: this.#storage(),
            locks: { request: (_, options, action) => device.request(this, options, action) },
            channel: () => this.#channel(),
        });
        this.parley.on("warning", (warning) => settings.onWarning?.(this, warning));
    }

    // What a dead tab waited for never comes.
    #unlessDead(work) {
        return new Promise((resolve, reject) => {
            Promise.resolve(work).then((value) => this.dead || resolve(value), (error) => this.dead || reject(error));
        });
    }

    #clock() {
        return {
            now: () => Date.now(),
            setTimeout: (action, ms) => {
                const timer = setTimeout(() => {
                    this.timers.delete(timer);
                    if (!this.dead) action();
                }, ms);
                this.timers.add(timer);
                return timer;
            },
            clearTimeout: (timer) => {
                clearTimeout(timer);
                this.timers.delete(timer);
            },
        };
    }

    #storage() {
        const { items } = this.device;
        const later = (action) => this.#unlessDead(new Promise((resolve) => setImmediate(() => resolve(this.dead ? null : action()))));
        return {
            getItem: (key) => later(() => items.get(key) ?? null),
            setItem: (key, value) => later(() => void items.set(key, value)),
            removeItem: (key) => later(() => void items.delete(key)),
            getAllKeys: () => later(() => [...items.keys()]),
        };
    }

    #channel() {
        const { channels } = this.device;
        const channel = {
            onmessage: null,
            postMessage: (data) => {
                if (this.dead) return;
                const copy = JSON.stringify(data);
                for (const other of channels) {
                    if (other !== channel) setImmediate(() => channels.has(other) && other.onmessage?.({ data: JSON.parse(copy) }));
                }
            },
            close: () => channels.delete(channel),
        };
        channels.add(channel);
        this.channel = channel;
        return channel;
    }

    /** The process is gone: nothing more is said, written or heard. */
    die() {
        this.dead = true;
        for (const timer of this.timers) clearTimeout(timer);
        for (const socket of this.sockets) socket.terminate();
        this.#gone();
    }

    /** The page is closed in good order. */
    async close() {
        await this.parley.stop();
        this.dead = true;
        this.#gone();
    }

    #gone() {
        this.device.channels.delete(this.channel);
        this.device.tabs = this.device.tabs.filter((tab) => tab !== this);
        this.device.release(this);
    }
}
