// A window on the messages of a conversation: from a seq on to another, or to the end, where new ones appear.
import { horizons, pendingMessage, shownMessage, sortEntries } from "./display.js";
import { Cell, Part } from "./base.js";

/** Messages that the server gives at a time. */
const MOST = 100;

export class MessagesView extends Part {
    #core;
    #conversation;
    #choice;
    #size;
    #low = Infinity;
    #high = -1;
    #hasOlder = false;
    #loading = { all: true, older: null, newer: null };
    #unreadAfterSeq = null;
    #target = null;
    #error = null;
    /** What it shows is to be loaded afresh. */
    #stale = false;
    #turn = 0;
    #leave = () => {};

    constructor(core, conversation, choice = {}) {
        super(core.options);
        this.#core = core;
        this.#conversation = conversation;
        this.#choice = choice;
        this.#size = choice.pageSize ?? 50;
        this.conversationId = conversation.id;
        this.cell = new Cell(() => this.#snapshot());
        this.subscribe = this.cell.subscribe;
        this.getSnapshot = this.cell.getSnapshot;
        this.isLive = choice.live !== false;
        conversation.views.add(this);
        if (this.isLive) {
            core.transport?.watch();
            this.#leave = core.focus.look(conversation.id);
        }
        core.vault.opened.then(() => this.#begin());
    }

    #begin() {
        if (this.stopped || this.#core.stopped) return;
        this.#showKept();
        this.#open().catch(() => {});
    }

    get atEnd() {
        return this.#high === Infinity;
    }

    #noteUnread() {
        const row = this.#conversation.row;
        if (row?.me && row.unread_count > 0) this.#unreadAfterSeq = row.me.last_read_seq;
    }

    // What an earlier page has kept shows until the server has answered, offline as well.
    #showKept() {
        const kept = this.#core.kept.messages.get(this.conversationId);
        if (![undefined, "unread"].includes(this.#choice.around) || !kept?.length || this.#conversation.messages.size > 0) return;
        for (const message of kept) this.#conversation.messages.set(message.seq, message);
        this.#conversation.changed();
        this.#low = kept[0].seq;
        this.#high = Infinity;
        this.#hasOlder = true;
        this.#stale = true;
        this.#loading.all = false;
    }

    async #open() {
        const { around } = this.#choice;
        const unread = around === "unread";
        // where the unread begin, the row says
        if (unread && !this.#conversation.row) await this.#core.engine.whenReady;
        this.#noteUnread();
        if (unread && this.#unreadAfterSeq !== null) return this.#around({ around_seq: this.#unreadAfterSeq + 1 });
        if (around === undefined || unread) return this.#newest();
        return this.jumpTo(around);
    }

    #newest(size = this.#size) {
        return this.#replace({ page_size: size }, () => Infinity);
    }

    #around(args, size = this.#size) {
        return this.#replace({ ...args, page_size: size }, (page) => (page.has_more_after ? page.to : Infinity));
    }

    // The window changes in one step, when its new content is there.
    async #replace(args, highOf) {
        this.#turn += 1;
        const turn = this.#turn;
        try {
            const page = await this.#core.engine.pages.load(this.#conversation, args);
            if (this.stopped || turn !== this.#turn) return null;
            this.#low = page.from;
            this.#high = highOf(page);
            this.#hasOlder = page.has_more_before;
            if (this.#unreadAfterSeq === null && this.#loading.all) this.#noteUnread();
            this.#error = null;
            this.#stale = false;
            this.fails = 0;
            this.timers.clearAll();
            this.#core.kept.changed(this.#conversation);
            this.#loading = { all: false, older: null, newer: null };
            return page;
        } catch (error) {
            if (turn === this.#turn && !this.#core.stopped) {
                this.#failed(error);
                // requests may fail while the socket lives: nobody else would say when to try again
                this.timers.set("again", this.pause(error), () => this.resume());
            }
            throw error;
        } finally {
            this.cell.invalidate();
        }
    }

    #failed(error) {
        this.#error = error;
        this.cell.invalidate();
    }

    /** The connection is back: loads what could not be loaded. An older page is asked for again by who wants it. */
    resume() {
        if (!this.#error?.retriable) return;
        this.#error = null;
        this.cell.invalidate();
        if (this.#loading.all || this.#stale) this.reload();
    }

    /** What it showed is gone: it goes on at the newest. */
    refill() {
        if (!this.#loading.all && !this.atEnd && this.#held().length === 0) this.reload();
    }

    /** Whether it would show this seq, if there were a message of it. */
    covers(seq) {
        return seq >= this.#low && seq <= this.#high;
    }

    #held() {
        return this.#conversation.seqs.filter((seq) => this.covers(seq));
    }

    /** Loads afresh where it is. */
    reload() {
        if (this.stopped) return;
        this.#stale = true;
        const held = this.#held();
        const size = Math.min(Math.max(held.length, this.#size), MOST);
        const work = this.#loading.all ? this.#open()
            : this.atEnd || held.length === 0 ? this.#newest(size)
            : this.#around({ around_seq: held[held.length >> 1] }, size);
        work.catch(() => {});
    }

    loadOlder() {
        return this.#more("older", this.#hasOlder, { before_seq: this.#low }, (page) => {
            this.#low = page.from;
            this.#hasOlder = page.has_more_before;
        });
    }

    loadNewer() {
        return this.#more("newer", !this.atEnd, { after_seq: this.#high }, (page) => {
            this.#high = page.has_more_after ? page.to : Infinity;
        });
    }

    #more(side, isThere, args, take) {
        if (!isThere || this.#loading.all) return Promise.resolve();
        return (this.#loading[side] ??= this.#extend(side, args, take));
    }

    async #extend(side, args, take) {
        const turn = this.#turn;
        queueMicrotask(() => this.cell.invalidate());
        try {
            const page = await this.#core.engine.pages.load(this.#conversation, { ...args, page_size: this.#size });
            // the window may have jumped meanwhile
            if (turn === this.#turn) take(page);
        } catch (error) {
            if (turn === this.#turn) this.#failed(error);
            throw error;
        } finally {
            if (turn === this.#turn) this.#loading[side] = null;
            this.cell.invalidate();
        }
    }

    async jumpTo(target) {
        const there = this.#find(target);
        if (there) {
            this.#target = there;
            return this.cell.invalidate();
        }
        const page = await this.#around(typeof target === "number" ? { around_seq: target } : { around_message_id: target });
        if (!page) return;
        this.#target = this.#find(target);
        this.cell.invalidate();
    }

    #find(target) {
        const found = this.cell.getSnapshot().messages.find((m) => m.seq === target || m.id === target || m.key === target);
        return found?.key ?? null;
    }

    async jumpToNewest() {
        this.#target = null;
        if (!this.atEnd) await this.#newest();
        this.cell.invalidate();
    }

    close() {
        if (this.stopped) return;
        this.stop();
        this.#conversation.views.delete(this);
        this.#leave();
        this.#core.transport?.watch();
        this.#conversation.trim();
    }

    #snapshot() {
        const conversation = this.#conversation;
        const me = this.#core.userId;
        const { about, sends } = sortEntries(this.#core.outbox.of(this.conversationId));
        const far = horizons(conversation.row, me);
        const none = [];
        const messages = [];
        const stored = new Set();
        for (const seq of this.#held()) {
            const message = conversation.messages.get(seq);
            if (message.sender_id === me && message.client_message_id) stored.add(message.client_message_id);
            const entries = about.get(message.id) ?? (message.client_message_id && about.get(message.client_message_id)) ?? none;
            const shown = shownMessage(message, entries || none, far, me);
            if (shown) messages.push(shown);
        }
        if (this.atEnd || this.#loading.all) {
            for (const entry of sends) {
                if (stored.has(entry.id)) continue;
                const shown = pendingMessage(entry, about.get(entry.id) ?? none, conversation, me);
                if (shown) messages.push(shown);
            }
        }
        return {
            messages,
            loading: this.#loading.all,
            loadingOlder: this.#loading.older !== null,
            loadingNewer: this.#loading.newer !== null,
            hasOlder: this.#hasOlder,
            hasNewer: !this.atEnd && !this.#loading.all,
            unreadAfterSeq: this.#unreadAfterSeq,
            target: this.#target,
            error: this.#error,
        };
    }
}
