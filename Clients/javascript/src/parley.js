// The client: what an application holds. The types, with what each thing does, are in parley.d.ts.
import { MessagesView } from "./window.js";
import { Core } from "./core.js";
import { systemClock, uuid } from "./base.js";
import { ParleyError } from "./errors.js";

export { ParleyError };

/** @param {import("./parley.d.ts").ParleyOptions} options @returns {import("./parley.d.ts").Parley} */
export function createParley(options) {
    const core = new Core(withDefaults(options));
    const { engine, outbox } = core;

    /** The message that an application means, by the object that a view showed or by its id. */
    const find = (message) => {
        if (typeof message !== "string") return message;
        const entry = outbox.get(message);
        if (entry?.kind === "send") return { id: message, seq: null, conversation_id: entry.conversation_id, reactions: [] };
        for (const conversation of engine.conversations.values()) {
            const seq = conversation.seqOf(message);
            if (seq) return conversation.messages.get(seq);
        }
        throw new TypeError(`No view holds the message ${message}: pass the message itself.`);
    };
    const add = (kind, { id, seq, conversation_id }, args) =>
        outbox.add({ kind, conversation_id, args, ...(seq === null ? { ref: id } : { message_id: id }) });
    /** An entry about the same that has not been on its way yet. */
    const untried = (kind, { id, conversation_id }, also = () => true) =>
        outbox.of(conversation_id).find((entry) => entry.kind === kind && !entry.tried && (entry.message_id ?? entry.ref) === id && also(entry));

    /** The result of a function, when what it changed is here. */
    const synced = async (name, args) => {
        const result = await core.rpc(name, args);
        await engine.sync().catch(() => {});
        return result;
    };

    const parley = {
        get userId() {
            return core.userId;
        },
        connection: core.connection,
        unread: core.inbox.unread,
        outbox: outbox.cell,
        calls: core.calls.store,
        api: new Proxy({}, { get: (_, name) => (args) => core.rpc(name, args) }),
        rpc: core.rpc,
        settled: (timeout = 10_000) => core.within(async () => (await import("./settled.js")).settled(core, timeout)),

        conversations: (choice) => core.inbox.store(choice),
        conversation: (id) => engine.get(id).cell,
        messages: (id, choice) => new MessagesView(core, engine.get(id), choice),
        typing: (id) => core.typing.cells.get(id),
        presence: (id) => core.presence.get(id),

        loadParticipants: async (id) => (await import("./participants.js")).loadParticipants(core, engine.get(id)),

        async startConversation(args) {
            const row = await synced("start_conversation", { client_message_id: uuid(), ...args });
            return engine.get(row.id).cell.getSnapshot() ?? row;
        },

        send(conversationId, message) {
            const { client_message_id: id = uuid(), ...args } = typeof message === "string" ? { content: message } : message;
            core.typing.end(conversationId);
            core.here.setDraft(conversationId, null);
            const { stored } = outbox.add({ id, kind: "send", conversation_id: conversationId, args });
            return { client_message_id: id, stored };
        },

        edit(message, content, { metadata, mentions, mentionsAll } = {}) {
            const target = find(message);
            // what is undefined stays as it was
            const args = JSON.parse(JSON.stringify({ content, metadata, mentions, mentions_all: mentionsAll }));
            if (target.seq === null && outbox.amend(target.id, args)) return;
            const earlier = untried("edit", target);
            if (earlier) return void outbox.amend(earlier.id, args);
            for (const entry of outbox.of(target.conversation_id)) {
                if (entry.kind === "edit" && entry.state === "failed" && entry.message_id === target.id) outbox.cancel(entry.id);
            }
            add("edit", target, args);
        },
        delete(message, { forEveryone = false } = {}) {
            const target = find(message);
            if (target.seq === null && outbox.cancel(target.id)) return;
            add("delete", target, { for_everyone: forEveryone });
        },
        react(message, emoji, on) {
            const target = find(message);
            const has = target.reactions.find((reaction) => reaction.emoji === emoji)?.user_ids.includes(core.userId) ?? false;
            const wanted = on ?? !has;
            const earlier = untried("react", target, (entry) => entry.args.emoji === emoji);
            if (earlier && earlier.args.on !== wanted) outbox.cancel(earlier.id);
            else if (!earlier) add("react", target, { emoji, on: wanted });
        },
        vote: (message, optionIds) => void add("vote", find(message), { option_ids: optionIds }),

        updateSettings(conversationId, settings) {
            const all = { id: null, seq: 0, conversation_id: conversationId };
            const earlier = untried("settings", all);
            if (earlier) outbox.amend(earlier.id, settings);
            else add("settings", all, settings);
        },
        markUnread(conversationId) {
            core.here.reads.forget(conversationId);
            outbox.add({ kind: "unread", conversation_id: conversationId, args: {} });
        },
        setTyping: (conversationId, typing = true) => (typing ? core.typing.key(conversationId) : core.typing.end(conversationId)),
        deleteConversation: async (id) => void (await synced("delete_conversation", { conversation_id: id })),
    };
    const lend = (part, ...names) => {
        for (const name of names) parley[name] = part[name].bind(part);
    };
    lend(core, "start", "stop", "signOut", "reconnect", "on");
    lend(core.here, "markRead", "setDraft");
    lend(outbox, "retry", "cancel");
    if (options.autoStart !== false) parley.start().catch(() => {});
    return parley;
}

function withDefaults(options) {
    const g = globalThis;
    const { BroadcastChannel } = g;
    const whole = {
        fetch: g.fetch?.bind(g), WebSocket: g.WebSocket, RTCPeerConnection: g.RTCPeerConnection, clock: systemClock, random: Math.random,
        delivered: true, newId: uuid, page: g, locks: g.navigator?.locks, apikey: options.supabase?.supabaseKey,
        // Node has BroadcastChannels, but no tabs
        channel: g.document && BroadcastChannel && ((name) => new BroadcastChannel(name)),
    };
    for (const name in options) whole[name] = options[name] === undefined ? whole[name] : options[name];
    whole.url = options.url.replace(/\/+$/, "");
    for (const name of ["fetch", "WebSocket"]) if (!whole[name]) throw new TypeError(`There is no ${name} here: pass one in the options.`);
    if (!whole.token && !whole.supabase) throw new TypeError("Pass token, a function that gives one, or supabase, a client.");
    return whole;
}
