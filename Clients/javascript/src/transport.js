// One socket for all tabs of a user. The tab that holds a Web Lock has it; what arrives it tells the others over a
// BroadcastChannel. Without these two every tab has a socket of its own. The lock goes with its tab, so a tab that dies
// is followed at once by another. What the dying one had not passed on, the others fetch: onLive says when.
import { Part, uuid } from "./base.js";
import { Socket } from "./socket.js";

/**
 * Of the messages between tabs and of the outbox. Another version of them counts one up: tabs of two releases then know
 * nothing of each other, and each release has a socket of its own.
 */
const PROTOCOL = 1;
const ASK_MS = 20_000;
const SILENCE_MS = 50_000;
const LEASE_MS = 150_000;
/** A leader that is hidden for so long, and is slowed down soon, gives way to a tab that is seen. */
const TIRED_MS = 15_000;
const CONVERSATION = "realtime:conversation:";

/**
 * options: name, userId, locks, channel, isHidden(), watched() -> ids of the conversations that this tab looks at, and those of
 * Socket; onChange(), onLive(), onBroadcast(topic, event, payload, id), onPresence(conversationId, userIds), onTabs(message),
 * onLeader(), onFollower(), onMeet(): a leader is to be told what this tab holds, onSignedOut(reason), onForbidden(conversationId)
 */
export class Transport extends Part {
    #id = uuid();
    #channel = null;
    #socket = null;
    #release = null;
    /** What the other tabs look at: they say it again, or it ends. */
    #leases = new Map();
    #own = `realtime:user:${this.options.userId}`;
    #name = `${this.options.name}/${PROTOCOL}`;
    #heard = 0;
    #leaderId = null;
    #tired = false;
    leader = false;
    live = false;
    status = "connecting";
    retryAt = null;

    start() {
        const { locks, channel, clock } = this.options;
        if (!locks || !channel) return this.#lead();
        this.#channel = channel(this.#name);
        this.#channel.onmessage = ({ data }) => this.#hear(data);
        this.#heard = clock.now();
        this.#queue({});
        this.#tellWho();
        this.#ask();
    }

    #queue(options) {
        const held = async () => {
            if (this.stopped) return;
            this.#lead();
            // until this tab stops, dies, or is robbed of it
            await new Promise((resolve) => (this.#release = resolve));
        };
        this.options.locks.request(this.#name, options, held).catch(() => {
            // robbed: another tab took this one for dead
            if (this.stopped) return;
            this.#follow();
            this.#queue({});
        });
    }

    #lead() {
        if (this.leader) return;
        this.leader = true;
        this.timers.clear("ask");
        if (this.options.isHidden()) this.away();
        this.#socket = new Socket({
            ...this.options,
            onStatus: () => this.#refresh(),
            onSignedOut: (reason) => this.#say({ t: "signed-out", reason }),
        });
        const own = this.#socket.channel(this.#own, {
            config: { private: true, broadcast: { ack: true, self: true }, presence: { enabled: false } },
            onBroadcast: (...said) => this.#say({ t: "b", said: [`user:${this.options.userId}`, ...said] }),
            onJoined: () => {
                this.#socket.succeeded();
                this.#refresh();
            },
            onForbidden: async (reason) => {
                // revoked sessions and suspended users end here; another token may be a new session
                const token = await this.#socket.tokenRefused(reason, own.token);
                if (token && this.#socket?.status === "online") own.join();
            },
        });
        this.#watchTopics();
        this.#socket.connect();
        this.options.onLeader();
        this.#refresh();
    }

    #follow() {
        this.leader = this.live = this.#tired = false;
        this.timers.clear("tired");
        this.options.onFollower();
        this.#socket?.close();
        this.#socket = this.#release = null;
        this.#heard = this.options.clock.now();
        this.#tellWho();
        this.#ask();
        this.options.onChange();
    }

    // What the socket says, to this tab and the others.
    #refresh() {
        if (!this.#socket) return;
        const joined = this.#channelOf(null)?.state === "joined";
        const { status, retryAt } = this.#socket;
        this.#say({ t: "status", status: status === "online" && !joined ? "connecting" : status, retryAt, tired: this.#tired });
    }

    // What the socket of a robbed leader says at its end is news in its own tab alone.
    #say(message) {
        if (this.leader) this.#tell(message);
        this.#heed(message);
    }

    #heed({ t, said, id, ids, reason, status, retryAt }) {
        const { onBroadcast, onChange, onLive, onPresence, onSignedOut } = this.options;
        if (t === "b") onBroadcast(...said);
        else if (t === "presence") onPresence(id, ids);
        else if (t === "signed-out") onSignedOut(reason);
        else if (t === "status") {
            const becameLive = status === "online" && !this.live;
            Object.assign(this, { live: status === "online", status, retryAt });
            onChange();
            if (becameLive) onLive();
        }
    }

    #tell(message) {
        this.#channel?.postMessage({ ...message, from: this.#id });
    }

    /** A message to the other tabs, of what uses this transport. */
    tell(message) {
        this.#tell({ ...message, t: "tabs" });
    }

    #hear(message) {
        if (this.stopped || message.from === this.#id) return;
        const { clock, onTabs } = this.options;
        if (message.t === "tabs") return onTabs(message);
        if (this.leader) return this.#obey(message);
        const isStatus = message.t === "status";
        // that another follower lives says nothing of the leader
        if (isStatus || message.from === this.#leaderId) this.#heard = clock.now();
        if (isStatus && message.from !== this.#leaderId) {
            this.#leaderId = message.from;
            this.#tellWho();
            this.options.onMeet();
        }
        this.#heed(message);
        // of several that are seen one is first, and is no longer tired
        if (message.tired) this.timers.set("take", 500 * this.options.random(), () => message.from === this.#leaderId && this.#take());
    }

    /**
     * What only the leader can do. push {id, event, payload}: something ephemeral, which nobody waits for and which is dropped
     * without a connection; without an id to the user's own topic. reconnect, probe.
     */
    order(message) {
        if (this.leader) this.#obey(message);
        else this.#tell(message);
    }

    #obey({ t, from, id, ids, event, payload }) {
        if (t === "push") this.#channelOf(id)?.push("broadcast", { type: "broadcast", event, payload });
        else if (t === "probe") this.#socket?.probe();
        else if (t === "reconnect") this.#socket?.connect();
        else if (t === "bye") this.#leases.delete(from);
        else if (t === "who") this.#leases.set(from, { ids, until: this.options.clock.now() + LEASE_MS });
        this.#watchTopics();
        if (t !== "who") return;
        this.#refresh();
        for (const id of ids) this.#tell({ t: "presence", id, ids: this.#channelOf(id)?.presence.users() ?? [] });
    }

    // A follower asks its leader for a sign of life. One that is visible takes over from a leader that has none.
    #ask() {
        this.timers.set("ask", ASK_MS, () => {
            if (this.leader || this.stopped) return;
            if (this.options.clock.now() - this.#heard > SILENCE_MS) this.#take();
            this.#tellWho();
            this.options.onMeet();
            this.#ask();
        });
    }

    #tellWho() {
        this.#tell({ t: "who", ids: this.options.watched() });
    }

    #take() {
        if (this.leader || this.options.isHidden()) return;
        this.#heard = this.options.clock.now();
        this.#queue({ steal: true });
    }

    /** The page is hidden. */
    away() {
        if (!this.leader || !this.#channel) return;
        this.timers.set("tired", TIRED_MS, () => {
            this.#tired = true;
            this.#refresh();
        });
    }

    /** The page is seen again, or the network is back: is the connection still one? */
    back() {
        this.timers.clear("tired");
        this.#tired = false;
        this.order({ t: "probe" });
        this.#tellWho();
    }

    /** Other conversations are looked at: their channels are joined, for typing and presence. */
    watch() {
        if (this.leader) this.#watchTopics();
        else this.#tellWho();
    }

    #watchTopics() {
        if (!this.#socket) return;
        const wanted = new Set(this.options.watched());
        for (const [tab, { ids, until }] of this.#leases) {
            if (until < this.options.clock.now()) this.#leases.delete(tab);
            else for (const id of ids) wanted.add(id);
        }
        for (const topic of [...this.#socket.channels.keys()]) {
            if (topic.startsWith(CONVERSATION) && !wanted.has(topic.slice(CONVERSATION.length))) this.#socket.leave(topic);
        }
        for (const id of wanted) if (!this.#channelOf(id)) this.#joinConversation(id);
    }

    #joinConversation(id) {
        const channel = this.#socket.channel(CONVERSATION + id, {
            config: { private: true, broadcast: { ack: true, self: false }, presence: { key: "", enabled: true } },
            onBroadcast: (...said) => this.#say({ t: "b", said: [`conversation:${id}`, ...said] }),
            onPresence: (ids) => this.#say({ t: "presence", id, ids }),
            onJoined: () => channel.push("presence", { type: "presence", event: "track", payload: {} }),
            onForbidden: () => this.options.onForbidden(id),
        });
    }

    // Without an id the user's own.
    #channelOf(id) {
        return this.#socket?.channels.get(id ? CONVERSATION + id : this.#own);
    }

    /** The channel of a conversation, where there is one to go through. */
    joined(conversationId) {
        const channel = this.#channelOf(conversationId);
        return channel?.state === "joined" ? channel : null;
    }

    useToken(token) {
        this.#socket?.useToken(token);
    }

    stop() {
        this.#tell({ t: "bye" });
        super.stop();
        this.#socket?.close();
        this.#socket = null;
        this.#release?.();
        this.#channel = this.#channel?.close();
        this.live = false;
    }
}
