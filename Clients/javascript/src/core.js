// The parts of the client, and how they hear of each other.
import { Inbox } from "./inbox.js";
import { Work } from "./work.js";
import { Engine } from "./engine.js";
import { signedOut } from "./errors.js";
import { Cell, Cells, Part, claimsOf, tell } from "./base.js";
import { Here } from "./here.js";
import { Outbox } from "./outbox.js";
import { Typing } from "./typing.js";
import { Kept } from "./kept.js";
import { Vault, openStorage } from "./storage.js";
import { Http } from "./http.js";
import { Transport } from "./transport.js";
import { Focus } from "./focus.js";
import { Visibility } from "./visibility.js";
import { Tokens } from "./tokens.js";
import { LateCalls } from "./late.js";
import { shownRow } from "./display.js";

export class Core extends Part {
    #listeners = new Map();
    #warned = new Set();
    #starting = null;
    /** Signed out: what was asked before is answered to nobody. */
    #gone = false;
    /** What ends with that. */
    #waiting = new Set();
    #place;
    state = "connecting";
    userId = null;
    #present = new Map();
    /** Who is there, by conversation. */
    presence = new Cells((id) => this.#present.get(id) ?? []);
    transport = null;

    constructor(options) {
        super(options);
        this.#place = `parley/${options.url.replace(/^\w+:\/\//, "")}/`;
        this.tokens = new Tokens({ ...options, onToken: (token) => this.#onToken(token) });
        const userId = () => this.userId;
        const http = new Http({ ...options, tokens: this.tokens, userId, gone: () => this.#gone });
        this.rpc = (name, args) => this.within(() => http.rpc(name, args));
        this.connection = new Cell(() => this.#connection());
        this.vault = new Vault({ ...options, warn: (...warning) => this.#warn(...warning) });
        const common = { ...options, rpc: this.rpc, vault: this.vault, userId };
        this.engine = new Engine({
            ...common,
            mayStore: () => this.transport?.leader ?? false,
            shown: (conversation) => shownRow(conversation, this.outbox.of(conversation.id), this.userId, options.clock.now()),
            onChange: (conversation) => this.kept.changed(conversation),
            onEvent: (...event) => this.#onEvent(...event),
            onStored: (message) => this.outbox.settle(message),
            onSynced: () => {
                this.connection.invalidate();
                if (this.transport?.leader) this.here.arrivedBefore(this.inbox.list("all"));
            },
            onState: () => this.connection.invalidate(),
            onRows: () => this.inbox.changed(),
            onReset: (reason) => this.emit("reset", { reason }),
        });
        this.kept = new Kept(common);
        this.inbox = new Inbox(this.engine);
        const work = new Work(this);
        this.outbox = new Outbox({
            ...common,
            perform: (entry) => work.perform(entry),
            tell: (message) => this.transport?.tell({ outbox: message }),
            onChange: (id) => this.engine.get(id).changed(),
            onDone: (entry, result) => work.done(entry, result),
            onRefused: (entry, error) => this.emit("refused", { entry, error }),
        });
        this.here = new Here({ ...common, engine: this.engine });
        this.visibility = new Visibility({ ...options, onBack: () => this.#back(), onAway: () => this.#away() });
        const isHidden = () => this.visibility.hidden;
        this.typing = new Typing({ ...common, push: (id, event) => this.transport?.order({ t: "push", id, event, payload: {} }) });
        this.focus = new Focus({ ...common, isHidden, push: (payload) => this.transport?.order({ t: "push", event: "focus:set", payload }) });
        this.calls = new LateCalls({ ...common, within: (work) => this.within(work), deviceId: () => this.deviceId });
    }

    // --- start and stop
    /** The result of some work; without waiting for it an error when the user signs out. */
    within(work) {
        return new Promise((resolve, reject) => {
            const leave = () => reject(signedOut("Signed out."));
            if (this.#gone) return leave();
            this.#waiting.add(leave);
            work().then(resolve, reject).finally(() => this.#waiting.delete(leave));
        });
    }

    start() {
        return this.within(() => (this.#starting ??= this.#begin().catch((error) => {
            this.#starting = null;
            throw error;
        })));
    }

    async #begin() {
        this.userId = this.options.userId ?? (await this.#whoIsIt());
        const place = this.#place + this.userId;
        const stored = await this.vault.open(await openStorage(this.options.storage), `${place}/`);
        // what was written meanwhile is kept for the next start
        if (this.state === "closed") return this.vault.begin();
        this.deviceId = this.options.deviceId ?? stored.get("device") ?? this.options.newId();
        this.vault.put("device", this.deviceId);
        this.kept.restore(stored);
        this.engine.restore(stored);
        this.here.restore(stored);
        this.outbox.restore([...stored].filter(([key]) => key.startsWith("o/")).map(([, entry]) => entry));
        this.vault.begin();
        this.#startTransport(place);
        this.visibility.start();
        this.connection.invalidate();
        this.engine.sync().catch(() => {});
    }

    // The user of the token. Nothing that was kept shows before it is known whose it is.
    async #whoIsIt() {
        for (;;) {
            try {
                const user = claimsOf(await this.tokens.get())?.sub;
                if (user) return user;
                throw signedOut("The token names no user.");
            } catch (error) {
                if (error.status === 401) this.#signedOut(error.message);
                if (error.status === 401 || this.state === "closed") throw error;
                this.state = "offline";
                this.connection.invalidate();
                await new Promise((resolve) => this.timers.set("start", this.pause(error), resolve));
            }
        }
    }

    #startTransport(name) {
        this.state = "started";
        this.transport = new Transport({
            ...this.options,
            name,
            tokens: this.tokens,
            userId: this.userId,
            isHidden: () => this.visibility.hidden,
            watched: () => [...this.views()].filter((view) => view.isLive).map((view) => view.conversationId),
            onChange: () => {
                if (this.transport && !this.transport.live) this.typing.forget();
                // a proxy may let requests through, and no sockets
                if (this.transport?.status === "offline") this.engine.syncWithin(1_000);
                this.connection.invalidate();
            },
            onLive: () => this.#live(),
            onBroadcast: (...said) => this.#onBroadcast(...said),
            onPresence: (id, ids) => this.#setPresent(id, ids),
            onTabs: (message) => this.#onTabs(message),
            onLeader: () => this.outbox.takeOver(),
            onFollower: () => (this.outbox.sender.may = false),
            onMeet: () => this.outbox.offer(),
            onSignedOut: (reason) => this.#signedOut(reason),
            onForbidden: () => this.engine.syncWithin(0),
        });
        this.transport.start();
    }

    *views() {
        for (const conversation of this.engine.conversations.values()) yield* conversation.views;
    }

    async stop() {
        if (this.state === "closed") return;
        this.here.flush();
        this.state = "closed";
        for (const part of ["visibility", "calls", "kept", "transport", "engine", "outbox", "here", "typing", "focus", "tokens"]) this[part]?.stop();
        super.stop();
        this.connection.invalidate();
    }

    async signOut() {
        this.transport?.tell({ signOut: true });
        this.#forget();
        await this.#wipe();
    }

    // Also before the storage has been opened; who it is may not even be known then, so that everybody's goes.
    async #wipe() {
        const user = this.userId ?? this.options.userId;
        await this.vault.wipe(await openStorage(this.options.storage), this.#place + (user ? `${user}/` : ""));
    }

    // Whoever uses the page now, sees nothing of the user who was here.
    #forget() {
        this.outbox.forget();
        this.stop();
        this.#gone = true;
        for (const leave of this.#waiting) leave();
        this.vault.end();
        for (const part of ["typing", "engine"]) this[part].forget();
        this.kept.messages.clear();
        for (const id of this.#present.keys()) this.#setPresent(id, []);
    }

    #signedOut(reason) {
        if (this.state === "signed-out" || this.state === "closed") return;
        this.state = "signed-out";
        this.connection.invalidate();
        this.emit("signed-out", { reason });
    }

    #onToken(token) {
        const user = token && claimsOf(token)?.sub;
        if (user && this.userId && user !== this.userId) {
            this.#signedOut("The token is of another user.");
            // what waits is told that it stays queued: the storage keeps it
            this.stop();
            return void this.#forget();
        }
        this.transport?.useToken(token);
        if (user && this.state === "signed-out") this.reconnect();
    }

    reconnect() {
        if (this.state === "closed") return;
        if (!this.transport) return void this.start().catch(() => {});
        this.state = "started";
        this.transport.order({ t: "reconnect" });
        this.outbox.sender.wake();
    }

    // --- the network and the page
    #live() {
        this.engine.sync().then(() => {
            for (const view of this.views()) view.resume();
        }, () => {});
        this.outbox.sender.wake();
        this.here.flush();
        this.focus.tell();
    }

    #back() {
        this.transport?.back();
        this.outbox.sender.wake();
        this.focus.tell();
    }

    #away() {
        this.here.flush();
        this.focus.tell();
        this.transport?.away();
    }

    #connection() {
        const { status = "connecting", retryAt = null, leader = false } = this.transport ?? {};
        const { ready, syncing } = this.engine;
        const shown = this.state === "started" ? status : this.state;
        return { status: shown, retryAt, leader, persistent: this.vault.persistent, ready, syncing: syncing !== null };
    }

    // --- events
    on(event, listener) {
        if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
        this.#listeners.get(event).add(listener);
        return () => this.#listeners.get(event).delete(listener);
    }

    emit(event, detail) {
        tell(this.#listeners.get(event) ?? [], detail);
    }

    #warn(code, message) {
        this.connection.invalidate();
        if (!code || this.#warned.has(code)) return;
        this.#warned.add(code);
        this.emit("warning", { code, message });
    }

    // Everything durable comes by the user's own topic; a conversation's has what passes: typing. Other clients may
    // broadcast there whatever they like, so nothing else of it is believed.
    #onBroadcast(topic, event, payload, id) {
        if (topic.startsWith("user:")) this.engine.live.hear(event, payload, Number(id));
        else if (event === "typing:start" || event === "typing:stop") {
            this.typing.heard(topic.slice("conversation:".length), event, payload?.user_id);
        }
    }

    #onEvent(event, payload, conversation, live) {
        if (event === "message:new" && live) this.#onMessage(payload.message, conversation);
        if (event.startsWith("call:")) this.calls.hear(event, payload);
        if (event === "session:revoked" && live) this.tokens.renew().catch(() => {});
        this.emit("event", { event, payload });
    }

    #setPresent(id, ids) {
        this.#present.set(id, ids);
        this.presence.invalidate(id);
    }

    #onMessage(message, conversation) {
        if (message.sender_id === this.userId) return;
        if (message.sender_id !== null) this.typing.heard(message.conversation_id, "typing:stop", message.sender_id);
        const row = conversation?.cell.getSnapshot() ?? null;
        const { leader } = this.transport;
        if (leader) this.here.arrived(row, message.seq);
        const { me } = row ?? {};
        const called = message.mentions_all || message.mentions?.includes(this.userId);
        const notify = Boolean(
            leader && me && !me.is_muted && !me.archived_at && me.folder !== "requests"
            && (me.notification_level === "all" || (me.notification_level === "mentions" && called)),
        );
        this.emit("message", { message, conversation: row, notify });
    }

    #onTabs(message) {
        if (message.outbox) this.outbox.hear(message.outbox);
        if (!message.signOut) return;
        // what this tab was about to store would come after the other has removed all
        this.#forget();
        this.emit("signed-out", { reason: "Signed out in another tab." });
        this.#wipe();
    }
}
