// The inbox in the server's order, and the counts as get_unread_counts gives them.
import { Cell, compare, later, moment } from "./base.js";

const FILTERS = {
    all: ({ me }) => !me.archived_at && me.folder !== "requests",
    archived: ({ me }) => me.archived_at !== null && me.folder !== "requests",
    requests: ({ me }) => me.folder === "requests",
    unread: (row) => FILTERS.all(row) && (row.unread_count > 0 || row.me.marked_unread),
};

export class Inbox {
    #engine;
    #stores = new Map();
    #shown = new Map();
    unread = new Cell(() => this.#count());

    constructor(engine) {
        this.#engine = engine;
    }

    changed() {
        this.unread.invalidate();
        for (const cell of this.#stores.values()) cell.invalidate();
    }

    store({ filter = "all", search = "" } = {}) {
        if (!FILTERS[filter]) throw new TypeError("filter must be all, unread, archived or requests.");
        const words = fold(search).split(/\s+/).filter(Boolean);
        const key = `${filter} ${words.join(" ")}`;
        let cell = this.#stores.get(key);
        if (!cell) {
            // searches come and go: one that nobody watches makes room
            if (this.#stores.size > 20) for (const [name, old] of this.#stores) if (!old.watched) this.#stores.delete(name);
            cell = new Cell(() => ({ conversations: this.list(filter, words), loading: !this.#engine.ready }));
            this.#stores.set(key, cell);
        }
        return cell;
    }

    list(filter, words = []) {
        // without those that were deleted for oneself, and have had nothing since
        const fits = ({ row }) => row.me && FILTERS[filter](row) && row.me.deleted_seq !== row.last_seq
            && (words.length === 0 || matches(row, words, this.#engine.userId));
        return [...this.#rows()].filter(fits).sort((a, b) => compare(b.order, a.order)).map(({ row }) => row);
    }

    // Each row with its key of sorting, made once per row.
    *#rows() {
        for (const conversation of this.#engine.conversations.values()) {
            const row = conversation.cell.getSnapshot();
            if (!row) continue;
            let known = this.#shown.get(conversation.id);
            if (known?.row !== row) {
                const at = row.last_message?.status === "sending" && row.last_message.seq === null
                    ? later(row.last_activity_at, row.last_message.created_at) : row.last_activity_at;
                known = { row, order: `${row.me?.pinned_at ? 1 : 0} ${moment(at)} ${row.id}` };
                this.#shown.set(conversation.id, known);
            }
            yield known;
        }
    }

    #count() {
        const counts = {
            total: 0, muted_total: 0, archived_total: 0, requests_total: 0, mentions_total: 0, unread_conversations: 0, unread_requests: 0,
        };
        for (const { row } of this.#rows()) {
            if (!row.me || !(row.unread_count > 0 || row.me.marked_unread)) continue;
            if (row.me.folder === "requests") {
                counts.requests_total += row.unread_count;
                counts.unread_requests += 1;
                continue;
            }
            counts.mentions_total += row.mention_count;
            if (row.me.archived_at) counts.archived_total += row.unread_count;
            else if (row.me.is_muted || row.me.notification_level === "none") counts.muted_total += row.unread_count;
            else {
                counts.total += row.unread_count;
                counts.unread_conversations += 1;
            }
        }
        return counts;
    }
}

function fold(text) {
    return (text ?? "").normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

function matches(row, words, me) {
    const names = row.participants.filter((p) => p.user_id !== me).map((p) => p.display_name);
    const text = fold([row.title, ...names, row.counterpart?.display_name].join(" "));
    return words.every((word) => text.includes(word));
}
