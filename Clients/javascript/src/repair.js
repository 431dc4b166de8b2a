// Asks for the events of a conversation that were left out. Loaded with the first gap.

const PAGE = 1_000;

/** next(event, payload) applies one. */
export async function fetchMissing(conversation, engine, rpc, next) {
    for (let more = true; more; ) {
        const page = await rpc("get_events", { conversation_id: conversation.id, page_size: PAGE, after_seq: conversation.applied });
        if (engine.stopped || !conversation.row) return;
        if (page.gap) {
            // lost to this reader, or never there: what is held begins anew
            engine.reload(conversation);
            engine.syncWithin(0);
            if (page.gap.reason === "reset") {
                conversation.buffer.clear();
                conversation.applied = page.last_event_seq;
                return;
            }
        }
        for (const { event, payload } of page.events) {
            next(event, payload);
            if (!conversation.row) return;
        }
        conversation.applied = Math.max(conversation.applied, page.to);
        more = page.has_more;
    }
}
