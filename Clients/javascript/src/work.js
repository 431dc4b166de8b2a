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
        if (entry.kind === "send") return this.#send(entry.conversation_id, { ...entry.args, client_message_id: entry.id });
        const { performChange } = await import("./change.js").catch((error) => {
            throw noAnswer(error);
        });
        return performChange(entry, this.#core);
    }

    async #send(conversation, args) {
        const { transport, rpc } = this.#core;
        let uncertain = false;
        try {
            const channel = transport?.joined(conversation);
            if (channel) return stored(args, (await channel.request("message:send", args)).message);
        } catch (error) {
            // without an answer the same goes by HTTP, under the same id; also where the channel has just been closed
            if (error.retryAfter || !(error.retriable || error.status === 404)) throw error;
            uncertain = error.retriable;
        }
        try {
            return stored(args, await rpc("send_message", { conversation_id: conversation, ...args }));
        } catch (error) {
            throw Object.assign(error, { uncertain });
        }
    }

    done({ kind, args, conversation_id: id, message_id: messageId }, result) {
        const { engine } = this.#core;
        const conversation = engine.get(id);
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
        if (!row || !result) return;
        if (kind === "settings") conversation.change({ me: result });
        if (kind === "unread") conversation.change({ me: { ...row.me, marked_unread: result.marked_unread } });
    }
}

/** What is not the message that was sent, as the empty page of a proxy, is no answer. */
function stored({ client_message_id: id }, message) {
    if (message?.client_message_id !== id) throw noAnswer();
    return message;
}
