// The public interface of the client. What comes from the server keeps the server's names (snake_case).

export function createParley(options: ParleyOptions): Parley;

export interface ParleyOptions {
    /** Where the worker, or a gateway in front of it, is: `https://chat.example.com`. */
    url: string;
    /** Gives a token of the signed-in user. Called at the start, before a token expires, and after a refusal. */
    token?: () => string | Promise<string>;
    /** A Supabase client instead of `token`: its session is used and followed. */
    supabase?: SupabaseLike;
    /**
     * Whose client it is. What is kept of this user then shows at once, without a network as well; a token of another user
     * ends the client. Without it, what is kept shows when the token has said whose it is.
     */
    userId?: string;
    /**
     * A public key, as Supabase's anon key: it opens the socket, and the token goes with each join. Without one the token
     * itself stands in the address of the socket, which proxies may write into their logs. By default that of `supabase`.
     */
    apikey?: string;
    /** Where the queue and the inbox survive a reload. By default IndexedDB where there is one; 'memory' keeps nothing. */
    storage?: "indexeddb" | "memory" | AsyncStorageLike;
    WebSocket?: WebSocketConstructor;
    fetch?: typeof globalThis.fetch;
    clock?: Clock;
    random?: () => number;
    /** Web Locks; null: every tab has a socket of its own. */
    locks?: LockManagerLike | null;
    /** Makes a BroadcastChannel by its name; null as for locks. */
    channel?: ((name: string) => BroadcastChannelLike) | null;
    /** Constructor of peer connections, for calls. */
    RTCPeerConnection?: unknown;
    /** What stands for the window: `document.visibilityState`, and listeners of both. By default `globalThis`. */
    page?: unknown;
    /** Who this device is in calls; by default a random id that is kept in the storage. */
    deviceId?: string;
    /** false: nothing happens before `start()`. By default the client starts at once. */
    autoStart?: boolean;
    /** false: never say that messages have arrived at this device. */
    delivered?: boolean;
}

/** The shape that React wants: `useSyncExternalStore(store.subscribe, store.getSnapshot)`. Snapshots are never changed. */
export interface Store<T> {
    subscribe(listener: () => void): () => void;
    getSnapshot(): T;
}

export interface Parley {
    /** The user of the token, once there is one. */
    readonly userId: string | null;
    readonly connection: Store<Connection>;
    /** Counts of all conversations, as get_unread_counts. */
    readonly unread: Store<UnreadCounts>;
    /** What this device has yet to bring to the server, the failed included. */
    readonly outbox: Store<readonly OutboxEntry[]>;
    readonly calls: Calls;
    /** Every function of parley_api by its name: `parley.api.block_user({ user_id })`. Throws ParleyError. */
    readonly api: Api;

    start(): Promise<void>;
    /** Ends timers, sockets and views, and keeps the storage: the next start goes on from it. */
    stop(): Promise<void>;
    /** stop, and wipes what is held and stored of the user here, in every tab. Whatever waits for something fails as signed-out, and so does what is asked or sent later; neither is kept for anybody. A send that is already on its way may still arrive. */
    signOut(): Promise<void>;
    /** Connects now instead of after the wait. */
    reconnect(): void;
    /** Resolves when everything known has been sent, synced and applied; rejects after `timeout` ms (10,000). */
    settled(timeout?: number): Promise<void>;
    on<K extends keyof ParleyEvents>(event: K, listener: (detail: ParleyEvents[K]) => void): () => void;
    rpc<T = unknown>(name: string, args?: object): Promise<T>;

    // --- reading
    /** The inbox: pinned first, then recent activity. One store per filter and search, shared. */
    conversations(options?: ConversationsOptions): Store<ConversationsSnapshot>;
    /** One conversation; null: not loaded yet, or not (any more) the user's. */
    conversation(id: string): Store<Conversation | null>;
    /** A window on the messages. Each call makes a view of its own; close() it. */
    messages(conversationId: string, options?: MessagesOptions): MessagesView;
    /** Ids of the others who are typing. */
    typing(conversationId: string): Store<readonly string[]>;
    /** Ids of the users who are present in the conversation, oneself included. */
    presence(conversationId: string): Store<readonly string[]>;
    /** Loads all participants of a large group into the conversation; of the others all are there already. */
    loadParticipants(conversationId: string): Promise<readonly Participant[]>;

    // --- doing; all but start are optimistic: they show at once, outlive a reload, and are retried by themselves
    /** Starts a conversation, or returns the one that exists. Needs the network. */
    startConversation(args: StartConversation): Promise<Conversation>;
    send(conversationId: string, message: string | Outgoing): Sending;
    /** Sends a failed message, or a failed edit, again. */
    retry(id: string): boolean;
    /** Takes back a failed or not yet attempted one. false: too late, it may have arrived. */
    cancel(id: string): boolean;
    /** `message`: the message as a view shows it, or its id. */
    edit(message: Message | string, content: string, more?: { metadata?: object; mentions?: string[]; mentionsAll?: boolean }): void;
    delete(message: Message | string, options?: { forEveryone?: boolean }): void;
    /** Adds the reaction, or takes it off where `on` is false; without `on` toggles. */
    react(message: Message | string, emoji: string, on?: boolean): void;
    vote(message: Message | string, optionIds: number[]): void;
    /** pin, archive, mute, notifications: changed at once here, told to the server by the queue. */
    updateSettings(conversationId: string, settings: ConversationSettings): void;
    /** Read up to seq, by default everything. Sent every 2 s, or when 10 messages have been read. */
    markRead(conversationId: string, seq?: number): void;
    markUnread(conversationId: string): void;
    /** Call it at each key: it debounces by 300 ms, repeats once a second and ends by itself. Dropped offline. */
    setTyping(conversationId: string, typing?: boolean): void;
    /** Kept here at once, on the server every 2 s; sending clears it. null clears it. */
    setDraft(conversationId: string, draft: { content: string; reply_to_id?: string | null; metadata?: object } | string | null): void;
    /** For me alone; the next message brings it back. */
    deleteConversation(conversationId: string): Promise<void>;
}

export interface Connection {
    /**
     * connecting: on the way. online: live. offline: the last try failed, the next comes at retryAt.
     * signed-out: no token, or one that is refused; closed: stopped.
     */
    status: "connecting" | "online" | "offline" | "signed-out" | "closed";
    /** When the next try comes, in ms since 1970. */
    retryAt: number | null;
    /** True for the tab that has the socket, plays sounds and shows notifications. */
    leader: boolean;
    /** False: the storage fails, or is late, so unsent messages are lost with the page. */
    persistent: boolean;
    /** True once the inbox has been loaded, from the storage or the server. */
    ready: boolean;
    /** True while what happened meanwhile is being fetched. */
    syncing: boolean;
}

export interface ParleyEvents {
    /** A message of somebody else arrived live. `notify`: this tab should show it, and the conversation is not muted. */
    message: { message: Message; conversation: Conversation | null; notify: boolean };
    /** Every durable event once, after it has been applied. */
    event: { event: string; payload: Record<string, unknown> };
    /** What the queue could not do: refused by the server. Deletions, reactions, votes and settings were undone. */
    refused: { entry: OutboxEntry; error: ParleyError };
    /** Said once each: the storage fails or is late, a storage was found damaged. */
    warning: { code: "storage-failed" | "storage-damaged"; message: string };
    /** The token is missing or refused; sign in again. */
    "signed-out": { reason: string };
    /** What was held was forgotten, because the log began anew or too much was missed. Views load afresh. */
    reset: { reason: string };
}

export class ParleyError extends Error {
    /** As in docs/errors.md (`PT403`, `42501`); `network` or `timeout` where no answer came; `expired` for a queued send of more than 60 days; `aborted` after stop() or cancel(), and for a send that waits when the token of another user comes: it stays queued; `signed-out` without a token, and after signOut() or that token. */
    code: string;
    /** HTTP status; 0: no answer. */
    status: number;
    details: string | null;
    hint: string | null;
    /** True: the same again may succeed. */
    retriable: boolean;
    /** Seconds to wait before, if the server said so. */
    retryAfter: number | null;
}

export interface ConversationsOptions {
    /** 'all' leaves out requests, archived and deleted ones. */
    filter?: "all" | "unread" | "archived" | "requests";
    /** Looks in titles and in names of participants. */
    search?: string;
}
export interface ConversationsSnapshot {
    readonly conversations: readonly Conversation[];
    /** True before the first load has ended. */
    readonly loading: boolean;
}

export interface Participant {
    user_id: string;
    display_name: string | null;
    role: "owner" | "admin" | "member";
    app_role: string | null;
    joined_at: string;
    left_at: string | null;
    /** null: keeps read receipts to themselves. */
    last_read_seq: number | null;
    last_delivered_seq: number;
}

export interface MySettings {
    role: string;
    app_role: string | null;
    last_read_seq: number;
    last_read_at: string | null;
    last_delivered_seq: number;
    history_from_seq: number;
    marked_unread: boolean;
    muted_until: string | null;
    is_muted: boolean;
    pinned_at: string | null;
    archived_at: string | null;
    notification_level: "all" | "mentions" | "none";
    notifications_enabled: boolean;
    folder: string;
    deleted_seq: number | null;
}

export interface Draft {
    content: string;
    reply_to_id: string | null;
    metadata: Record<string, unknown>;
    updated_at: string;
}

/** A row of the inbox, as the server gives it, kept up to date. */
export interface Conversation {
    id: string;
    type: "direct" | "group" | "project" | "support" | "announcement";
    status: "active" | "archived" | "locked";
    title: string | null;
    description: string | null;
    icon_url: string | null;
    settings: Record<string, unknown>;
    permissions: Record<string, "everyone" | "admins">;
    context_type: string | null;
    context_id: string | null;
    created_by: string | null;
    created_at: string;
    last_seq: number;
    last_event_seq: number;
    last_activity_at: string;
    participant_count: number;
    /** By time of joining; of a large group the first fifty, until loadParticipants. */
    participants: readonly Participant[];
    /** Of a direct conversation: the other one, also when gone. */
    counterpart: Participant | null;
    me: MySettings;
    unread_count: number;
    mention_count: number;
    /** The preview: at most 200 characters, without the quote. One's own message on its way comes first. */
    last_message: Message | null;
    draft: Draft | null;
    [more: string]: unknown;
}

export interface Reaction { emoji: string; count: number; user_ids: readonly string[] }

export interface Message {
    /** Of the server; of a message on its way, its client_message_id. */
    id: string;
    /** Stays the same while a message goes from sending to sent: for lists. */
    key: string;
    conversation_id: string;
    /** null: not yet stored. */
    seq: number | null;
    /** null: the system. */
    sender_id: string | null;
    sender_role: string | null;
    type: string;
    content: string | null;
    metadata: Record<string, unknown>;
    mentions: readonly string[];
    mentions_all: boolean;
    reply_to_id: string | null;
    /** In short; null: there is none, or not to be seen. */
    reply_to: { id: string; seq: number; sender_id: string | null; type: string; content: string | null; attachment: object | null; deleted: boolean } | null;
    forwarded: boolean;
    client_message_id: string | null;
    attachments: readonly Record<string, unknown>[];
    reactions: readonly Reaction[];
    poll?: Record<string, unknown> | null;
    /** Of one's own messages; of the others' always `sent`. */
    status: "sending" | "sent" | "delivered" | "read" | "failed";
    /** Why it failed; also of a failed edit. */
    error: Failure | null;
    /** An edit, a deletion or a reaction is on its way; edit-failed waits for retry() or cancel() with pending_id. */
    pending: "edit" | "edit-failed" | "delete" | "reaction" | "vote" | null;
    /** What retry() and cancel() take: of a message that is sending or failed, or of its edit. */
    pending_id: string | null;
    /** By the user of this client, for themselves. */
    starred?: boolean;
    pinned_at: string | null;
    edited_at: string | null;
    deleted_at: string | null;
    expires_at: string | null;
    created_at: string;
    [more: string]: unknown;
}

export interface MessagesOptions {
    /** Opens around this message, or this seq, instead of at the newest. 'unread': at the first unread one. */
    around?: string | number | "unread";
    /** Messages of a page; 50. */
    pageSize?: number;
    /** false: neither typing nor presence of this conversation (no channel is joined). */
    live?: boolean;
}
export interface MessagesSnapshot {
    /** By seq; one's own that are on their way, or failed, last. */
    readonly messages: readonly Message[];
    /** True while there is nothing to show yet. The window is never emptied while a page loads. */
    readonly loading: boolean;
    readonly loadingOlder: boolean;
    readonly loadingNewer: boolean;
    readonly hasOlder: boolean;
    /** True: the window does not reach the newest message. */
    readonly hasNewer: boolean;
    /** The seq after which the unread begin, as it was when the view was opened; null: nothing was unread. */
    readonly unreadAfterSeq: number | null;
    /** The key of the message that was jumped to. */
    readonly target: string | null;
    readonly error: ParleyError | null;
}
export interface MessagesView extends Store<MessagesSnapshot> {
    readonly conversationId: string;
    loadOlder(): Promise<void>;
    loadNewer(): Promise<void>;
    /** Loads around a message (id) or seq, in one step however far it is. */
    jumpTo(target: string | number): Promise<void>;
    jumpToNewest(): Promise<void>;
    close(): void;
}

export interface Outgoing {
    content?: string | null;
    type?: string;
    reply_to_id?: string | null;
    attachment_ids?: string[];
    mentions?: string[];
    mentions_all?: boolean;
    metadata?: object;
    expires_in?: string;
    client_message_id?: string;
}
export interface Sending {
    client_message_id: string;
    /** The stored message; rejects with ParleyError when the server refuses it or it is cancelled. */
    stored: Promise<Message>;
}
export interface OutboxEntry {
    /** Of a send its client_message_id. */
    id: string;
    kind: "send" | "edit" | "delete" | "react" | "vote" | "settings" | "unread";
    conversation_id: string;
    message_id: string | null;
    args: Record<string, unknown>;
    state: "waiting" | "sending" | "failed";
    attempts: number;
    created_at: number;
    error: Failure | null;
}

export interface Failure {
    code: string;
    message: string;
    /** An earlier try had no answer, so it may have arrived all the same: as when the user was removed meanwhile. */
    uncertain?: true;
}

export interface ConversationSettings {
    pin?: boolean;
    archive?: boolean;
    /** ISO 8601 with an offset, 'infinity', or null to end it. */
    mute_until?: string | null;
    notifications?: "all" | "mentions" | "none";
}

export interface StartConversation {
    participant_ids: string[];
    type?: string;
    title?: string;
    context_type?: string;
    context_id?: string;
    message?: string;
    [more: string]: unknown;
}

export interface UnreadCounts {
    /** Unread messages of the inbox, without muted, archived and requests. */
    total: number;
    muted_total: number;
    archived_total: number;
    requests_total: number;
    mentions_total: number;
    unread_conversations: number;
    unread_requests: number;
}

export interface CallState {
    id: string;
    conversation_id: string;
    kind: "voice" | "video";
    state: "ringing" | "active" | "ended";
    outcome: string | null;
    initiator_id: string;
    participants: readonly { user_id: string; state: string; device_id: string | null }[];
    [more: string]: unknown;
}
export interface CallsSnapshot {
    /** Rings here and was not answered. */
    readonly incoming: readonly CallState[];
    /** The call of this device. */
    readonly current: CallState | null;
    /** Streams of the others, by user id. */
    readonly streams: Readonly<Record<string, unknown>>;
    /** Of the peer connections: the worst of them. */
    readonly media: "none" | "connecting" | "connected" | "failed";
}
export interface Calls extends Store<CallsSnapshot> {
    /** `stream`: a MediaStream of getUserMedia. */
    start(conversationId: string, options?: { kind?: "voice" | "video"; stream?: unknown; inviteIds?: string[] }): Promise<CallState>;
    accept(callId: string, options?: { stream?: unknown }): Promise<CallState>;
    decline(callId: string, options?: { busy?: boolean }): Promise<void>;
    hangUp(): Promise<void>;
    /** Sends another stream in the place of this one: negotiated anew. */
    setStream(stream: unknown): void;
}

/** The functions of parley_api; arguments by name, as in docs/api.md. */
export type Api = Record<string, (args?: object) => Promise<any>> & {
    block_user(args: { user_id: string }): Promise<any>;
    unblock_user(args: { user_id: string }): Promise<any>;
    restrict_user(args: { user_id: string }): Promise<any>;
    unrestrict_user(args: { user_id: string }): Promise<any>;
    get_blocked_users(args?: { cursor?: string; page_size?: number }): Promise<any>;
    accept_request(args: { conversation_id: string }): Promise<any>;
    decline_request(args: { conversation_id: string; block?: boolean }): Promise<any>;
    set_privacy(args: { message_privacy?: string; read_receipts?: boolean; show_presence?: boolean }): Promise<any>;
    get_privacy(): Promise<any>;
    may(args: { action: string; target_id?: string }): Promise<{ allowed: boolean; reason: string | null; remedy: string | null }>;
    search_messages(args: { query: string; conversation_id?: string; cursor?: string; page_size?: number }): Promise<any>;
    search_members(args: { conversation_id: string; query?: string }): Promise<any>;
    register_device(args: { provider: string; app_id?: string; token: string; keys?: object; [more: string]: unknown }): Promise<any>;
    get_web_push_key(): Promise<any>;
};

export interface AsyncStorageLike {
    getItem(key: string): Promise<string | null>;
    setItem(key: string, value: string): Promise<void>;
    removeItem(key: string): Promise<void>;
    getAllKeys(): Promise<readonly string[]>;
}
export interface Clock {
    now(): number;
    setTimeout(action: () => void, ms: number): unknown;
    clearTimeout(timer: unknown): void;
}
export interface LockManagerLike {
    request(name: string, options: object, action: (lock: unknown) => unknown): Promise<unknown>;
}
export interface BroadcastChannelLike {
    postMessage(message: unknown): void;
    close(): void;
    onmessage: ((event: { data: any }) => void) | null;
}
export type WebSocketConstructor = new (url: string) => {
    binaryType: string;
    readyState: number;
    send(data: string | Uint8Array): void;
    close(code?: number, reason?: string): void;
    onopen: ((event: any) => void) | null;
    onmessage: ((event: any) => void) | null;
    onclose: ((event: any) => void) | null;
    onerror: ((event: any) => void) | null;
};
export interface SupabaseLike {
    auth: {
        getSession(): Promise<{ data: { session: { access_token: string } | null } }>;
        onAuthStateChange(listener: (event: string, session: { access_token: string } | null) => void): { data: { subscription: { unsubscribe(): void } } };
    };
}
