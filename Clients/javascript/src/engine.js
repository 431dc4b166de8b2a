// The truth on this device: the conversations, brought up by sync; live.js keeps them up, pages.js loads their messages.
import { Conversation } from "./conversation.js";
import { Part } from "./base.js";
import { Live, SOON_MS } from "./live.js";
import { Pages } from "./pages.js";

const SPACING_MS = 2_000;

/**
 * options: rpc, vault, userId, mayStore() -> is this the tab that mirrors the inbox, onChange(conversation),
 * onEvent(event, payload, conversation, live), onStored(message), onSynced(), onState(), onReset(reason), onRows(): some row
 * has changed, shown(conversation)
 */
export class Engine extends Part {
    #cursor = null;
    /** The next sync begins without a cursor. */
    #forget = false;
    /** The sync that is under way. */
    syncing = null;
    #again = false;
    #due = Infinity;
    #last = 0;
    /** What is stored follows from this tab's own syncs. */
    #stores = false;
    conversations = new Map();
    #isReady;
    ready = false;
    /** The rows know of the events up to here in the log, of numberless ones as well; undefined: of which is not known. */
    position;
    whenReady = new Promise((resolve) => (this.#isReady = resolve));

    constructor(options) {
        super(options);
        this.live = new Live({ ...options, engine: this });
        this.pages = new Pages(options);
    }

    get userId() {
        return this.options.userId();
    }

    // --- what conversations ask of their host
    changed(conversation) {
        this.options.onRows();
        this.options.onChange(conversation);
    }
    stored(message) {
        if (message.sender_id === this.userId && message.client_message_id) this.options.onStored(message);
    }

    get(id) {
        let conversation = this.conversations.get(id);
        if (!conversation) {
            conversation = new Conversation(id, this);
            this.conversations.set(id, conversation);
        }
        return conversation;
    }

    /** What a function answers about a row. undefined: a sync was answered before, and another has said what the row is now. */
    async change(name, args) {
        const { position } = this;
        const answer = await this.options.rpc(name, args);
        if (!(this.position > position)) return answer;
        return this.sync().then(() => {}, () => answer);
    }

    // --- storage
    restore(stored) {
        this.#cursor = stored.get("cursor") ?? null;
        this.position = stored.get("position");
        if (!this.#cursor) return;
        for (const [key, row] of stored) {
            if (!key.startsWith("c/")) continue;
            const conversation = this.get(key.slice(2));
            conversation.row = row;
            conversation.applied = row.last_event_seq;
        }
        this.ready = true;
        this.#isReady();
        this.options.onRows();
    }

    // --- sync
    /** Asks for a sync within `ms`; an earlier one that is due stays. Resolves with nothing. */
    syncWithin(ms) {
        const now = this.options.clock.now();
        const due = Math.max(now + ms, this.#last + (ms === 0 ? SPACING_MS / 8 : SPACING_MS));
        if (this.stopped || due >= this.#due) return;
        this.#due = due;
        this.timers.set("sync", due - now, () => this.sync().catch(() => {}));
    }

    /** Everything up to now; a call while one is running comes after it. */
    sync() {
        if (this.stopped) return Promise.resolve();
        if (this.syncing) {
            this.#again = true;
            return this.syncing;
        }
        this.timers.clear("sync");
        this.#due = Infinity;
        this.syncing = this.#run().finally(() => {
            this.syncing = null;
            this.options.onState();
            this.live.drainAll();
        });
        this.options.onState();
        return this.syncing;
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
            } while (this.#again && !this.stopped);
            this.fails = 0;
        } catch (error) {
            if (this.stopped) return;
            if (error.code === "PT400" && this.#cursor) this.#forget = true; // not ours any more: afresh
            this.syncWithin(this.pause(error));
            throw error;
        } finally {
            this.#last = this.options.clock.now();
        }
    }

    async #pages() {
        let cursor = this.#forget ? null : this.#cursor;
        this.#forget = false;
        let afresh = cursor === null;
        let resync = false;
        let position;
        const rows = new Map();
        for (let more = true; more; ) {
            const page = await this.options.rpc("sync", cursor ? { cursor } : {});
            if (this.stopped) return;
            if (page.resync_required) {
                afresh = resync = true;
                rows.clear();
            }
            for (const { event, payload } of page.events) this.#fromSync(event, payload, afresh);
            for (const row of this.#rowsOf(page)) rows.set(row.id, row);
            for (const id of page.left_conversation_ids) {
                rows.delete(id);
                this.drop(id);
            }
            // the first pages show while the others load
            if (!this.ready && !resync) for (const row of page.conversations) this.#takeRow(rows.get(row.id), false, afresh);
            ({ cursor, has_more: more } = page);
            position = page.position;
        }
        if (afresh) {
            for (const id of [...this.conversations.keys()]) {
                if (!rows.has(id) && this.conversations.get(id).row) this.drop(id);
            }
        }
        for (const row of rows.values()) this.#takeRow(row, resync, afresh);
        this.#cursor = cursor;
        this.position = position;
        this.ready = true;
        this.#isReady();
        this.#store(rows);
        if (resync) {
            // live events may have been weighed against positions that are no more
            this.syncWithin(0);
            this.options.onReset("The server asked to begin afresh.");
            for (const conversation of this.conversations.values()) this.reload(conversation);
        }
        this.options.onSynced();
        this.options.onRows();
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
            if (!conversation?.row || afresh) return this.options.onEvent(event, payload, null, false);
            return;
        }
        this.live.apply(conversation, event, payload, false);
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

    #store(changed) {
        const { vault, mayStore } = this.options;
        // a tab that leads again begins with all: another may have stored meanwhile
        if (!mayStore()) return void (this.#stores = false);
        const rows = [...(this.#stores ? changed : this.conversations).keys()].map((id) => [`c/${id}`, this.conversations.get(id).row]);
        this.#stores = true;
        vault.write([...rows, ["cursor", this.#cursor], ["position", this.position ?? null]]);
    }

    drop(id) {
        const conversation = this.conversations.get(id);
        if (!conversation) return;
        conversation.forget();
        if (this.options.mayStore()) this.options.vault.put(`c/${id}`, null);
    }

    /** Loads the windows of a conversation anew; they show what they have until it is there. */
    reload(conversation) {
        for (const view of conversation.views) view.reload();
    }

    /** Nothing is on its way, waits for a predecessor, or is known to be stale. */
    get quiet() {
        const busy = this.syncing || this.#again || this.live.repairing.size;
        return !busy && [...this.conversations.values()].every((conversation) => conversation.quiet);
    }

    stop() {
        super.stop();
        this.pages.stop();
    }

    /** Nothing of the user stays in memory. */
    forget() {
        for (const conversation of this.conversations.values()) {
            conversation.readHere = 0;
            conversation.draftHere = undefined;
            conversation.forget();
        }
    }
}
