// The parts of the client, and how they hear of each other.
import { Cell, Timers, claimsOf, tell } from "./base.js";
import { shownRow } from "./display.js";
import { Engine } from "./engine.js";
import { Http } from "./http.js";
import { Inbox } from "./inbox.js";
import { Kept } from "./kept.js";
import { LateCalls } from "./late.js";
import { Batch, Receipts, Typing, wantsDelivered } from "./manners.js";
import { Outbox } from "./outbox.js";
import { Vault, openStorage } from "./storage.js";
import { Tokens } from "./tokens.js";
import { Transport } from "./transport.js";
import { Visibility } from "./visibility.js";
import { Work } from "./work.js";

/** How long a start waits for a token before it shows what was kept for the last user. */
const TOKEN_PATIENCE_MS = 1_500;
/** After a start so many conversations are told that their messages have arrived. */
const DELIVERED_AT_ONCE = 20;

export class Core {
    #o;
    #timers;
    #listeners = new Map();
    #opened;
    #open;
    #warned = new Set();
    #presence = new Map();
    #starting = null;
    #noVault;
    state = "connecting";
    userId = null;
    transport = null;

    constructor(options) {
        this.#o = options;
        const { clock, random, delivered } = options;
        this.clock = clock;
        this.random = random;
        this.#timers = new Timers(clock);
        this.#opened = new Promise((resolve) => (this.#open = resolve));
        this.tokens = new Tokens(options);
        this.tokens.follow((token) => this.#onToken(token));
        this.http = new Http({ ...options, tokens: this.tokens, userId: () => this.userId });
        this.rpc = (name, args) => this.http.rpc(name, args);
        this.connection = new Cell(() => this.#connection());
        this.vault = this.#noVault = new Vault(null, "", clock, () => {});
        const common = { rpc: this.rpc, clock, random, vault: this.#lateVault(), userId: () => this.userId };
        this.engine = new Engine({
            ...common,
            mayStore: () => this.transport?.leader ?? false,
            shown: (conversation) => shownRow(conversation, this.outbox.of(conversation.id), this.userId, clock.now()),
            onChange: (conversation) => this.kept.changed(conversation),
            onEvent: (...event) => this.#onEvent(...event),
            onStored: (message) => this.outbox.settle(message),
            onSynced: () => this.#onSynced(),
            onState: () => this.connection.invalidate(),
            onReset: (reason) => this.emit("reset", { reason }),
        });
        this.kept = new Kept(common);
        this.inbox = new Inbox(this.engine);
        this.engine.onRows = () => this.inbox.changed();
        const work = new Work(this);
        this.outbox = new Outbox({
            ...common,
            perform: (entry) => work.perform(entry),
            tell: (message) => this.transport?.tell({ outbox: message }),
            onChange: (id) => this.engine.get(id).changed(),
            onDone: (entry, result) => work.done(entry, result),
            onRefused: (entry, error) => this.emit("refused", { entry, error }),
        });
        const horizon = (name) => (id, seq) => this.rpc(name, { conversation_id: id, seq });
        const forget = (id, seq = Infinity) => this.#forgetRead(id, seq);
        this.reads = new Receipts({ ...common, send: horizon("mark_as_read"), onSent: forget, onLost: (id) => forget(id) });
        this.deliveries = new Receipts({ ...common, send: horizon("mark_as_delivered"), onSent() {}, onLost() {} });
        this.delivers = delivered;
        this.typing = new Typing({ ...common, push: (id, event) => this.transport?.push(id, event, {}) });
        this.drafts = new Batch({
            ...common,
            send: (id, { content, ...more }) => this.rpc("save_draft", { conversation_id: id, ...(content === null ? {} : { content, ...more }) }),
            onSent: (...sent) => this.#onDraft(...sent),
            onLost: (id, error) => this.#lostDraft(id, error),
        });
        this.calls = new LateCalls({ ...options, ...common, deviceId: () => this.deviceId });
        this.visibility = new Visibility({ onBack: () => this.#back(), onAway: () => this.flush() });
    }

    // Nothing is written before it is known whose it is.
    #lateVault() {
        const late = (name) => async (...args) => {
            await this.#opened;
            return this.vault[name](...args);
        };
        return { put: late("put"), write: late("write"), load: late("load"), askToStay: () => this.vault.askToStay() };
    }

    // --- start and stop
    start() {
        this.#starting ??= this.#begin().catch((error) => {
            this.#starting = null;
            throw error;
        });
        return this.#starting;
    }

    async #begin() {
        const keeper = openStorage(this.#o.storage);
        const place = `parley/${this.#o.url.replace(/^\w+:\/\//, "")}/`;
        const device = new Vault(keeper, `${place}device/`, this.clock, (...warning) => this.#warn(...warning));
        const known = await device.load();
        this.userId = await this.#whoIsIt(known.get("user") ?? null);
        if (this.state === "closed") return;
        this.#forgetUser = () => device.put("user", null);
        this.vault = new Vault(device.persistent ? keeper : null, `${place}${this.userId}/`, this.clock, (...warning) => this.#warn(...warning));
        this.deviceId = this.#o.deviceId ?? known.get("id") ?? this.#o.newId();
        device.write([["user", this.userId], ["id", this.deviceId]]);
        this.#restore(await this.vault.load());
        if (this.state === "closed") return;
        this.#open();
        this.#startTransport(place);
        this.visibility.start();
        this.connection.invalidate();
        this.engine.sync().catch(() => {});
    }

    #forgetUser = () => {};

    // The user of the token. Without a network that of the last time, so that what is kept can be seen and written on.
    async #whoIsIt(last) {
        for (let tries = 0; ; tries++) {
            const asked = this.tokens.get().then((token) => claimsOf(token)?.sub ?? null);
            asked.catch(() => {});
            const late = last && new Promise((resolve) => this.#timers.set("patience", TOKEN_PATIENCE_MS, () => resolve(last)));
            try {
                const user = await (late ? Promise.race([asked, late]) : asked);
                if (user) return user;
                throw Object.assign(new Error("The token names no user."), { status: 401 });
            } catch (error) {
                if (error.status === 401) {
                    this.#signedOut(error.message);
                    throw error;
                }
                if (last) return last;
                if (this.state === "closed") throw error;
                this.state = "offline";
                this.connection.invalidate();
                await new Promise((resolve) => this.#timers.set("start", Math.min(30, 2 ** tries) * 1000, resolve));
            } finally {
                this.#timers.clear("patience");
            }
        }
    }

    #restore(stored) {
        this.kept.restore(stored);
        this.engine.restore(stored);
        const entries = [];
        for (const [key, value] of stored) {
            const [kind, id] = [key.slice(0, 2), key.slice(2)];
            if (kind === "o/") entries.push(value);
            if (kind === "r/") this.markRead(id, value);
            if (kind !== "d/") continue;
            this.engine.get(id).draftHere = value.content === null ? null : value;
            this.drafts.put(id, value);
        }
        this.outbox.restore(entries);
    }

    #startTransport(place) {
        this.state = "started";
        this.transport = new Transport({
            ...this.#o,
            tokens: this.tokens,
            name: `${place}${this.userId}`,
            userId: this.userId,
            isHidden: () => this.visibility.hidden,
            onChange: () => {
                if (this.transport && !this.transport.live) this.typing.forget();
                // a proxy may let requests through, and no sockets
                if (this.transport?.status === "offline") this.engine.syncWithin(1_000);
                this.connection.invalidate();
            },
            onLive: () => this.#live(),
            onBroadcast: (topic, event, payload) => this.#onBroadcast(topic, event, payload),
            onPresence: (id, ids) => this.#setPresence(id, ids),
            onTabs: (message) => this.#onTabs(message),
            onLeader: () => this.outbox.takeOver(),
            onFollower: () => this.outbox.stepBack(),
            onMeet: () => this.outbox.offer(),
            onSignedOut: (reason) => this.#signedOut(reason),
            onForbidden: () => this.engine.syncWithin(0),
        });
        for (const conversation of this.engine.conversations.values()) {
            for (const view of conversation.views) if (view.isLive) this.transport.watch(conversation.id);
        }
        this.transport.start();
    }

    async stop() {
        if (this.state === "closed") return;
        this.flush();
        this.state = "closed";
        this.visibility.stop();
        this.calls.stop();
        this.kept.stop();
        this.transport?.stop();
        for (const part of [this.engine, this.outbox, this.reads, this.deliveries, this.typing, this.drafts, this.tokens]) part.stop();
        this.#timers.clearAll();
        this.connection.invalidate();
    }

    async signOut() {
        this.transport?.tell({ signOut: true });
        await this.stop();
        await this.#forgetUser();
        await this.vault.wipe();
    }

    #signedOut(reason) {
        if (this.state === "signed-out" || this.state === "closed") return;
        this.state = "signed-out";
        this.connection.invalidate();
        this.emit("signed-out", { reason });
    }

    #onToken(token) {
        if (token === null) this.transport?.signOut("The session has ended.");
        const user = token && claimsOf(token)?.sub;
        if (user && this.userId && user !== this.userId) {
            this.#signedOut("The token is of another user.");
            this.stop();
        } else if (user && this.state === "signed-out") this.reconnect();
    }

    reconnect() {
        if (this.state === "closed") return;
        if (!this.transport) return void this.start().catch(() => {});
        this.state = "started";
        this.transport.reconnect();
        this.outbox.wake();
    }

    // --- the network and the page
    #live() {
        this.engine.sync().then(() => this.#resumeViews(), () => {});
        this.outbox.wake();
        this.flush();
    }

    #resumeViews() {
        for (const conversation of this.engine.conversations.values()) for (const view of conversation.views) view.resume();
    }

    #back() {
        this.transport?.probe();
        this.outbox.wake();
    }

    /** What is gathered goes now. */
    flush() {
        this.reads.flushAll();
        this.drafts.flushAll();
        this.deliveries.flushAll();
    }

    #connection() {
        const begun = this.vault !== this.#noVault;
        const status = this.state === "started" ? (this.transport?.status ?? "connecting") : this.state;
        return {
            status: status === "closed" && this.state === "started" ? "connecting" : status,
            retryAt: this.transport?.retryAt ?? null,
            leader: this.transport?.leader ?? false,
            // until it is known, nothing is wrong
            persistent: !begun || this.vault.persistent,
            ready: this.engine.ready,
            syncing: this.engine.syncing,
        };
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
        if (this.#warned.has(code)) return;
        this.#warned.add(code);
        this.connection.invalidate();
        this.emit("warning", { code, message });
    }

    // Everything durable comes by the user's own topic; a conversation's has what passes: typing. Other clients may
    // broadcast there whatever they like, so nothing else of it is believed.
    #onBroadcast(topic, event, payload) {
        if (topic.startsWith("user:")) this.engine.live(event, payload);
        else if (event === "typing:start" || event === "typing:stop") {
            this.typing.heard(topic.slice("conversation:".length), event, payload?.user_id);
        }
    }

    #onEvent(event, payload, conversation, live) {
        if (event === "message:new") this.#onMessage(payload.message, conversation, live);
        if (event.startsWith("call:")) this.calls.hear(event, payload);
        if (event === "session:revoked" && live) this.tokens.renew().catch(() => {});
        this.emit("event", { event, payload });
    }

    #onMessage(message, conversation, live) {
        if (message.sender_id === this.userId || !live) return;
        if (message.sender_id !== null) this.typing.heard(message.conversation_id, "typing:stop", message.sender_id);
        const row = conversation?.cell.getSnapshot() ?? null;
        if (row && this.delivers && this.transport.leader && wantsDelivered(row)) {
            this.deliveries.add(row.id, message.seq, row.me.last_delivered_seq);
        }
        const { me } = row ?? {};
        const called = message.mentions_all || message.mentions?.includes(this.userId);
        const notify = Boolean(
            this.transport.leader && me && !me.is_muted && !me.archived_at && me.folder !== "requests"
            && (me.notification_level === "all" || (me.notification_level === "mentions" && called)),
        );
        this.emit("message", { message, conversation: row, notify });
    }

    #onSynced() {
        this.connection.invalidate();
        if (!this.delivers || !this.transport?.leader) return;
        const behind = this.inbox.list("all").filter((row) => {
            return row.unread_count > 0 && row.last_seq > row.me.last_delivered_seq && wantsDelivered(row);
        });
        for (const row of behind.slice(0, DELIVERED_AT_ONCE)) this.deliveries.add(row.id, row.last_seq, row.me.last_delivered_seq);
    }

    #onTabs(message) {
        if (message.outbox) this.outbox.hear(message.outbox);
        if (!message.signOut) return;
        // what this tab was about to store would come after the other has removed all
        this.stop().then(() => this.emit("signed-out", { reason: "Signed out in another tab." }));
        this.vault.wipe();
    }

    // --- presence
    presence(id) {
        if (!this.#presence.has(id)) {
            const entry = { ids: [], cell: null };
            entry.cell = new Cell(() => entry.ids);
            this.#presence.set(id, entry);
        }
        return this.#presence.get(id);
    }

    #setPresence(id, ids) {
        const entry = this.presence(id);
        entry.ids = ids;
        entry.cell.invalidate();
    }

    // --- reading and drafts
    markRead(id, seq) {
        const conversation = this.engine.get(id);
        const { row } = conversation;
        const upTo = Math.min(seq ?? row?.last_seq ?? 0, row?.last_seq ?? Infinity);
        if (row?.me?.marked_unread) this.reads.forget(id);
        else if (upTo <= Math.max(conversation.readHere, row?.me?.last_read_seq ?? 0)) return;
        conversation.readHere = Math.max(conversation.readHere, upTo);
        this.#putLate(`r/${id}`, conversation.readHere);
        this.reads.add(id, upTo, row?.me?.last_read_seq ?? 0);
        conversation.changed();
    }

    #putLate(key, value) {
        this.#opened.then(() => this.vault.put(key, value));
    }

    #forgetRead(id, seq) {
        const conversation = this.engine.get(id);
        if (conversation.readHere > seq) return;
        this.#putLate(`r/${id}`, null);
        if (seq !== Infinity) return;
        conversation.readHere = 0;
        conversation.changed();
    }

    setDraft(id, draft) {
        const conversation = this.engine.get(id);
        const text = typeof draft === "string" ? { content: draft } : draft;
        const empty = !text || (!text.content && !text.metadata);
        const had = conversation.cell.getSnapshot()?.draft ?? null;
        if (empty && !had && !this.drafts.busy(id)) return;
        conversation.draftHere = empty ? null : {
            content: text.content, reply_to_id: text.reply_to_id ?? null, metadata: text.metadata ?? {},
        };
        const value = conversation.draftHere ?? { content: null };
        this.#putLate(`d/${id}`, value);
        this.drafts.put(id, value);
        conversation.changed();
    }

    #lostDraft(id, { status }) {
        this.#putLate(`d/${id}`, null);
        // what is too long stays here until the page ends; of a conversation that is not the user's any more nothing does
        if (status !== 403 && status !== 404) return;
        this.engine.get(id).draftHere = undefined;
        this.engine.get(id).changed();
    }

    #onDraft(id, draft, _, newest) {
        if (!newest) return;
        this.#putLate(`d/${id}`, null);
        const conversation = this.engine.get(id);
        conversation.draftHere = undefined;
        if (conversation.row) conversation.change({ draft: draft ?? null });
    }

    whenOpen(action) {
        this.#opened.then(action);
    }

    // --- rest
    get #quiet() {
        const parts = [this.outbox, this.reads, this.deliveries, this.drafts];
        return Boolean(this.transport?.live) && this.engine.quiet && parts.every((part) => part.idle);
    }

    async settled(timeout = 10_000) {
        const limit = this.clock.now() + timeout;
        for (;;) {
            this.flush();
            if (this.#quiet) {
                await this.engine.sync().catch(() => {});
                if (this.#quiet) return;
            }
            if (this.clock.now() > limit) throw new Error(`Not at rest after ${timeout} ms.`);
            await new Promise((resolve) => this.clock.setTimeout(resolve, 40));
        }
    }
}
