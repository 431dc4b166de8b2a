// What happens to users, at random.
const WEIGHTS = {
    cut: 8, slow: 6, stall: 3, mend: 6, killTab: 5, closeTab: 2, reload: 4, openTab: 6, killWorker: 0.6, restartPostgres: 0.15,
    noTokens: 1.5, lose: 4, late: 5,
};

export class Misfortune {
    #world;
    constructor(world) {
        this.#world = world;
    }

    async strike() {
        const name = this.#world.chance.weighted(WEIGHTS);
        this.#world.note(`*** ${name}`);
        await this[name]();
    }

    get #proxy() {
        return this.#world.chance.of(this.#world.proxies);
    }
    get #tab() {
        return this.#world.chance.of(this.#world.devices.flatMap((device) => device.tabs));
    }

    cut() {
        const proxy = this.#proxy;
        proxy.cut();
        const open = () => (proxy.open = true);
        if (this.#world.chance.next() < 0.7) setTimeout(open, this.#world.chance.int(1_500));
    }
    slow() {
        const { chance } = this.#world;
        const most = 20 + chance.int(200);
        this.#proxy.delay = () => chance.int(most);
    }
    stall() {
        const proxy = this.#proxy;
        proxy.stalled = true;
        setTimeout(() => (proxy.stalled = false), this.#world.chance.int(2_000));
    }
    mend() {
        for (const proxy of this.#world.proxies) proxy.mend();
    }
    killTab() {
        this.#tab?.die();
    }
    async closeTab() {
        await this.#tab?.close();
    }
    reload() {
        const tab = this.#tab;
        if (!tab) return;
        tab.die();
        tab.device.open();
    }
    openTab() {
        const device = this.#world.chance.of(this.#world.devices);
        if (device.tabs.length < 2) device.open();
    }
    async killWorker() {
        await this.#world.ask({ do: "kill-worker", which: this.#world.chance.int(2) });
    }
    async restartPostgres() {
        await this.#world.ask({ do: "restart-postgres", crash: this.#world.chance.next() < 0.5 });
    }
    lose() {
        const tab = this.#tab;
        if (tab) tab.loses = 1 + this.#world.chance.int(3);
    }
    late() {
        const tab = this.#tab;
        if (!tab) return;
        tab.late = this.#world.chance.int(400);
        setTimeout(() => (tab.late = 0), 2_000);
    }
    noTokens() {
        this.#world.token.broken = true;
        setTimeout(() => (this.#world.token.broken = false), 300 + this.#world.chance.int(3_000));
    }

    async heal() {
        this.mend();
        this.#world.token.broken = false;
        await this.#world.ask({ do: "start-workers" });
        this.mend();
        for (const device of this.#world.devices) {
            for (const tab of device.tabs) {
                tab.loses = tab.late = 0;
                tab.parley.reconnect();
            }
        }
    }
}
