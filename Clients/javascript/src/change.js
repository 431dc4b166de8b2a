// What the queue's entries do at the server that are no messages. Loaded with the first.

export async function performChange(entry, { rpc, engine }) {
    const { kind, args, conversation_id: conversation, message_id: message } = entry;
    if (kind === "settings") return engine.change("update_participant_settings", { conversation_id: conversation, ...args, ...muteOf(args) });
    if (kind === "unread") return engine.change("mark_as_unread", { conversation_id: conversation });
    const { on, ...change } = args;
    const name = { vote: "vote", edit: "edit_message", delete: "delete_message", react: on ? "add_reaction" : "remove_reaction" }[kind];
    const call = () => rpc(name, { message_id: message, ...change });
    if (kind === "vote") return call();
    // The answer shows the message as it was then. Where an event came meanwhile, it is fetched.
    const held = engine.get(conversation);
    const answer = await held.load(async () => {
        const result = await call();
        return { messages: result?.reactions ? [{ ...ownOf(held.messages.get(result.seq)), ...result }] : [], from: 1, to: 0, result };
    });
    held.trim();
    return answer.result;
}

/** What a page says of a message to the viewer alone, and an answer does not. */
function ownOf(message = {}) {
    return Object.fromEntries(["starred", "read_at"].filter((name) => name in message).map((name) => [name, message[name]]));
}

/** A mute ends by a moment that has passed. */
function muteOf({ mute_until: until }) {
    return until === null ? { mute_until: "1970-01-01T00:00:00Z" } : {};
}
