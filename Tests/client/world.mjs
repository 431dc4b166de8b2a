// Three users with a device each, one or two tabs open, random operations and random misfortune; at rest everything that
// a client shows must be what the server answers, and every message that was sent must be stored once or be shown as
// failed. It talks with world.py by lines of JSON: that kills and starts workers and Postgres, and looks into the tables.
import { createHmac } from "node:crypto";
import { createInterface } from "node:readline";
import assert from "node:assert/strict";
import { Device } from "./browser.mjs";
import { Misfortune } from "./misfortune.mjs";
import { Operations } from "./operations.mjs";
import { Proxy } from "./proxy.mjs";
import { compareAll } from "./compare.mjs";

const { seed, seconds, workers, secret, users } = JSON.parse(process.argv[2]);

function generator(state) {
    return () => {
        state = (state + 0x6d2b79f5) | 0;
        let t = Math.imul(state ^ (state >>> 15), 1 | state);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}

/** Randomness with a seed, and choices by it. */
export class Chance {
    constructor(value) {
        this.next = generator(value);
    }
    of(list) {
        return list[Math.floor(this.next() * list.length)];
    }
    int(below) {
        return Math.floor(this.next() * below);
    }
    weighted(table) {
        let at = this.next() * Object.values(table).reduce((sum, weight) => sum + weight, 0);
        for (const [name, weight] of Object.entries(table)) if ((at -= weight) < 0) return name;
        return Object.keys(table)[0];
    }
}

const lines = createInterface({ input: process.stdin });
const answers = [];
lines.on("line", (line) => answers.shift()?.(JSON.parse(line)));
function ask(command) {
    return new Promise((resolve) => {
        answers.push(resolve);
        process.stdout.write(`${JSON.stringify(command)}\n`);
    });
}
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function mint(user, ttl) {
    const now = Math.floor(Date.now() / 1000);
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const body = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: user, role: "authenticated", iat: now, exp: now + ttl })}`;
    return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}

const chance = new Chance(seed);
const log = [];
const note = (text) => {
    log.push(text);
    if (log.length > 400) log.shift();
};

/** The server's answer, past all proxies. */
async function rpc(user, name, args = {}) {
    for (let tries = 0; ; tries++) {
        try {
            const token = mint(user, 600);
            const answer = await fetch(`http://127.0.0.1:${workers[tries % workers.length]}/rest/v1/rpc/${name}`, {
                method: "POST",
                headers: { "Content-Type": "application/json", apikey: token, Authorization: `Bearer ${token}` },
                body: JSON.stringify(args),
            });
            const body = await answer.json();
            if (answer.ok) return body;
            if (answer.status < 500) throw Object.assign(new Error(`${name}: ${JSON.stringify(body)}`), { status: answer.status, final: true });
        } catch (error) {
            if (error.final || tries > 20) throw error;
        }
        await sleep(200);
    }
}

const devices = [];
const world = { chance, note, rpc, devices, users, sleep, ask, sends: [], cancelled: new Set(), proxies: [], token: { ttl: () => 9 + chance.int(20), broken: false } };
for (const [n, user] of users.entries()) {
    const proxy = new Proxy(workers);
    const port = await proxy.listen();
    world.proxies.push(proxy);
    devices.push(new Device(`u${n}`, user, {
        url: `http://127.0.0.1:${port}`,
        random: chance.next,
        onWarning: (tab, { code, message }) => note(`!!! ${tab.name} ${code}: ${message}`),
        token: async () => {
            if (world.token.broken) throw new Error("The one who gives tokens is away.");
            return mint(user, world.token.ttl());
        },
    }));
}

const operations = new Operations(world);
const misfortune = new Misfortune(world);
const end = Date.now() + seconds * 1000;
let steps = 0;
let rests = 0;
try {
    for (const device of devices) device.open();
    await operations.begin();
    while (Date.now() < end) {
        const round = 40 + chance.int(80);
        for (let n = 0; n < round && Date.now() < end; n++) {
            steps += 1;
            if (chance.next() < 0.12) await misfortune.strike();
            else await operations.act();
            if (chance.next() < 0.5) await sleep(chance.int(25));
        }
        await misfortune.heal();
        await rest();
        rests += 1;
    }
    process.stdout.write(`${JSON.stringify({ done: true, steps, rests, sends: world.sends.length })}\n`);
    process.exit(0);
} catch (error) {
    process.stderr.write(`${log.slice(-200).join("\n")}\n\nseed ${seed}, step ${steps}, rest ${rests}\n${error.stack}\n`);
    process.exit(1);
}

async function rest() {
    note("--- rest");
    for (const device of devices) if (device.tabs.length === 0) device.open();
    const tabs = devices.flatMap((device) => device.tabs);
    for (;;) {
        const last = await settleAll(tabs);
        try {
            await checkSends();
            for (const tab of tabs) await compareAll(world, tab);
            break;
        } catch (error) {
            if ((await endOfLog()) === last) throw error;
            note("--- something came late: again");
        }
    }
    operations.forgetViews();
}

// Until it moves nothing any more: settling one tab may be news for another, and what a dead tab had asked for may come late.
async function settleAll(tabs) {
    for (let last = -1; ; ) {
        const before = last;
        for (const tab of tabs) await tab.parley.settled(45_000).catch((error) => {
            throw new Error(`${tab.name} ${JSON.stringify(tab.parley.connection.getSnapshot())}: ${error.message} ${JSON.stringify(tab.parley.outbox.getSnapshot())}`);
        });
        await operations.mendViews();
        last = await endOfLog();
        if (last === before) return last;
    }
}

async function endOfLog() {
    return (await ask({ do: "log" })).last;
}

// Each message once, in the order of sending, or shown as failed where it was sent.
async function checkSends() {
    const { counts } = await ask({ do: "stored" });
    for (const send of world.sends) {
        const count = counts[send.id]?.length ?? 0;
        const shown = send.device.tabs[0].parley.outbox.getSnapshot().find((entry) => entry.id === send.id);
        assert.ok(count <= 1, `${send.id} is stored ${count} times`);
        if (shown) {
            assert.equal(shown.state, "failed", `${send.id} is shown as ${shown.state} at rest`);
            // who was removed before the answer came cannot be told, and is told that
            if (!shown.error.uncertain) assert.equal(count, 0, `${send.id} is stored and shown as failed: ${JSON.stringify(shown.error)}`);
        }
        if (count === 0 && !shown && !world.cancelled.has(send.id)) {
            // a tab that died before it had shown the message may have lost it
            assert.ok(!send.wasShown && send.tab.dead, `${send.id} (${send.text}) of ${send.tab.name} is lost`);
        }
    }
    const last = new Map();
    for (const { id, tab, retried } of world.sends) {
        const [row] = counts[id] ?? [];
        if (!row || retried) continue;
        const key = `${tab.name} ${row.conversation}`;
        assert.ok((last.get(key) ?? 0) < row.seq, `${id} was stored before one that ${tab.name} had sent earlier`);
        last.set(key, row.seq);
    }
    world.sends = world.sends.filter((send) => send.device.tabs[0].parley.outbox.getSnapshot().some((entry) => entry.id === send.id));
}
