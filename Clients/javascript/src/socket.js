// One connection with its channels. It connects again by itself until it is closed, and joins its channels again.
import { decode, encode } from "./frames.js";
import { noAnswer, refusal } from "./errors.js";
import { Channel } from "./channel.js";
import { Part } from "./base.js";

const HEARTBEAT_MS = 25_000;
const ANSWER_MS = 10_000;
const PROBE_MS = 5_000;
const OPEN_MS = 15_000;

/** options: url, apikey, tokens, WebSocket, onStatus(), onSignedOut(reason) */
export class Socket extends Part {
    #ws = null;
    #ref = 0;
    #heard = 0;
    #waiting = new Map();
    #wanted = false;
    #refusals = 0;
    channels = new Map();
    status = "closed";
    retryAt = null;

    connect() {
        this.#wanted = true;
        if (this.status === "online" || this.status === "connecting") return;
        this.timers.clear("retry");
        this.#open();
    }

    close() {
        this.#wanted = false;
        this.#drop("closed");
    }

    /** The network may have changed: is the connection still one? */
    probe() {
        if (!this.#wanted) return;
        if (this.status === "online") this.#beat(PROBE_MS);
        else if (this.status === "offline") this.connect();
    }

    channel(topic, options) {
        let channel = this.channels.get(topic);
        if (!channel) {
            channel = new Channel({ ...this.options, ...options, socket: this, topic });
            this.channels.set(topic, channel);
            if (this.status === "online") channel.join();
        }
        return channel;
    }

    leave(topic) {
        const channel = this.channels.get(topic);
        if (!channel) return;
        this.channels.delete(topic);
        channel.stop();
        if (this.status === "online") this.send({ joinRef: channel.joinRef, ref: this.nextRef(), topic, event: "phx_leave", payload: {} });
    }

    nextRef() {
        this.#ref += 1;
        return String(this.#ref);
    }

    send(frame) {
        try {
            this.#ws?.send(encode(frame));
        } catch {
            this.#lost();
        }
    }

    /** Sends a frame and waits for the reply to it. */
    request(frame, patience = ANSWER_MS) {
        return new Promise((resolve, reject) => {
            if (this.status !== "online") return reject(noAnswer());
            const timer = this.options.clock.setTimeout(() => {
                this.#waiting.delete(frame.ref);
                reject(noAnswer("The server did not answer in time.", "timeout"));
            }, patience);
            this.#waiting.set(frame.ref, { resolve, reject, timer });
            this.send(frame);
        });
    }

    /** A user's channel is live: if it stays so, the next loss is a first one again. One connection too many is closed at once. */
    succeeded() {
        this.#refusals = 0;
        this.timers.set("open", PROBE_MS, () => (this.fails = 0));
    }

    /** A token was refused: once more with a new one, and if that is refused as well the user is signed out. */
    async tokenRefused(reason, refused) {
        const { tokens } = this.options;
        if (refused !== tokens.current) return tokens.current;
        this.#refusals += 1;
        try {
            const token = this.#refusals > 1 ? refused : await tokens.renew();
            if (token !== refused) return token;
        } catch (error) {
            if (error.status !== 401) return this.#lost();
        }
        this.signOut(reason);
    }

    /** Closes until connect() is called, with another token. */
    signOut(reason) {
        if (!this.#wanted) return;
        this.#wanted = false;
        this.#drop("closed");
        this.options.onSignedOut(reason);
    }

    async #open() {
        const { url, apikey, tokens, WebSocket, clock } = this.options;
        this.#set("connecting");
        let token;
        try {
            token = await tokens.get();
        } catch (error) {
            return error.status === 401 ? this.signOut(error.message) : this.#lost();
        }
        if (!this.#wanted || this.#ws) return;
        const key = encodeURIComponent(apikey ?? token);
        let ws;
        try {
            ws = new WebSocket(`${url.replace(/^http/, "ws")}/realtime/v1/websocket?apikey=${key}&vsn=2.0.0`);
        } catch {
            return this.#lost();
        }
        this.#ws = ws;
        ws.binaryType = "arraybuffer";
        this.timers.set("open", OPEN_MS, () => this.#lost());
        ws.onopen = () => {
            if (ws !== this.#ws) return ws.close();
            this.timers.clear("open");
            this.#heard = clock.now();
            this.#set("online");
            this.timers.set("heartbeat", HEARTBEAT_MS, () => this.#beat(ANSWER_MS));
            for (const channel of this.channels.values()) channel.join();
        };
        ws.onmessage = ({ data }) => {
            if (ws === this.#ws) this.#receive(data);
        };
        // an error is followed by a close, and one that is closed while it opens may complain of it
        ws.onerror = () => {};
        ws.onclose = () => {
            if (ws === this.#ws) this.#lost();
        };
    }

    #receive(data) {
        this.#heard = this.options.clock.now();
        const frame = decode(data);
        if (!frame) return;
        if (frame.event === "phx_reply" && this.#waiting.has(frame.ref)) {
            const { resolve, reject, timer } = this.#waiting.get(frame.ref);
            this.#waiting.delete(frame.ref);
            this.options.clock.clearTimeout(timer);
            if (frame.payload?.status === "ok") resolve(frame.payload.response);
            else {
                const { response } = frame.payload ?? {};
                reject(refusal(typeof response === "object" && response ? response : { reason: String(response) }));
            }
        } else {
            this.channels.get(frame.topic)?.receive(frame);
        }
    }

    // Any frame that comes is a sign of life, so that a hidden tab whose timers are late does not give up.
    #beat(patience) {
        const asked = this.options.clock.now();
        const ref = this.nextRef();
        this.send({ joinRef: null, ref, topic: "phoenix", event: "heartbeat", payload: {} });
        this.timers.set("heartbeat", patience, () => {
            if (this.#heard < asked) return this.#lost();
            this.timers.set("heartbeat", HEARTBEAT_MS, () => this.#beat(ANSWER_MS));
        });
    }

    /** null: the session has ended. */
    useToken(token) {
        if (token === null) this.signOut("The session has ended.");
        else if (this.status === "online") for (const channel of this.channels.values()) channel.useToken(token);
    }

    #lost() {
        this.#drop("offline");
        if (!this.#wanted) return;
        const wait = this.pause();
        this.retryAt = this.options.clock.now() + wait;
        this.#set("offline");
        this.timers.set("retry", wait, () => this.#open());
    }

    #drop(status) {
        this.timers.clearAll();
        const ws = this.#ws;
        this.#ws = null;
        try {
            ws?.close();
        } catch {
            // it never was open
        }
        for (const { reject, timer } of this.#waiting.values()) {
            this.options.clock.clearTimeout(timer);
            reject(noAnswer());
        }
        this.#waiting.clear();
        for (const channel of this.channels.values()) channel.lost();
        this.#set(status);
    }

    #set(status) {
        if (status !== "offline") this.retryAt = null;
        this.status = status;
        this.options.onStatus();
    }
}
