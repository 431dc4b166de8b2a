// A client without a server: the interface of src/parley.d.ts over plain arrays, for tests that look at the components alone.

export class Cell {
    constructor(value) {
        this.value = value;
        this.listeners = new Set();
    }
    subscribe = (listener) => (this.listeners.add(listener), () => this.listeners.delete(listener));
    getSnapshot = () => this.value;
    set(value) {
        this.value = value;
        for (const listener of [...this.listeners]) listener();
    }
    change(part) {
        this.set({ ...this.value, ...part });
    }
}

export const ME = "00000000-0000-4000-8000-00000000000a";
export const BOB = "00000000-0000-4000-8000-00000000000b";
let last = 0;

export const person = (user_id, display_name, more = {}) => ({ user_id, display_name, role: "member", app_role: null, joined_at: "2026-01-01T00:00:00Z", left_at: null, last_read_seq: 0, last_delivered_seq: 0, ...more });

export function message(more = {}) {
    last += 1;
    const id = more.id ?? `m${last}`;
    return {
        id, key: id, conversation_id: "c1", seq: last, sender_id: BOB, sender_role: null, type: "text", content: `Message ${last}`, metadata: {}, mentions: [], mentions_all: false,
        reply_to_id: null, reply_to: null, forwarded: false, client_message_id: null, attachments: [], reactions: [], status: "sent", error: null, pending: null, pending_id: null,
        pinned_at: null, edited_at: null, deleted_at: null, expires_at: null, created_at: new Date(Date.UTC(2026, 5, 1) + last * 60_000).toISOString(), ...more,
    };
}

export function conversation(more = {}) {
    const people = [person(ME, "Alice", { role: "owner" }), person(BOB, "Bob")];
    return {
        id: "c1", type: "direct", status: "active", title: null, description: null, icon_url: null, settings: {}, permissions: { send: "everyone", change_settings: "everyone" }, context_type: null, context_id: null,
        created_by: ME, created_at: "2026-01-01T00:00:00Z", last_seq: 0, last_event_seq: 0, last_activity_at: "2026-06-01T00:00:00Z", participant_count: 2, participants: people, counterpart: people[1],
        me: { role: "owner", app_role: null, last_read_seq: 0, last_read_at: null, last_delivered_seq: 0, history_from_seq: 0, marked_unread: false, muted_until: null, is_muted: false, pinned_at: null, archived_at: null, notification_level: "all", notifications_enabled: true, folder: "inbox", deleted_seq: null },
        unread_count: 0, mention_count: 0, last_message: null, draft: null, ...more,
    };
}

/** `conversations` and `messages` are what it holds; `calls` notes what the components asked for. */
export function fake({ conversations = [conversation()], messages = [], view = {}, api = {} } = {}) {
    const asked = [];
    const note = (name) => (...args) => (asked.push([name, ...args]), { stored: new Promise(() => {}), client_message_id: "x" });
    const state = {
        inbox: new Cell({ conversations, loading: false }),
        one: new Map(conversations.map((item) => [item.id, new Cell(item)])),
        window: new Cell({ messages, loading: false, loadingOlder: false, loadingNewer: false, hasOlder: false, hasNewer: false, unreadAfterSeq: null, target: null, error: null, ...view }),
        typing: new Cell([]), presence: new Cell([]), asked, listeners: new Map(),
    };
    const window = {
        conversationId: "c1", subscribe: state.window.subscribe, getSnapshot: state.window.getSnapshot, close() {},
        loadOlder: async () => void note("loadOlder")(), loadNewer: async () => void note("loadNewer")(), jumpTo: async (target) => void note("jumpTo")(target), jumpToNewest: async () => void note("jumpToNewest")(),
    };
    const parley = {
        userId: ME, state,
        connection: new Cell({ status: "online", retryAt: null, leader: true, persistent: true, ready: true, syncing: false }),
        unread: new Cell({ total: 0, muted_total: 0, archived_total: 0, requests_total: 0, mentions_total: 0, unread_conversations: 0, unread_requests: 0 }),
        outbox: new Cell([]),
        calls: Object.assign(new Cell({ incoming: [], current: null, streams: {}, media: "none" }), { start: note("call"), accept: note("accept"), decline: note("decline"), hangUp: note("hangUp") }),
        api: new Proxy(api, { get: (own, name) => own[name] ?? (async (args) => (note(name)(args), {})) }),
        conversations: () => state.inbox, conversation: (id) => state.one.get(id) ?? new Cell(null), messages: () => window,
        typing: () => state.typing, presence: () => state.presence,
        on: (event, listener) => (state.listeners.set(event, listener), () => state.listeners.delete(event)),
        loadParticipants: async () => conversations[0].participants,
        reconnect: note("reconnect"), signOut: async () => void note("signOut")(), startConversation: async (args) => (note("startConversation")(args), conversations[0]),
    };
    for (const name of ["send", "retry", "cancel", "edit", "delete", "react", "vote", "updateSettings", "markRead", "markUnread", "setTyping", "setDraft", "deleteConversation"]) parley[name] = note(name);
    return parley;
}
