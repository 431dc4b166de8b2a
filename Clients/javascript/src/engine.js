// The truth on this device: the conversations, brought up by sync, kept up by live events, repaired where events are
// missing. Live events are applied in the order of their event_seq; a number that is left out is asked for.
import { Timers, pause } from "./base.js";
import { Conversation } from "./conversation.js";
import { applyEvent } from "./events.js";

const PAGE = 1_000;
/** After live events: a dirty row is fetched soon; otherwise the cursor follows at leisure. */
const SOON_MS = 700;
const LEISURE_MS = 30_000;
const SPACING_MS = 2_000;
/** Events of the user alone that change what is seen in conversations: plans, blocks, privacy. */
const EVERYWHERE = /^(account|contact|privacy|entitlements):/;

export class Engine {
    #options;
    #timers;
    #cursor = null;
    /** The next sync begins without a cursor. */
    #forget = false;
    #syncing = null;
    #again = false;
    #due = Infinity;
    #last = 0;
    #fails = 0;
    #repairing = new Map();
    #stopped = false;
    /** What is stored follows from this tab's own syncs. */
    #stores = false;
    conversations = new Map();
    #isReady;
    ready = false;
    whenReady = new Promise((resolve) => (this.#isReady = resolve));
    /** Row changes: the inbox looks at it. */
    onRows = () => {};

    /**
     * options: rpc, clock, random, vault, userId, mayStore() -> is this the tab that mirrors the inbox,
     * onChange(conversation), onEvent(event, payload, conversation), onStored(message), onSynced(), onState(), onReset(reason),
     * shown(conversation)
     */
    constructor(options) {
        this.#options = options;
        this.#timers = new Timers(options.clock);
    }

    get userId() {
        return this.#options.userId();
    }
    get syncing() {
        return this.#syncing !== null;
    }

    // --- what conversations ask of their host
    changed(conversation) {
        this.onRows();
        this.#options.onChange(conversation);
    }
    stored(message) {
        if (message.sender_id === this.userId && message.client_message_id) this.#options.onStored(message);
    }
    shown(conversation) {
        return this.#options.shown(conversation);
    }

    get(id) {
        let conversation = this.conversations.get(id);
        if (!conversation) {
            conversation = new Conversation(id, this);
            this.conversations.set(id, conversation);
        }
        return conversation;
    }

    // --- storage
    restore(stored) {
        this.#cursor = stored.get("cursor") ?? null;
        if (!this.#cursor) return;
        for (const [key, row] of stored) {
            if (!key.startsWith("c/")) continue;
            const conversation = this.get(key.slice(2));
            conversation.row = row;
            conversation.applied = row.last_event_seq;
        }
        this.storedIds = new Set(this.conversations.keys());
        this.ready = true;
        this.#isReady();
        this.onRows();
    }

    // --- sync
    /** Asks for a sync within `ms`; an earlier one that is due stays. Resolves with nothing. */
    syncWithin(ms) {
        const now = this.#options.clock.now();
        const due = Math.max(now + ms, this.#last + (ms === 0 ? SPACING_MS / 8 : SPACING_MS));
        if (this.#stopped || due >= this.#due) return;
        this.#due = due;
        this.#timers.set("sync", due - now, () => this.sync().catch(() => {}));
    }

    /** Everything up to now; a call while one is running comes after it. */
    sync() {
        if (this.#stopped) return Promise.resolve();
        if (this.#syncing) {
            this.#again = true;
            return this.#syncing;
        }
        this.#timers.clear("sync");
        this.#due = Infinity;
        this.#syncing = this.#run().finally(() => {
            this.#syncing = null;
            this.#options.onState();
            this.#drainAll();
        });
        this.#options.onState();
        return this.#syncing;
    }

    /** Loads everything anew; what is shown stays until it is there. */
    refresh() {
        this.#forget = true;
        for (const conversation of this.conversations.values()) this.reload(conversation);
        this.syncWithin(0);
    }

    async #run() {
        try {
            do {
                this.#again = false;
                await this.#pages();
            } while (this.#again && !this.#stopped);
            this.#fails = 0;
        } catch (error) {
            if (this.#stopped) return;
            if (error.code === "PT400" && this.#cursor) this.#forget = true; // not ours any more: afresh
            this.syncWithin(pause(this.#fails, error, this.#options.random));
            this.#fails += 1;
            throw error;
        } finally {
            this.#last = this.#options.clock.now();
        }
    }

    async #pages() {
        let cursor = this.#forget ? null : this.#cursor;
        this.#forget = false;
        let afresh = cursor === null;
        let resync = false;
        const rows = new Map();
        for (let more = true; more; ) {
            const page = await this.#options.rpc("sync", cursor ? { cursor } : {});
            if (this.#stopped) return;
            if (page.resync_required) {
                afresh = resync = true;
                rows.clear();
            }
            for (const { event, payload } of page.events) this.#fromSync(event, payload, afresh);
            for (const row of this.#rowsOf(page)) rows.set(row.id, row);
            for (const id of page.left_conversation_ids) {
                rows.delete(id);
                this.#drop(id);
            }
            // the first pages show while the others load
            if (!this.ready && !resync) for (const row of page.conversations) this.#takeRow(rows.get(row.id), false, afresh);
            cursor = page.cursor;
            more = page.has_more;
        }
        if (afresh) {
            for (const id of [...this.conversations.keys()]) {
                if (!rows.has(id) && this.conversations.get(id).row) this.#drop(id);
            }
        }
        for (const row of rows.values()) this.#takeRow(row, resync, afresh);
        this.#cursor = cursor;
        this.ready = true;
        this.#isReady();
        this.#store(rows, afresh);
        if (resync) {
            // live events may have been weighed against positions that are no more
            this.syncWithin(0);
            this.#options.onReset("The server asked to begin afresh.");
            for (const conversation of this.conversations.values()) this.reload(conversation);
        }
        this.#options.onSynced();
        this.onRows();
    }

    #drainAll() {
        for (const conversation of this.conversations.values()) if (conversation.buffer.size > 0) this.#drain(conversation);
    }

    #rowsOf(page) {
        const participants = new Map();
        for (const { conversation_id: id, ...participant } of page.participants) {
            if (!participants.has(id)) participants.set(id, []);
            participants.get(id).push(participant);
        }
        return page.conversations.map((row) => ({ ...row, participants: participants.get(row.id) ?? [] }));
    }

    // A sync brings every event once and in order; its rows say the counts.
    #fromSync(event, payload, afresh) {
        const conversation = this.conversations.get(payload.conversation_id);
        const seq = payload.event_seq;
        if (!conversation?.row || (seq != null && seq <= conversation.applied)) {
            if (payload.message) this.stored(payload.message);
            if (!conversation?.row || afresh) return this.#options.onEvent(event, payload, null, false);
            return;
        }
        this.#apply(conversation, event, payload, false);
        if (seq != null) conversation.applied = seq;
    }

    #takeRow(row, force, afresh) {
        const conversation = this.get(row.id);
        // A row that live events have overtaken comes again: they are behind the cursor.
        if (!force && conversation.row && conversation.applied > row.last_event_seq) return this.syncWithin(SOON_MS);
        const known = conversation.row;
        const all = known && known.participants.length > row.participants.length && known.participants.length <= row.participant_count;
        // Without a cursor no events come between what was known and this row; of an unknown one the live ones were passed
        // over. Its windows may have missed some.
        const jumps = !known || (afresh && row.last_event_seq > conversation.applied);
        conversation.applied = row.last_event_seq;
        if (known && row.me.history_from_seq > known.me.history_from_seq) conversation.forgetBefore(row.me.history_from_seq);
        conversation.change(all ? { ...row, participants: known.participants } : row);
        if (row.last_message) this.stored(row.last_message);
        if (jumps) this.reload(conversation);
    }

    #store(rows, afresh) {
        const { vault, mayStore } = this.#options;
        // a tab that leads again begins with all: another may have stored meanwhile
        if (!mayStore()) return void (this.#stores = false);
        const all = this.#stores ? [] : [...this.conversations.values()].filter((c) => c.row).map((c) => c.row);
        this.#stores = true;
        const entries = [...all, ...rows.values()].map((row) => [`c/${row.id}`, row]);
        if (afresh && this.storedIds) for (const id of this.storedIds) if (!rows.has(id)) entries.push([`c/${id}`, null]);
        this.storedIds = new Set([...this.conversations.values()].filter((c) => c.row).map((c) => c.id));
        entries.push(["cursor", this.#cursor]);
        vault.write(entries);
    }

    #drop(id) {
        const conversation = this.conversations.get(id);
        if (!conversation) return;
        conversation.row = null;
        conversation.applied = 0;
        conversation.buffer.clear();
        conversation.messages.clear();
        conversation.forgetBefore(0);
        if (this.#options.mayStore()) this.#options.vault.put(`c/${id}`, null);
    }

    // --- live
    live(event, payload) {
        if (this.#stopped || typeof payload !== "object" || payload === null) return;
        const id = payload.conversation_id;
        if (!id) {
            // of the user alone: a tier, a session, a store
            this.#options.onEvent(event, payload, null, true);
            if (EVERYWHERE.test(event)) this.refresh();
            return;
        }
        const conversation = this.conversations.get(id);
        if (!conversation?.row) {
            if (payload.message) this.stored(payload.message);
            this.#options.onEvent(event, payload, null, true);
            this.syncWithin(0);
            return;
        }
        const seq = payload.event_seq;
        if (seq == null) this.#apply(conversation, event, payload, true);
        else if (seq > conversation.applied) {
            conversation.hold(event, payload);
            this.#drain(conversation);
        }
    }

    #apply(conversation, event, payload, live) {
        const me = this.userId;
        let dirty = false;
        const gone = event === "conversation:deleted" || (event === "participant:left" && payload.user_id === me);
        // a sync says by itself which conversations are left
        if (gone && live) this.#drop(conversation.id);
        else if (!gone) dirty = applyEvent(conversation, event, payload, me);
        this.#options.onEvent(event, payload, conversation, live);
        if (!live) return;
        this.syncWithin(dirty ? SOON_MS : LEISURE_MS);
    }

    // Applies what is next; asks for what is missing.
    #drain(conversation) {
        const { buffer } = conversation;
        for (const seq of [...buffer.keys()].sort((a, b) => a - b)) {
            if (seq > conversation.applied + 1) break;
            const { event, payload } = buffer.get(seq);
            buffer.delete(seq);
            if (seq <= conversation.applied) continue;
            conversation.applied = seq;
            this.#apply(conversation, event, payload, true);
            if (!conversation.row) return;
        }
        if (buffer.size > 0 && !this.#syncing) this.#repair(conversation);
    }

    #repair(conversation) {
        if (this.#repairing.has(conversation.id) || this.#stopped) return;
        const repair = this.#fetchMissing(conversation)
            .catch((error) => {
                if (this.#stopped) return;
                // the user is no longer in it
                if (error.status === 403 || error.status === 404) this.#drop(conversation.id);
                else this.syncWithin(1_000);
            })
            .finally(() => {
                this.#repairing.delete(conversation.id);
            });
        this.#repairing.set(conversation.id, repair);
    }

    async #fetchMissing(conversation) {
        const args = { conversation_id: conversation.id, page_size: PAGE };
        for (let more = true; more; ) {
            const page = await this.#options.rpc("get_events", { ...args, after_seq: conversation.applied });
            if (this.#stopped || !conversation.row) return;
            if (page.gap) {
                // lost to this reader, or never there: what is held begins anew
                this.reload(conversation);
                this.syncWithin(0);
                if (page.gap.reason === "reset") {
                    conversation.buffer.clear();
                    conversation.applied = page.last_event_seq;
                    return;
                }
            }
            for (const { event, payload } of page.events) {
                if (payload.event_seq <= conversation.applied) continue;
                conversation.applied = payload.event_seq;
                this.#apply(conversation, event, payload, true);
                if (!conversation.row) return;
            }
            conversation.applied = Math.max(conversation.applied, page.to);
            more = page.has_more;
        }
        this.#drain(conversation);
    }

    // --- messages
    /** Loads the windows of a conversation anew; they show what they have until it is there. */
    reload(conversation) {
        for (const view of conversation.views) view.reload();
    }

    /** A page of messages. */
    page(conversation, args) {
        const { rpc } = this.#options;
        return conversation.load(async () => {
            const page = await rpc("get_conversation_messages", { conversation_id: conversation.id, ...args });
            // what lies in this range and is not in the page is not there
            const { messages } = page;
            page.from = args.after_seq != null ? args.after_seq + 1 : page.has_more_before ? messages[0].seq : 0;
            page.to = args.before_seq != null ? args.before_seq - 1 : page.has_more_after ? messages.at(-1).seq : Infinity;
            return page;
        });
    }

    refetchSoon(conversation) {
        const name = `refetch ${conversation.id}`;
        if (!this.#timers.has(name)) this.#timers.set(name, 150, () => this.#refetch(conversation, name, 0));
    }

    async #refetch(conversation, name, tries) {
        const seqs = [...conversation.refetch].sort((a, b) => a - b);
        if (seqs.length === 0 || this.#stopped || !conversation.row) return conversation.refetch.clear();
        const first = seqs[0];
        const batch = seqs.filter((seq) => seq < first + 100);
        for (const seq of batch) conversation.refetch.delete(seq);
        this.fetching = (this.fetching ?? 0) + 1;
        try {
            const size = batch.at(-1) - first + 1;
            const page = await this.page(conversation, { after_seq: first - 1, page_size: size });
            for (const seq of batch) if (seq > page.to) conversation.refetch.add(seq);
            if (conversation.refetch.size) this.refetchSoon(conversation);
        } catch (error) {
            // refused: the conversation is not the user's any more
            if (!error.retriable) conversation.refetch.clear();
            else if (!this.#stopped) {
                for (const seq of batch) conversation.refetch.add(seq);
                this.#timers.set(name, pause(tries, error, this.#options.random), () => this.#refetch(conversation, name, tries + 1));
            }
        } finally {
            this.fetching -= 1;
        }
    }

    /** Nothing is on its way, waits for a predecessor, or is known to be stale. */
    get quiet() {
        if (this.#syncing || this.#again || this.#repairing.size || this.fetching) return false;
        return [...this.conversations.values()].every((c) => c.buffer.size === 0 && c.refetch.size === 0);
    }

    stop() {
        this.#stopped = true;
        this.#timers.clearAll();
    }
}
