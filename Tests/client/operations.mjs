// What users do, at random.
import { randomUUID } from "node:crypto";

const WEIGHTS = {
    send: 30, reply: 5, edit: 6, remove: 4, removeForMe: 3, react: 8, read: 12, unread: 2, draft: 5, settings: 4, view: 6,
    closeView: 3, older: 3, newer: 2, jump: 3, newest: 1, type: 3, poll: 1, vote: 3, retry: 2, cancel: 2, start: 1, group: 1,
    add: 1, dismiss: 1, leave: 0.5, forget: 0.7, rename: 1, pin: 1, star: 1,
};
const EMOJI = ["👍", "❤️", "😂", "🎉"];

export class Operations {
    #world;
    #chance;
    #number = 0;
    constructor(world) {
        this.#world = world;
        this.#chance = world.chance;
    }

    async begin() {
        const { users, rpc } = this.#world;
        const [a, b, c] = users;
        await rpc(a, "start_conversation", { participant_ids: [b] });
        await rpc(b, "start_conversation", { participant_ids: [c] });
        await rpc(c, "start_conversation", { participant_ids: [a, b], type: "group", title: "All of us" });
    }

    get #tabs() {
        return this.#world.devices.flatMap((device) => device.tabs);
    }

    async act() {
        const name = this.#chance.weighted(WEIGHTS);
        const tab = this.#chance.of(this.#tabs);
        if (!tab) return;
        const rows = tab.parley.conversations().getSnapshot().conversations;
        const archived = tab.parley.conversations({ filter: "archived" }).getSnapshot().conversations;
        const row = this.#chance.of(this.#chance.next() < 0.1 && archived.length ? archived : rows);
        if (!row && name !== "start") return;
        const view = this.#chance.of(tab.views);
        const messages = view?.getSnapshot().messages ?? [];
        const message = this.#chance.of(this.#chance.next() < 0.3 ? messages.slice(-3) : messages);
        this.#world.note(`${tab.name} ${name} ${row?.id.slice(-4)} ${message?.seq ?? message?.id ?? ""}`);
        try {
            await this[name]({ tab, parley: tab.parley, row, view, message, messages });
        } catch (error) {
            // refused, or cut off: a caller that waits is told, and nothing else
            if (error.name !== "ParleyError") throw error;
        }
    }

    send({ tab, parley, row }, more = {}) {
        this.#number += 1;
        const text = `${tab.name} ${this.#number}`;
        const { client_message_id: id, stored } = parley.send(row.id, { content: text, ...more });
        const send = { id, text, tab, device: tab.device, wasShown: false, retried: false };
        const undo = parley.outbox.subscribe(() => {
            if (tab.dead || !parley.outbox.getSnapshot().some((entry) => entry.id === id)) return;
            send.wasShown = true;
            undo();
        });
        stored.then(() => (send.wasShown = true), () => {});
        this.#world.sends.push(send);
    }
    reply(all) {
        if (all.message?.seq && all.view.conversationId === all.row.id) this.send(all, { reply_to_id: all.message.id });
    }
    edit({ parley, message }) {
        if (!message || message.sender_id !== parley.userId || message.deleted_at || message.type !== "text") return;
        this.#number += 1;
        parley.edit(message, `edited ${this.#number}`);
        if (message.seq === null) this.#world.sends.filter((send) => send.id === message.id).forEach((send) => (send.retried = true));
    }
    remove({ parley, message }) {
        if (message?.sender_id !== parley.userId) return;
        if (message.seq === null) this.#world.cancelled.add(message.id);
        parley.delete(message, { forEveryone: true });
    }
    removeForMe({ parley, message }) {
        if (message?.seq) parley.delete(message);
    }
    react({ parley, message }) {
        if (message?.seq && !message.deleted_at) parley.react(message, this.#chance.of(EMOJI));
    }
    read({ parley, row }) {
        parley.markRead(row.id, this.#chance.next() < 0.7 ? undefined : Math.max(1, row.last_seq - this.#chance.int(4)));
    }
    unread({ parley, row }) {
        parley.markUnread(row.id);
    }
    draft({ parley, row }) {
        parley.setDraft(row.id, this.#chance.next() < 0.2 ? null : `draft ${this.#chance.int(1000)}`);
    }
    settings({ parley, row }) {
        const on = this.#chance.next() < 0.5;
        const muted = on ? new Date(Date.now() + 3_600_000).toISOString() : null;
        parley.updateSettings(row.id, this.#chance.of([{ pin: on }, { archive: on }, { mute_until: muted }, { notifications: on ? "all" : "none" }]));
    }
    view({ tab, parley, row }) {
        if (tab.views.length >= 3) return;
        const around = this.#chance.next() < 0.3 ? Math.max(1, this.#chance.int(row.last_seq + 1)) : this.#chance.of([undefined, undefined, "unread"]);
        tab.views.push(parley.messages(row.id, { around, pageSize: this.#chance.of([5, 20, 50]) }));
    }
    closeView({ tab, view }) {
        if (!view) return;
        view.close();
        tab.views.splice(tab.views.indexOf(view), 1);
    }
    older({ view }) {
        view?.loadOlder().catch(() => {});
    }
    newer({ view }) {
        view?.loadNewer().catch(() => {});
    }
    jump({ view, message, row }) {
        view?.jumpTo(this.#chance.next() < 0.5 && message?.seq ? message.id : 1 + this.#chance.int(Math.max(1, row.last_seq))).catch(() => {});
    }
    newest({ view }) {
        view?.jumpToNewest().catch(() => {});
    }
    type({ parley, row }) {
        parley.setTyping(row.id, this.#chance.next() < 0.8);
    }
    retry({ parley }) {
        const entry = this.#chance.of(parley.outbox.getSnapshot().filter((one) => one.state === "failed"));
        if (!entry) return;
        parley.retry(entry.id);
        for (const send of this.#world.sends) if (send.id === entry.id) send.retried = true;
    }
    cancel({ parley }) {
        const entry = this.#chance.of(parley.outbox.getSnapshot());
        if (entry && parley.cancel(entry.id)) this.#world.cancelled.add(entry.id);
    }
    poll({ parley, row }) {
        this.#late(parley.api.create_poll({ conversation_id: row.id, question: "Where?", options: ["here", "there", "nowhere"], multiple: this.#chance.next() < 0.5, client_message_id: randomUUID() }));
    }
    vote({ parley, messages }) {
        const poll = this.#chance.of(messages.filter((message) => message.poll && !message.deleted_at));
        if (poll) parley.vote(poll, this.#chance.of([[], [1], [2], [3]]));
    }
    start({ parley }) {
        this.#late(parley.startConversation({ participant_ids: [this.#chance.of(this.#world.users.filter((user) => user !== parley.userId))] }));
    }
    group({ parley, tab }) {
        const others = this.#world.users.filter((user) => user !== parley.userId && this.#chance.next() < 0.8);
        if (others.length) this.#late(parley.startConversation({ participant_ids: others, type: "group", title: `Group of ${tab.name}`, message: "Welcome" }));
    }
    add({ parley, row }) {
        if (row.type === "group") this.#late(parley.api.add_participants({ conversation_id: row.id, participant_ids: [this.#chance.of(this.#world.users)] }));
    }
    dismiss({ parley, row }) {
        if (row.type === "group") this.#late(parley.api.remove_participant({ conversation_id: row.id, user_id: this.#chance.of(this.#world.users) }));
    }
    leave({ parley, row }) {
        if (row.type === "group") this.#late(parley.api.leave_conversation({ conversation_id: row.id }));
    }
    forget({ parley, row }) {
        this.#late(parley.deleteConversation(row.id));
    }
    rename({ parley, row }) {
        if (row.type === "group") this.#late(parley.api.update_conversation({ conversation_id: row.id, title: `Title ${this.#chance.int(100)}` }));
    }
    pin({ parley, message }) {
        if (message?.seq && !message.deleted_at) this.#late(parley.api[message.pinned_at ? "unpin_message" : "pin_message"]({ message_id: message.id }));
    }
    star({ parley, message }) {
        if (message?.seq && !message.deleted_at) this.#late(parley.api[message.starred ? "unstar_message" : "star_message"]({ message_id: message.id }));
    }

    // A call whose answer may take long, or never come.
    #late(work) {
        this.#pending.add(work);
        const done = () => this.#pending.delete(work);
        work.then(done, done);
    }
    #pending = new Set();

    /** Windows whose page was cut off are given their chance; then all are at rest. */
    async mendViews() {
        for (const work of [...this.#pending]) await Promise.race([work.catch(() => {}), this.#world.sleep(2_000)]);
        const limit = Date.now() + 10_000;
        const restless = () => this.#tabs.flatMap((tab) => tab.views).filter((view) => {
            const { loading, loadingOlder, loadingNewer, error } = view.getSnapshot();
            return (loading && !error) || loadingOlder || loadingNewer || error?.retriable;
        });
        while (restless().length && Date.now() < limit) await this.#world.sleep(50);
        if (restless().length) throw new Error(`A window still loads: ${JSON.stringify({ ...restless()[0].getSnapshot(), messages: restless()[0].getSnapshot().messages.length })}`);
        for (const tab of this.#tabs) await tab.parley.settled(20_000);
    }

    /** What a window of a conversation that was left shows is of no interest any more. */
    forgetViews() {
        for (const tab of this.#tabs) {
            for (const view of [...tab.views]) {
                if (tab.parley.conversation(view.conversationId).getSnapshot()) continue;
                view.close();
                tab.views.splice(tab.views.indexOf(view), 1);
            }
        }
    }
}
