// One socket for all tabs of a user. The tab that holds a Web Lock has it; what arrives it tells the others over a
// BroadcastChannel. Without these two every tab has a socket of its own. The lock goes with its tab, so a tab that dies
// is followed at once by another. What the dying one had not passed on, the others fetch: onLive says when.
import { Timers, uuid } from "./base.js";
import { noAnswer } from "./errors.js";
import { Socket } from "./socket.js";

const ASK_MS = 20_000;
const SILENCE_MS = 50_000;
const WATCH_MS = 150_000;

export class Transport {
    #options;
    #timers;
    #id = uuid();
    #channel = null;
    #socket = null;
    #release = null;
    #stopped = false;
    #watched = new Map();
    #others = new Map();
    #heard = 0;
    #leaderId = null;
    leader = false;
    live = false;
    status = "connecting";
    retryAt = null;

    /**
     * options: name, userId, locks, channel, clock, isHidden(), and those of Socket;
     * onChange(), onLive(), onBroadcast(topic, event, payload), onPresence(conversationId, userIds),
     * onTabs(message), onLeader(), onFollower(), onMeet(): a leader is to be told what this tab holds, onSignedOut(reason), onForbidden(conversationId)
     */
    constructor(options) {
        this.#options = options;
        this.#timers = new Timers(options.clock);
    }

    start() {
        const { locks, channel, name, clock } = this.#options;
        if (!locks || !channel) return this.#lead();
        this.#channel = channel(name);
        this.#channel.onmessage = ({ data }) => this.#hear(data);
        this.#heard = clock.now();
        this.#queue({});
        this.#tell({ t: "who" });
        this.#ask();
    }

    #queue(options) {
        const { locks, name } = this.#options;
        const held = async () => {
            if (this.#stopped) return;
            this.#lead();
            // until this tab stops, dies, or is robbed of it
            await new Promise((resolve) => (this.#release = resolve));
        };
        locks.request(name, options, held).catch(() => {
            // robbed: another tab took this one for dead
            if (this.#stopped) return;
            this.#follow();
            this.#queue({});
        });
    }

    #lead() {
        if (this.leader) return;
        this.leader = true;
        this.#timers.clear("ask");
        const { userId, onSignedOut, onBroadcast } = this.#options;
        this.#socket = new Socket({
            ...this.#options,
            onStatus: () => this.#refresh(),
            onSignedOut: (reason) => {
                this.#tell({ t: "signed-out", reason });
                onSignedOut(reason);
            },
        });
        const config = { private: true, broadcast: { ack: true, self: true }, presence: { enabled: false } };
        const topic = `realtime:user:${userId}`;
        const own = this.#socket.channel(topic, config);
        own.onBroadcast = (event, payload) => {
            this.#tell({ t: "b", topic: `user:${userId}`, event, payload });
            onBroadcast(`user:${userId}`, event, payload);
        };
        own.onJoined = () => {
            this.#socket.succeeded();
            this.#refresh();
        };
        own.onForbidden = async (reason) => {
            // revoked sessions and suspended users end here; another token may be a new session
            const token = await this.#socket.tokenRefused(reason, own.token);
            if (token && this.#socket?.status === "online") own.join();
        };
        this.#watchTopics();
        this.#socket.connect();
        this.#options.onLeader();
        this.#refresh();
    }

    #follow() {
        this.leader = false;
        this.#options.onFollower();
        this.#socket?.close();
        this.#socket = null;
        this.#release = null;
        this.live = false;
        this.#heard = this.#options.clock.now();
        this.#ask();
        this.#options.onChange();
    }

    // What the socket says, to this tab and the others.
    #refresh() {
        if (!this.#socket) return;
        const joined = this.#socket.channels.get(`realtime:user:${this.#options.userId}`)?.state === "joined";
        const status = this.#socket.status === "online" && !joined ? "connecting" : this.#socket.status;
        this.#setStatus(status, this.#socket.retryAt);
        this.#tellStatus();
    }

    #setStatus(status, retryAt) {
        const becameLive = status === "online" && !this.live;
        this.live = status === "online";
        this.status = status;
        this.retryAt = retryAt;
        this.#options.onChange();
        if (becameLive) this.#options.onLive();
    }

    #tellStatus() {
        this.#tell({ t: "status", status: this.status, retryAt: this.retryAt });
    }

    /** A message to the other tabs, of this transport or of what uses it. */
    #tell(message) {
        this.#channel?.postMessage({ ...message, from: this.#id });
    }

    tell(message) {
        this.#tell({ ...message, t: "tabs" });
    }

    #hear(message) {
        if (this.#stopped || message.from === this.#id) return;
        const { clock, onBroadcast, onPresence, onTabs, onSignedOut } = this.#options;
        if (message.t === "tabs") return onTabs(message);
        if (this.leader) {
            if (message.t === "who" || message.t === "watch") {
                this.#others.set(message.from, { ids: message.ids ?? [], until: clock.now() + WATCH_MS });
                this.#watchTopics();
                if (message.t === "who") this.#tellStatus();
            } else if (message.t === "push") this.#pushNow(message.id, message.event, message.payload);
            else if (message.t === "bye") {
                this.#others.delete(message.from);
                this.#watchTopics();
            } else if (message.t === "probe") this.#socket?.probe();
            else if (message.t === "reconnect") this.#socket?.connect();
            return;
        }
        this.#heard = clock.now();
        if (message.from !== this.#leaderId && message.t === "status") {
            this.#leaderId = message.from;
            this.#watchChanged();
            this.#options.onMeet();
        }
        if (message.t === "b") onBroadcast(message.topic, message.event, message.payload);
        else if (message.t === "status") this.#setStatus(message.status, message.retryAt);
        else if (message.t === "presence") onPresence(message.id, message.ids);
        else if (message.t === "signed-out") onSignedOut(message.reason);
    }

    // A follower asks its leader for a sign of life. One that is visible takes over from a leader that has none.
    #ask() {
        this.#timers.set("ask", ASK_MS, () => {
            if (this.leader || this.#stopped) return;
            const silent = this.#options.clock.now() - this.#heard > SILENCE_MS;
            if (silent && !this.#options.isHidden()) {
                this.#heard = this.#options.clock.now();
                this.#queue({ steal: true });
            }
            this.#tell({ t: "who", ids: [...this.#watched.keys()] });
            this.#options.onMeet();
            this.#ask();
        });
    }

    /** Joins the channel of a conversation, for typing and presence, until it is unwatched as often. */
    watch(conversationId) {
        this.#watched.set(conversationId, (this.#watched.get(conversationId) ?? 0) + 1);
        this.#watchChanged();
    }

    unwatch(conversationId) {
        const count = (this.#watched.get(conversationId) ?? 1) - 1;
        if (count > 0) this.#watched.set(conversationId, count);
        else this.#watched.delete(conversationId);
        this.#watchChanged();
    }

    #watchChanged() {
        if (this.leader) this.#watchTopics();
        else this.#tell({ t: "watch", ids: [...this.#watched.keys()] });
    }

    #watchTopics() {
        if (!this.#socket) return;
        const wanted = new Set(this.#watched.keys());
        for (const [id, other] of this.#others) {
            if (other.until < this.#options.clock.now()) this.#others.delete(id);
            else for (const conversationId of other.ids) wanted.add(conversationId);
        }
        const prefix = "realtime:conversation:";
        for (const topic of [...this.#socket.channels.keys()]) {
            if (topic.startsWith(prefix) && !wanted.has(topic.slice(prefix.length))) this.#socket.leave(topic);
        }
        for (const id of wanted) if (!this.#socket.channels.has(prefix + id)) this.#joinConversation(id);
    }

    #joinConversation(id) {
        const { onBroadcast, onPresence } = this.#options;
        const config = { private: true, broadcast: { ack: true, self: false }, presence: { key: "", enabled: true } };
        const channel = this.#socket.channel(`realtime:conversation:${id}`, config);
        channel.onBroadcast = (event, payload) => {
            this.#tell({ t: "b", topic: `conversation:${id}`, event, payload });
            onBroadcast(`conversation:${id}`, event, payload);
        };
        channel.onPresence = (ids) => {
            this.#tell({ t: "presence", id, ids });
            onPresence(id, ids);
        };
        channel.onJoined = () => channel.push("presence", { type: "presence", event: "track", payload: {} });
        channel.onForbidden = () => this.#options.onForbidden(id);
    }

    /** Something ephemeral: nobody waits for it, and without a connection it is dropped. */
    push(conversationId, event, payload) {
        if (this.leader) this.#pushNow(conversationId, event, payload);
        else this.#tell({ t: "push", id: conversationId, event, payload });
    }

    #pushNow(id, event, payload) {
        const channel = this.#socket?.channels.get(`realtime:conversation:${id}`);
        channel?.push("broadcast", { type: "broadcast", event, payload });
    }

    /** True if `request` has a channel to go through. */
    reaches(conversationId) {
        return this.#socket?.channels.get(`realtime:conversation:${conversationId}`)?.state === "joined";
    }

    request(conversationId, event, payload) {
        const channel = this.#socket?.channels.get(`realtime:conversation:${conversationId}`);
        return channel ? channel.request(event, payload) : Promise.reject(noAnswer("The channel is not joined."));
    }

    probe() {
        if (this.leader) this.#socket?.probe();
        else this.#tell({ t: "probe" });
    }

    signOut(reason) {
        this.#socket?.signOut(reason);
    }

    reconnect() {
        if (this.leader) this.#socket?.connect();
        else this.#tell({ t: "reconnect" });
    }

    stop() {
        this.#tell({ t: "bye" });
        this.#stopped = true;
        this.#timers.clearAll();
        this.#socket?.close();
        this.#socket = null;
        this.#release?.();
        this.#channel?.close();
        this.live = false;
        this.status = "closed";
    }
}
