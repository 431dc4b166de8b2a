// A way to the workers that can be cut, slowed and stalled; it leads to whichever worker there is.
import net from "node:net";

export class Proxy {
    #server;
    #pairs = new Set();
    #workers;
    open = true;
    delay = () => 0;
    stalled = false;

    /** workers: ports, tried in turn. */
    constructor(workers) {
        this.#workers = workers;
        this.#server = net.createServer((client) => this.#serve(client));
    }

    listen() {
        return new Promise((resolve) => this.#server.listen(0, "127.0.0.1", () => resolve(this.#server.address().port)));
    }

    async #serve(client) {
        client.on("error", () => {});
        if (!this.open) return client.resetAndDestroy();
        const server = await this.#connect(Math.floor(Math.random() * this.#workers.length));
        if (!server) return client.destroy();
        const pair = [client, server];
        this.#pairs.add(pair);
        const end = () => {
            this.#pairs.delete(pair);
            client.destroy();
            server.destroy();
        };
        this.#pipe(client, server);
        this.#pipe(server, client);
        for (const socket of pair) {
            socket.on("error", end);
            socket.on("close", end);
        }
    }

    async #connect(first) {
        for (let n = 0; n < this.#workers.length; n++) {
            const socket = net.connect(this.#workers[(first + n) % this.#workers.length], "127.0.0.1");
            const ok = await new Promise((resolve) => {
                socket.once("connect", () => resolve(true));
                socket.once("error", () => resolve(false));
            });
            if (ok) {
                socket.on("error", () => {});
                return socket;
            }
        }
        return null;
    }

    // In order, each piece late by as much as the proxy is at that moment.
    #pipe(from, to) {
        let turn = Promise.resolve();
        from.on("data", (piece) => {
            turn = turn.then(async () => {
                const wait = this.delay();
                if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
                while (this.stalled) await new Promise((resolve) => setTimeout(resolve, 20));
                if (!to.destroyed) to.write(piece);
            });
        });
    }

    cut() {
        this.open = false;
        for (const [client, server] of [...this.#pairs]) {
            client.destroy();
            server.destroy();
        }
    }

    mend() {
        this.open = true;
        this.stalled = false;
        this.delay = () => 0;
    }

    close() {
        this.cut();
        this.#server.close();
    }
}
