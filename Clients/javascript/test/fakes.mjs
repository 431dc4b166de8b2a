// A clock that stands until it is moved, a server in a few lines, and sockets in memory.

/** Lets everything that waits for nothing but its turn go on. */
export async function turns(count = 30) {
    for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve));
}

export class FakeClock {
    #now = Date.parse("2026-01-01T00:00:00Z");
    #timers = [];
    now = () => this.#now;
    setTimeout = (action, ms) => {
        const timer = { at: this.#now + ms, action };
        this.#timers.push(timer);
        return timer;
    };
    clearTimeout = (timer) => {
        this.#timers = this.#timers.filter((other) => other !== timer);
    };
    get pending() {
        return this.#timers.map((timer) => timer.at - this.#now).sort((a, b) => a - b);
    }
    /** Moves on, from timer to timer. */
    async tick(ms) {
        const until = this.#now + ms;
        for (;;) {
            await turns(10);
            const next = this.#timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
            if (!next) break;
            this.clearTimeout(next);
            this.#now = Math.max(this.#now, next.at);
            next.action();
        }
        this.#now = until;
        await turns(10);
    }
}

export function tokenOf(user, seconds = 3600, now = Date.parse("2026-01-01T00:00:00Z")) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    return `${part({ alg: "none" })}.${part({ sub: user, role: "authenticated", exp: Math.floor(now / 1000) + seconds, jti: Math.random() })}.x`;
}

/** AsyncStorage's shape. */
export class FakeStorage {
    items = new Map();
    broken = false;
    async #do(action) {
        if (this.broken) throw new Error("quota exceeded");
        return action();
    }
    getItem = (key) => this.#do(() => this.items.get(key) ?? null);
    setItem = (key, value) => this.#do(() => void this.items.set(key, value));
    removeItem = (key) => this.#do(() => void this.items.delete(key));
    getAllKeys = () => this.#do(() => [...this.items.keys()]);
}

/** WebSockets whose other end is the test: `sockets.all`, each with `sent` and `receive`. */
export function fakeSockets({ autoOpen = true, autoJoin = true } = {}) {
    const all = [];
    class FakeSocket {
        sent = [];
        readyState = 0;
        constructor(url) {
            this.url = url;
            all.push(this);
            if (autoOpen) setImmediate(() => this.open());
        }
        open() {
            if (this.closed) return;
            this.readyState = 1;
            this.onopen?.({});
        }
        send(data) {
            const frame = typeof data === "string" ? JSON.parse(data) : unpack(data);
            this.sent.push(frame);
            const [joinRef, ref, topic, event] = frame;
            if (event === "heartbeat" && this.beats !== false) this.receive([null, ref, topic, "phx_reply", { status: "ok", response: {} }]);
            if (autoJoin && event === "phx_join") setImmediate(() => this.receive([joinRef, ref, topic, "phx_reply", { status: "ok", response: {} }]));
        }
        receive(frame) {
            if (!this.closed) this.onmessage?.({ data: JSON.stringify(frame) });
        }
        broadcast(topic, event, payload, id = 1) {
            this.receive([null, null, topic, "broadcast", { type: "broadcast", event, payload, meta: { id: String(id) } }]);
        }
        close() {
            this.closed = true;
            this.readyState = 3;
        }
        /** The other end, or the network, ends it. */
        drop(code = 1006) {
            this.closed = true;
            this.readyState = 3;
            this.onclose?.({ code });
        }
        of(event) {
            return this.sent.filter((frame) => frame[3] === event);
        }
        /** Broadcasts whose event begins so, with their payloads. */
        said(begin) {
            return this.of("broadcast").map(([, , topic, , { event, payload }]) => ({ topic, event, payload })).filter(({ event }) => event.startsWith(begin));
        }
    }
    return { all, WebSocket: FakeSocket, get last() { return all.at(-1); } };
}

/** A binary push as its array. */
function unpack(bytes) {
    const decoder = new TextDecoder();
    let at = 7;
    const take = (length) => decoder.decode(bytes.subarray(at, (at += length)));
    const [joinRef, ref, topic, event] = [take(bytes[1]), take(bytes[2]), take(bytes[3]), take(bytes[4])];
    return [joinRef, ref, topic, "broadcast", { event, payload: JSON.parse(decoder.decode(bytes.subarray(at + bytes[5]))) }];
}

/** fetch of a server whose functions are those of the test; one that throws {status, ...} is an error answer. */
export function fakeServer(functions) {
    const calls = [];
    const fetch = async (url, { body, headers, signal }) => {
        const name = url.split("/").at(-1);
        const args = JSON.parse(body);
        const call = { name, args, token: headers.Authorization.slice(7) };
        calls.push(call);
        try {
            const aborted = new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));
            const result = await Promise.race([functions[name](args, call), aborted]);
            return { ok: true, status: 200, text: async () => JSON.stringify(result ?? null), headers: new Map() };
        } catch (error) {
            if (!error.status) throw error;
            return { ok: false, status: error.status, text: async () => JSON.stringify(error), headers: new Map(Object.entries(error.headers ?? {})) };
        }
    };
    return { fetch, calls, of: (name) => calls.filter((call) => call.name === name).map((call) => call.args) };
}

export const ME = "00000000-0000-4000-8000-000000000001";
export const OTHER = "00000000-0000-4000-8000-000000000002";
export const ROOM = "00000000-0000-4000-8000-00000000000a";

export function participant(user, more = {}) {
    return {
        user_id: user, display_name: user === ME ? "Me" : "Other", role: "member", app_role: null, joined_at: "2026-01-01T00:00:00+00:00",
        left_at: null, last_read_seq: 0, last_delivered_seq: 0, ...more,
    };
}

export function row(more = {}) {
    return {
        id: ROOM, type: "direct", status: "active", title: null, last_seq: 0, last_event_seq: 1, created_at: "2026-01-01T00:00:00+00:00",
        last_activity_at: "2026-01-01T00:00:00+00:00", participant_count: 2, counterpart: participant(OTHER), unread_count: 0,
        mention_count: 0, last_message: null, draft: null,
        me: {
            role: "member", app_role: null, last_read_seq: 0, last_read_at: null, last_delivered_seq: 0, history_from_seq: 1,
            marked_unread: false, muted_until: null, is_muted: false, pinned_at: null, archived_at: null, notification_level: "all",
            notifications_enabled: true, folder: "inbox", deleted_seq: null, ...more.me,
        },
        ...Object.fromEntries(Object.entries(more).filter(([name]) => name !== "me")),
    };
}

export function message(seq, more = {}) {
    return {
        id: `message-${seq}`, conversation_id: ROOM, seq, sender_id: OTHER, sender_role: null, type: "text", content: `text ${seq}`,
        metadata: {}, mentions: [], mentions_all: false, reply_to_id: null, reply_to: null, forwarded: false, forward_count: 0,
        client_message_id: null, attachments: [], reactions: [], status: "sent", pinned_at: null, edited_at: null, deleted_at: null,
        expires_at: null, created_at: "2026-01-01T00:00:01+00:00", updated_at: "2026-01-01T00:00:01+00:00", ...more,
    };
}

/** A page of sync. */
export function page(rows, more = {}) {
    return {
        conversations: rows, participants: rows.flatMap((one) => [ME, OTHER].map((user) => ({ ...participant(user), conversation_id: one.id }))),
        unread: {}, left_conversation_ids: [], events: [], cursor: "c1", has_more: false, resync_required: false, ...more,
    };
}

/** A page of get_conversation_messages of these messages. */
export function history(messages, { before_seq: before, after_seq: after, around_seq: around, page_size: size = 50 }) {
    let some = messages;
    if (before != null) some = messages.filter((m) => m.seq < before).slice(-size);
    else if (after != null) some = messages.filter((m) => m.seq > after).slice(0, size);
    else if (around != null) {
        const older = Math.ceil(size / 2);
        some = [...messages.filter((m) => m.seq <= around).slice(-older), ...messages.filter((m) => m.seq > around).slice(0, size - older)];
    } else some = messages.slice(-size);
    const last = messages.at(-1)?.seq ?? 0;
    return {
        messages: some, has_more_before: some.length > 0 && some[0].seq > (messages[0]?.seq ?? 0),
        has_more_after: some.length > 0 && some.at(-1).seq < last, last_seq: last, last_read_seq: 0, last_read_message_id: null,
    };
}
