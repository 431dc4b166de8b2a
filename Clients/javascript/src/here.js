// What the user has read and drafted on this device, told in batches, and kept until the server knows it.
import { Part } from "./base.js";
import { Batch, Receipts } from "./manners.js";

/** After a start so many conversations are told that their messages have arrived. */
const DELIVERED_AT_ONCE = 20;
/** In larger groups everybody's "it has arrived" would be more than the messages. */
const DELIVERED_GROUP = 32;

/** options: engine, vault, rpc, delivered: whether it is told what has arrived */
export class Here extends Part {
    constructor(options) {
        super(options);
        const { engine, rpc } = options;
        const horizon = (name) => (id, seq) => rpc(name, { conversation_id: id, seq });
        const forget = (id, seq = Infinity) => this.#forgetRead(id, seq);
        this.reads = new Receipts({ ...options, send: horizon("mark_as_read"), onSent: forget, onLost: (id) => forget(id) });
        this.deliveries = new Receipts({ ...options, send: horizon("mark_as_delivered"), onSent() {}, onLost() {} });
        this.drafts = new Batch({
            ...options,
            send: (id, draft) => engine.change("save_draft", { conversation_id: id, ...(draft.content === null ? {} : draft) }),
            onSent: (id, draft, _, newest) => newest && this.#drafted(id, draft),
            // what is too long stays here until the page ends; of a conversation that is not the user's any more nothing does
            onLost: (id, { status }) => (status === 403 || status === 404 ? this.#drafted(id) : this.options.vault.put(`d/${id}`, null)),
        });
        this.parts = [this.reads, this.deliveries, this.drafts];
    }

    restore(stored) {
        for (const [key, value] of stored) {
            const id = key.slice(2);
            if (key.startsWith("r/")) this.markRead(id, value);
            if (!key.startsWith("d/")) continue;
            this.options.engine.get(id).draftHere = value.content === null ? null : value;
            this.drafts.put(id, value);
        }
    }

    get idle() {
        return this.parts.every((part) => part.idle);
    }

    /** What is gathered goes now. */
    flush() {
        for (const part of this.parts) part.flushAll();
    }

    stop() {
        super.stop();
        for (const part of this.parts) part.stop();
    }

    markRead(id, seq) {
        const conversation = this.options.engine.get(id);
        const { row } = conversation;
        const known = row?.me?.last_read_seq ?? 0;
        const upTo = Math.min(seq ?? row?.last_seq ?? 0, row?.last_seq ?? Infinity);
        if (row?.me?.marked_unread) this.reads.forget(id);
        else if (upTo <= Math.max(conversation.readHere, known)) return;
        conversation.readHere = Math.max(conversation.readHere, upTo);
        this.options.vault.put(`r/${id}`, conversation.readHere);
        this.reads.add(id, upTo, known);
        conversation.changed();
    }

    #forgetRead(id, seq) {
        const conversation = this.options.engine.get(id);
        if (conversation.readHere > seq) return;
        this.options.vault.put(`r/${id}`, null);
        if (seq !== Infinity) return;
        conversation.readHere = 0;
        conversation.changed();
    }

    setDraft(id, draft) {
        const conversation = this.options.engine.get(id);
        const { content, reply_to_id = null, metadata } = (typeof draft === "string" ? { content: draft } : draft) ?? {};
        const empty = !content && !metadata;
        if (empty && !conversation.cell.getSnapshot()?.draft && !this.drafts.busy(id)) return;
        conversation.draftHere = empty ? null : { content, reply_to_id, metadata: metadata ?? {} };
        const value = conversation.draftHere ?? { content: null };
        this.options.vault.put(`d/${id}`, value);
        this.drafts.put(id, value);
        conversation.changed();
    }

    // The server has it, or never will: its row says the draft.
    #drafted(id, draft) {
        this.options.vault.put(`d/${id}`, null);
        const conversation = this.options.engine.get(id);
        conversation.draftHere = undefined;
        if (draft !== undefined && conversation.row) conversation.change({ draft });
        else conversation.changed();
    }

    #wants(row) {
        return this.options.delivered && row?.me && row.participant_count <= DELIVERED_GROUP && row.me.folder !== "requests";
    }

    arrived(row, seq) {
        if (this.#wants(row)) this.deliveries.add(row.id, seq, row.me.last_delivered_seq);
    }

    /** Of what came while nobody was here. */
    arrivedBefore(rows) {
        const behind = rows.filter((row) => row.unread_count > 0 && row.last_seq > row.me.last_delivered_seq && this.#wants(row));
        for (const row of behind.slice(0, DELIVERED_AT_ONCE)) this.arrived(row, row.last_seq);
    }
}
