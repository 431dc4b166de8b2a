// Live events are applied in the order of their event_seq; a number that is left out is asked for.
import { ALL } from "./conversation.js";
import { applyEvent } from "./events.js";

/** After live events: a dirty row is fetched soon; otherwise the cursor follows at leisure. */
export const SOON_MS = 700;
const LEISURE_MS = 30_000;
/** Events of the user alone that change what is seen in conversations: plans, blocks, privacy. */
const EVERYWHERE = /^(account|contact|privacy|entitlements):/;

/** options: engine, rpc, onEvent(event, payload, conversation, live) */
export class Live {
    #options;
    /** Ids of conversations whose missing events are on their way. */
    repairing = new Set();

    constructor(options) {
        this.#options = options;
    }

    /** place: of the event in the log */
    hear(event, payload, place) {
        const { engine } = this.#options;
        if (engine.stopped || typeof payload !== "object" || !payload) return;
        const { conversation_id: id, event_seq: seq, message } = payload;
        const conversation = engine.conversations.get(id);
        if (!conversation?.row) {
            if (message) engine.stored(message);
            this.#options.onEvent(event, payload, null, true);
            // without an id it is of the user alone: a tier, a session, a block
            if (id) engine.syncWithin(0);
            else if (EVERYWHERE.test(event)) engine.refresh();
        } else if (seq == null) this.apply(conversation, event, payload, true, place <= engine.position);
        else if (seq > conversation.applied) {
            conversation.hold(event, payload);
            this.#drain(conversation);
        }
    }

    // An event of the user alone has no number, so no place among the others. `late`: a sync that has been answered knew of
    // it, and perhaps of newer ones, so it changes nothing; where it was committed after that sync, the next one brings it.
    apply(conversation, event, payload, live, late = false) {
        const { engine } = this.#options;
        let dirty = late;
        const { event_seq: number, seq = payload.message?.seq } = payload;
        const gone = event === "conversation:deleted" || (event === "participant:left" && payload.user_id === engine.userId);
        // a sync says by itself which conversations are left
        if (gone && live && !late) engine.drop(conversation.id);
        else if (!gone && !late) dirty = applyEvent(conversation, event, payload, engine.userId);
        // Of a message the server says what it is now: what is held may be newer, or have missed it; also where others quote
        // it, or were read with it. A sync under way may bring what is older: another comes soon after it.
        if (late && event.startsWith("message:")) conversation.wantRefetch(ALL);
        else if (number == null && conversation.messages.has(seq)) conversation.wantRefetch(seq);
        this.#options.onEvent(event, payload, conversation, live);
        if (live) engine.syncWithin(dirty || (number == null && engine.syncing) ? SOON_MS : LEISURE_MS);
    }

    drainAll() {
        for (const conversation of this.#options.engine.conversations.values()) if (conversation.buffer.size > 0) this.#drain(conversation);
    }

    // Applies what is next; asks for what is missing.
    #drain(conversation) {
        const { buffer } = conversation;
        for (const seq of [...buffer.keys()].sort((a, b) => a - b)) {
            if (seq > conversation.applied + 1) break;
            const { event, payload } = buffer.get(seq);
            buffer.delete(seq);
            this.#next(conversation, event, payload);
            if (!conversation.row) return;
        }
        if (buffer.size > 0 && !this.#options.engine.syncing) this.#repair(conversation);
    }

    #next(conversation, event, payload) {
        if (payload.event_seq <= conversation.applied) return;
        conversation.applied = payload.event_seq;
        this.apply(conversation, event, payload, true);
    }

    async #repair(conversation) {
        const { engine } = this.#options;
        const { id } = conversation;
        if (this.repairing.has(id) || engine.stopped) return;
        this.repairing.add(id);
        try {
            const { fetchMissing } = await import("./repair.js");
            await fetchMissing(conversation, engine, this.#options.rpc, (...event) => this.#next(conversation, ...event));
            if (conversation.row) this.#drain(conversation);
        } catch (error) {
            if (engine.stopped) return;
            // the user is no longer in it; otherwise a sync brings what is missing
            if (error.status === 403 || error.status === 404) engine.drop(id);
            else engine.syncWithin(1_000);
        } finally {
            this.repairing.delete(id);
        }
    }
}
