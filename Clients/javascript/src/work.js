// What the queue's entries do at the server, and what their answers change here.
import { noAnswer } from "./errors.js";
import { preview, tombstone } from "./events.js";

export class Work {
    #core;
    /** core: rpc, engine, transport */
    constructor(core) {
        this.#core = core;
    }

    async perform(entry) {
        const { id, kind, args, conversation_id: conversation, message_id: message } = entry;
        const { rpc, engine } = this.#core;
        if (kind === "send") return this.#send(conversation, { ...args, client_message_id: id });
        if (kind === "settings") return rpc("update_participant_settings", { conversation_id: conversation, ...args, ...muteOf(args) });
        if (kind === "unread") return rpc("mark_as_unread", { conversation_id: conversation });
        const { on, ...change } = args;
        const name = { vote: "vote", edit: "edit_message", delete: "delete_message", react: on ? "add_reaction" : "remove_reaction" }[kind];
        const call = () => rpc(name, { message_id: message, ...change });
        if (kind === "vote") return call();
        // The answer shows the message as it was then. Where an event came meanwhile, it is fetched.
        const held = engine.get(conversation);
        const answer = await held.load(async () => {
            const result = await call();
            return { messages: result?.reactions ? [result] : [], from: 1, to: 0, result };
        });
        held.trim();
        return answer.result;
    }

    async #send(conversation, args) {
        const { transport, rpc } = this.#core;
        let uncertain = false;
        try {
            if (transport?.reaches(conversation)) return stored(args, (await transport.request(conversation, "message:send", args)).message);
        } catch (error) {
            // without an answer the same goes by HTTP, under the same id
            if (!error.retriable || error.retryAfter) throw error;
            uncertain = true;
        }
        try {
            return stored(args, await rpc("send_message", { conversation_id: conversation, ...args }));
        } catch (error) {
            throw Object.assign(error, { uncertain });
        }
    }

    done({ kind, args, conversation_id: id, message_id: messageId }, result) {
        const conversation = this.#core.engine.get(id);
        const { row } = conversation;
        if (kind === "send") {
            conversation.upsert(result);
            if (row && result.seq > (row.last_message?.seq ?? 0)) conversation.change({ last_message: preview(result) });
        }
        const seq = messageId && conversation.seqOf(messageId);
        if (kind === "delete" && seq) {
            if (!args.for_everyone) conversation.remove(seq);
            else conversation.update(seq, (message) => tombstone(message, result.deleted_at), { refetch: true });
        }
        if (kind === "vote" && seq) conversation.wantRefetch(seq);
        if (kind === "settings" && row) conversation.change({ me: result });
        if (kind === "unread" && row) conversation.change({ me: { ...row.me, marked_unread: result.marked_unread } });
    }
}

/** What is not the message that was sent, as the empty page of a proxy, is no answer. */
function stored({ client_message_id: id }, message) {
    if (message?.client_message_id !== id) throw noAnswer();
    return message;
}

/** A mute ends by a moment that has passed. */
function muteOf({ mute_until: until }) {
    return until === null ? { mute_until: "1970-01-01T00:00:00Z" } : {};
}
