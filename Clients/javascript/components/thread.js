// <parley-thread>: one conversation. Attribute `conversation`: its id. Emits `parley-back`.
import { h, icon, iconButton, say, set } from "./dom.js";
import { ParleyElement, define } from "./element.js";
import { conversationMenu } from "./actions.js";
import { connectionBanner } from "./banner.js";
import { callBar, callButton } from "./calls.js";
import "./composer.js";
import { QUICK, openEmoji } from "./emoji.js";
import { openGroup } from "./group.js";
import { createRow, estimate, rowsOf, updateRow } from "./message.js";
import { messageMenu } from "./message-menu.js";
import { conversationAvatar, nameOf, titleOf } from "./people.js";
import { openMenu } from "./popups.js";
import { preview } from "./preview.js";
import { requestBar } from "./request.js";
import { openSearch } from "./search.js";
import { t } from "./strings.js";
import { onSwipe } from "./swipe.js";
import { styles } from "./thread-style.js";
import { VirtualList } from "./virtual.js";

export class ParleyThread extends ParleyElement {
    static styles = styles;
    static observedAttributes = ["conversation"];

    /** @type {any} the conversation of now */
    data = null;
    /** The key of a message that was jumped to, for a moment. */
    flashed = null;
    /** Changes with the names of the participants: rows are drawn anew. */
    names = "";
    /** Finds people to add to a group, as of the inbox. */
    directory = null;

    /** @type {import("../src/parley.d.ts").MessagesView | null} */
    #view = null;
    #list = null;
    #snapshot = null;
    #below = 0;
    #newest = null;
    #opened = false;
    /** A mark "unread" is taken off once: by opening, not while one looks. */
    #unmarked = false;

    attributeChangedCallback(name, before, now) {
        if (before !== now) this.restart();
    }

    /** The id of the conversation. */
    get conversation() {
        return this.getAttribute("conversation");
    }

    set conversation(id) {
        set(this, { conversation: id });
    }

    /** Goes to a message, however far away. @param {string | number} target id or seq */
    async jumpTo(target) {
        await this.attempt(this.#view?.jumpTo(target));
    }

    start() {
        const id = this.conversation;
        this.data = null;
        this.#snapshot = null;
        this.#below = 0;
        this.#newest = null;
        this.#opened = false;
        this.#unmarked = false;
        if (!id) {
            this.shadowRoot.append(h("div", { class: "empty" }, h("strong", {}, t("pick")), t("pickHint")));
            return;
        }
        const { parley } = this;
        this.heading = h("h2", { dir: "auto" });
        this.about = h("small", { class: "about" });
        this.picture = h("span", { class: "picture" });
        const details = h("button", { type: "button", class: "who", onclick: () => openGroup(this) }, this.picture, h("span", { class: "names" }, this.heading, this.about));
        const more = iconButton("more", t("more"), () => openMenu(more, [{ label: t("details"), icon: "people", run: () => openGroup(this) }, null, ...conversationMenu(this, this.data)]));
        const search = iconButton("search", t("search"), () => openSearch(this, search));
        this.head = h("div", { class: "head", part: "header" },
            iconButton("back", t("back"), () => this.emit("parley-back"), { class: "icon-button back flip" }),
            details, callButton(this), search, more);
        const content = h("div", { class: "list", role: "feed", "aria-label": t("messages", { name: "" }).trim() });
        const scroller = h("div", { class: "scroller", part: "messages", tabindex: "0", role: "region" }, content);
        this.feed = content;
        this.bar = h("div", { class: "bar" }, iconButton("smile", t("react"), (event) => this.#react(event)), iconButton("reply", t("reply"), () => this.#replyTo(this.#barMessage()), { class: "icon-button flip" }),
            iconButton("more", t("more"), (event) => this.#menu(event.currentTarget, this.#barMessage())));
        this.news = h("span", { class: "badge", hidden: true });
        this.down = h("button", { type: "button", class: "down", hidden: true, "aria-label": t("toNewest"), title: t("toNewest"), onclick: () => this.#toNewest() }, icon("down"), this.news);
        this.typists = h("div", { class: "typing", role: "status", dir: "auto" });
        this.heard = h("div", { class: "hidden-text", role: "log", "aria-live": "polite" });
        this.composer = h("parley-composer", { exportparts: "composer, input, send" });
        this.composer.parley = parley;
        this.composer.conversation = id;
        this.composer.addEventListener("parley-edit-last", (event) => {
            const last = this.#snapshot?.messages.findLast((message) => message.sender_id === parley.userId && message.seq !== null && !message.deleted_at && message.content);
            if (!last) return;
            event.preventDefault();
            this.composer.edit(last);
        });
        this.notice = h("div", { class: "empty", hidden: true });
        this.request = h("div", { class: "request-place" });
        this.shadowRoot.append(this.head, connectionBanner(this), callBar(this), h("div", { class: "stage" }, scroller, this.notice, this.down), this.typists, this.request, this.composer, this.heard);
        this.#list = new VirtualList(scroller, content, {
            stick: "bottom", key: (row) => row.key, estimate, create: () => createRow(this),
            update: (element, row, at) => updateRow(element, row, at, this.#list.items.length), moved: () => this.#moved(),
        });
        this.atEnd(() => this.#list.end());
        this.#listen(content, scroller);

        this.follow("conversation", parley.conversation(id), (conversation) => this.#showConversation(conversation));
        const view = parley.messages(id, { around: "unread" });
        this.#view = view;
        this.atEnd(() => {
            view.close();
            this.#view = null;
        });
        this.follow("messages", view, (snapshot) => this.#showMessages(snapshot));
        this.follow("typing", parley.typing(id), (ids) => this.#showTyping(ids));
        this.follow("presence", parley.presence(id), () => this.#showAbout());
        this.atEnd(parley.on("message", ({ message }) => {
            if (message.conversation_id === id) say(this.heard, `${nameOf(this.data, parley.userId, message.sender_id)}: ${preview(message)}`);
        }));
        const seen = () => this.#moved();
        document.addEventListener("visibilitychange", seen);
        addEventListener("focus", seen);
        this.atEnd(() => (document.removeEventListener("visibilitychange", seen), removeEventListener("focus", seen)));
    }

    // --- what is shown

    #showConversation(conversation) {
        const before = this.data;
        this.data = conversation;
        const gone = !conversation;
        this.head.hidden = gone;
        this.composer.hidden = gone;
        if (gone) {
            if (before || this.#snapshot?.error) this.#showNotice([h("strong", {}, t("gone"))]);
            return;
        }
        const { userId } = this.parley;
        const title = titleOf(conversation, userId);
        const look = `${title}|${conversation.icon_url}`;
        if (this.picture.look !== look) {
            this.picture.look = look;
            this.picture.replaceChildren(conversationAvatar(conversation, userId));
        }
        say(this.heading, title);
        set(this.feed, { "aria-label": t("messages", { name: title }) });
        set(this.#list.scroller, { "aria-label": t("messages", { name: title }) });
        this.#showAbout();
        requestBar(this, this.request, conversation);
        const names = conversation.participants.map((one) => `${one.user_id} ${one.display_name}`).join();
        if (names !== this.names) {
            this.names = names;
            this.#list.refresh();
        }
    }

    #showAbout() {
        const { data: conversation } = this;
        if (!conversation) return;
        if (conversation.type !== "direct") return say(this.about, t("members", { count: conversation.participant_count }));
        const present = this.parley.presence(conversation.id).getSnapshot();
        say(this.about, conversation.counterpart && present.includes(conversation.counterpart.user_id) ? t("online") : "");
    }

    #showTyping(ids) {
        const names = ids.map((id) => nameOf(this.data, this.parley.userId, id));
        say(this.typists, names.length === 0 ? "" : names.length === 1 ? t("typingOne", { name: names[0] }) : t("typingMany", { count: names.length }));
        this.typists.toggleAttribute("data-on", names.length > 0);
    }

    #showNotice(content) {
        this.notice.hidden = !content;
        if (content) this.notice.replaceChildren(...content);
    }

    #showMessages(snapshot) {
        const before = this.#snapshot;
        this.#snapshot = snapshot;
        const { messages } = snapshot;
        const { userId } = this.parley;
        if (snapshot.error && !messages.length) this.#showNotice([h("strong", {}, t("gone"))]);
        else if (snapshot.loading && !messages.length) this.#showNotice([t("loading")]);
        else this.#showNotice(messages.length ? null : [h("strong", {}, t("firstMessage"))]);
        if (snapshot.loading && !messages.length) return;
        set(this.feed, { "aria-busy": String(snapshot.loadingOlder || snapshot.loadingNewer) });

        const newest = messages.at(-1);
        const own = this.#opened && newest && newest.key !== this.#newest && newest.sender_id === userId && newest.seq === null;
        if (this.#newest && !this.#list.stuck) {
            const from = messages.findIndex((message) => message.key === this.#newest);
            if (from >= 0) this.#below += messages.slice(from + 1).filter((message) => message.sender_id && message.sender_id !== userId).length;
        }
        this.#newest = newest?.key ?? null;
        this.#list.setItems(rowsOf(messages, snapshot.unreadAfterSeq, userId), { sticks: !snapshot.hasNewer });
        if (!this.#opened && messages.length) {
            this.#opened = true;
            const firstUnread = snapshot.unreadAfterSeq === null ? null : this.#list.items.find((row) => row.unread);
            if (firstUnread) this.#list.reveal(firstUnread.key, 0.12);
            else if (!snapshot.hasNewer) this.#list.stickNow();
        }
        if (own) this.#list.stickNow();
        if (snapshot.target && snapshot.target !== before?.target) this.#flash(snapshot.target);
        this.#moved();
    }

    #flash(key) {
        this.flashed = key;
        const row = this.#list.reveal(key);
        row?.classList.add("flash");
        row?.focus({ preventScroll: true });
        setTimeout(() => {
            this.flashed = null;
            row?.classList.remove("flash");
        }, 1600);
    }

    /** Loads what is near, tells how far the user has read, shows the way down. */
    #moved() {
        const snapshot = this.#snapshot;
        if (!snapshot || !this.#list || !this.#view || this.inMoved) return;
        // What is loaded here calls back before it returns.
        this.inMoved = true;
        try {
            const { top, bottom } = this.#list.distances;
            const { clientHeight } = this.#list.scroller;
            if (!clientHeight) return;
            if (top < clientHeight && snapshot.hasOlder && !snapshot.loadingOlder) void this.#view.loadOlder();
            if (bottom < clientHeight && snapshot.hasNewer && !snapshot.loadingNewer) void this.#view.loadNewer();
            const atEnd = !snapshot.hasNewer && bottom < 80;
            if (atEnd) this.#below = 0;
            this.down.hidden = atEnd || (!snapshot.hasNewer && bottom < clientHeight / 2 && !this.#below);
            this.news.hidden = !this.#below;
            say(this.news, String(this.#below));
            set(this.down, { "aria-label": this.#below ? t("newBelow", { count: this.#below }) : t("toNewest") });
            this.#read();
        } finally {
            this.inMoved = false;
        }
    }

    #read() {
        const seen = this.#list.visible();
        if (!seen || document.hidden || !document.hasFocus() || !this.data || this.data.me.folder === "requests") return;
        let last = 0;
        for (let at = seen[1]; at >= seen[0] && !last; at -= 1) last = this.#list.items[at].message.seq ?? 0;
        if (last > this.data.me.last_read_seq || (this.data.me.marked_unread && last === this.data.last_seq && !this.#unmarked)) {
            this.#unmarked = true;
            this.parley.markRead(this.data.id, last);
        }
    }

    async #toNewest() {
        this.#below = 0;
        if (this.#snapshot.hasNewer) await this.attempt(this.#view.jumpToNewest());
        this.#list.stickNow();
        this.#list.scroller.focus({ preventScroll: true });
        this.#moved();
    }

    // --- what the user does

    #listen(content, scroller) {
        const at = (event) => event.composedPath().find((one) => one.classList?.contains("row"));
        const show = (row) => {
            if (!row || row === this.bar.parentNode || row.classList.contains("system") || row.message?.deleted_at) return;
            row.append(this.bar);
        };
        content.addEventListener("pointerover", (event) => event.pointerType === "mouse" && show(at(event)));
        content.addEventListener("focusin", (event) => show(at(event)));
        content.addEventListener("contextmenu", (event) => {
            const row = at(event);
            if (!row?.message || event.target.closest?.("a") || !row.classList.contains("own") && !row.classList.contains("other")) return;
            event.preventDefault();
            this.#menu(row, row.message, { x: event.clientX, y: event.clientY });
        });
        scroller.addEventListener("keydown", (event) => this.#key(event, at(event)));
        onSwipe(content, at, (row) => row.message.seq !== null && !row.message.deleted_at && this.#replyTo(row.message));
    }

    #key(event, row) {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (event.key === "End" || (event.key === "Escape" && row)) {
            event.preventDefault();
            if (event.key === "Escape") return this.composer.focus();
            return void this.#toNewest();
        }
        if (row && event.target === row && (event.key === "Enter" || (event.key === "F10" && event.shiftKey) || event.key === "ContextMenu")) {
            event.preventDefault();
            if (row.message && !row.classList.contains("system")) this.#menu(row, row.message);
            return;
        }
        if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        const items = this.#list.items;
        const seen = this.#list.visible();
        const from = row ? items.findIndex((item) => item.key === row.message.key) : seen ? seen[1] + (step < 0 ? 1 : 0) : items.length;
        const next = Math.max(0, Math.min(items.length - 1, from + step));
        if (!items[next]) return;
        let element = this.#list.row(items[next].key);
        const box = element?.getBoundingClientRect();
        const frame = this.#list.scroller.getBoundingClientRect();
        if (!box || box.top < frame.top || box.bottom > frame.bottom) element = this.#list.reveal(items[next].key, step < 0 ? 0.1 : 0.7);
        element?.focus({ preventScroll: true });
    }

    #barMessage() {
        return this.bar.closest(".row")?.message;
    }

    #react(event) {
        const message = this.#barMessage();
        openEmoji(event.currentTarget, (emoji) => this.parley.react(message, emoji), QUICK);
    }

    #replyTo(message) {
        this.composer.reply(message);
    }

    #menu(anchor, message, place) {
        openMenu(anchor, messageMenu(this, message, { reply: () => this.#replyTo(message), edit: () => this.composer.edit(message) }), place);
    }
}

define("parley-thread", ParleyThread);
