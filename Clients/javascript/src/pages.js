// Messages by the page, for windows, and single ones again that an event has left stale.
import { Part, pause } from "./base.js";
import { ALL } from "./conversation.js";

const REFETCH_MS = 150;
const SPREAD_MS = 4_000;

/** options: rpc */
export class Pages extends Part {
    load(conversation, args) {
        return conversation.load(async () => {
            const page = await this.options.rpc("get_conversation_messages", { conversation_id: conversation.id, ...args });
            // what lies in this range and is not in the page is not there
            const { messages } = page;
            page.from = args.after_seq != null ? args.after_seq + 1 : page.has_more_before ? messages[0].seq : 0;
            page.to = args.before_seq != null ? args.before_seq - 1 : page.has_more_after ? messages.at(-1).seq : Infinity;
            return page;
        });
    }

    refetchSoon(conversation, leisurely = false) {
        const [timer, ms] = leisurely ? [conversation.id, SPREAD_MS * this.options.random()] : [conversation, REFETCH_MS];
        if (!this.timers.has(timer)) this.timers.set(timer, ms, () => this.#refetch(conversation, 0));
    }

    async #refetch(conversation, tries) {
        const { refetch } = conversation;
        if (refetch.delete(ALL)) for (const seq of conversation.seqs) refetch.add(seq);
        if (refetch.size === 0 || this.stopped || !conversation.row) return refetch.clear();
        const first = Math.min(...refetch);
        const batch = [...refetch].filter((seq) => seq < first + 100);
        for (const seq of batch) refetch.delete(seq);
        try {
            const page = await this.load(conversation, { after_seq: first - 1, page_size: Math.max(...batch) - first + 1 });
            for (const seq of batch) if (seq > page.to) refetch.add(seq);
            if (refetch.size) this.refetchSoon(conversation);
        } catch (error) {
            // refused: the conversation is not the user's any more
            if (!error.retriable) refetch.clear();
            else if (!this.stopped) {
                for (const seq of batch) refetch.add(seq);
                this.timers.set(conversation, pause(tries, error, this.options.random), () => this.#refetch(conversation, tries + 1));
            }
        }
    }
}
