// <parley-inbox>: the user's conversations. Emits `parley-open` {id} when one is chosen.
import { h, icon, iconButton, keyed, say, set, sheet } from "./dom.js";
import { ParleyElement, define } from "./element.js";
import { connectionBanner } from "./banner.js";
import { conversationMenu } from "./actions.js";
import { conversationAvatar, findPeople, nameOf, titleOf } from "./people.js";
import { openNewConversation } from "./new-conversation.js";
import { openSettings } from "./settings.js";
import { openMenu } from "./popups.js";
import { preview, ticks } from "./preview.js";
import { t } from "./strings.js";
import { brief, exact } from "./time.js";
import { VirtualList } from "./virtual.js";

const styles = sheet(`
.tools { padding: 0 16px 8px; display: flex; flex-direction: column; gap: 10px; flex: none; }
.banner:not([hidden]) + .tools { padding-top: 12px; }
.filters { display: flex; gap: 6px; overflow-x: auto; scrollbar-width: none; }
.filters button { min-height: 32px; padding: 4px 11px; border-radius: 16px; background: var(--_sunken); color: var(--_muted); font-size: 13.5px; font-weight: 550; white-space: nowrap; }
.filters button[aria-pressed=true] { background: color-mix(in srgb, var(--_accent) 16%, var(--_bg)); color: var(--_accent); }
.scroller { flex: 1; background: var(--_bg); overflow-y: auto; position: relative; overflow-anchor: none; min-height: 0; outline-offset: -2px; }
.list { display: flow-root; }
.row { display: flow-root; padding: 1px 8px; position: relative; }
.open { display: grid; grid-template-columns: 46px minmax(0, 1fr); gap: 0 12px; align-items: center; width: 100%; min-height: 72px; padding: 9px 10px; border-radius: 14px; }
.open:hover { background: color-mix(in srgb, var(--_text) 5%, transparent); }
.row[data-current] .open { background: color-mix(in srgb, var(--_accent) 13%, transparent); }
.open:focus-visible { outline-offset: -2px; }
.line { display: flex; align-items: center; gap: 8px; min-width: 0; }
.name { flex: 1; font-weight: 600; font-size: 15.5px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.time { color: var(--_muted); font-size: 12.5px; white-space: nowrap; }
.preview { flex: 1; min-width: 0; color: var(--_muted); font-size: 14px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.preview .draft { color: var(--_danger); }
.row[data-unread] .preview { color: var(--_text); }
.row[data-unread] .name { font-weight: 700; }
.row[data-unread] .time { color: var(--_accent); font-weight: 600; }
.tick-place:empty { display: none; }
.signs { display: flex; align-items: center; gap: 6px; color: var(--_muted); }
.signs .icon { width: 16px; height: 16px; }
.tick { width: 17px; height: 17px; flex: none; }
.tick.read { color: var(--_accent); }
.tick.failed { color: var(--_danger); }
.more { position: absolute; inset-inline-end: 14px; inset-block-end: 8px; background: var(--_raised); box-shadow: 0 1px 6px rgb(0 0 0 / .18); opacity: 0; width: 34px; height: 34px; }
.row:hover .more, .more:focus-visible, .more[aria-expanded] { opacity: 1; }
@media (pointer: coarse) { .row:hover .more:not(:focus-visible, [aria-expanded]) { opacity: 0; pointer-events: none; } }
`);

const FILTERS = [["all", "filterAll"], ["unread", "filterUnread"], ["requests", "filterRequests"], ["archived", "filterArchived"]];
const EMPTY = { all: ["emptyAll", "emptyAllHint"], unread: ["emptyUnread"], requests: ["emptyRequests"], archived: ["emptyArchived"] };

export class ParleyInbox extends ParleyElement {
    static styles = styles;
    static observedAttributes = ["conversation"];

    /** Finds people for a new conversation: `async (text) => [{ user_id, display_name }]`. By default those known from the inbox. */
    directory = null;

    #filter = "all";
    #search = "";
    #list = null;
    #current = 0;

    /** The conversation that is open beside the inbox, for its mark. */
    get conversation() {
        return this.getAttribute("conversation");
    }

    set conversation(id) {
        set(this, { conversation: id });
    }

    attributeChangedCallback() {
        this.#list?.refresh();
    }

    start() {
        const parley = this.parley;
        this.filters = h("div", { class: "filters", role: "group", "aria-label": t("inbox") });
        const input = h("input", { class: "field", type: "search", placeholder: t("searchConversations"), "aria-label": t("searchConversations"), autocomplete: "off" });
        let wait;
        input.addEventListener("input", () => {
            clearTimeout(wait);
            wait = setTimeout(() => {
                this.#search = input.value.trim();
                this.#show();
            }, 150);
        });
        const content = h("div", { class: "list", role: "list", "aria-label": t("inbox") });
        const scroller = h("div", { class: "scroller", part: "list", tabindex: "-1" }, content);
        this.empty = h("div", { class: "empty", hidden: true });
        this.shadowRoot.append(
            h("div", { class: "head", part: "header" },
                h("h2", {}, t("inbox")),
                iconButton("plus", t("newConversation"), () => this.newConversation()),
                iconButton("sliders", t("settings"), () => openSettings(this))),
            connectionBanner(this),
            h("div", { class: "tools" }, input, this.filters),
            scroller, this.empty);
        this.#list = new VirtualList(scroller, content, {
            stick: "top", key: (item) => item.id, create: (item) => this.#row(item), update: (row, item, at) => this.#update(row, item, at), estimate: () => 74,
        });
        this.atEnd(() => this.#list.end());
        content.addEventListener("keydown", (event) => this.#key(event));
        this.follow("unread", parley.unread, (counts) => this.#showFilters(counts));
        this.#show();
        const clock = setInterval(() => this.#list.refresh(), 60_000);
        this.atEnd(() => clearInterval(clock));
    }

    newConversation() {
        openNewConversation(this, (query) => findPeople(this.parley, query, this.directory), (conversation) => this.#open(conversation.id));
    }

    #showFilters(counts) {
        keyed(this.filters, FILTERS, (filter) => filter[0], ([name, label]) =>
            h("button", { type: "button", onclick: () => this.#choose(name) }, h("span", {}, t(label)), h("span", { class: "count" })),
        (button, [name]) => {
            set(button, { "aria-pressed": String(name === this.#filter) });
            const count = { unread: counts.unread_conversations, requests: counts.unread_requests }[name];
            say(button.lastChild, count ? ` ${count}` : "");
        });
    }

    #choose(filter) {
        this.#filter = filter;
        this.#showFilters(this.parley.unread.getSnapshot());
        this.#show();
    }

    #show() {
        const options = { filter: this.#filter, ...(this.#search ? { search: this.#search } : {}) };
        this.#list.stuck = true;
        this.follow("conversations", this.parley.conversations(options), ({ conversations, loading }) => {
            this.#current = Math.min(this.#current, Math.max(0, conversations.length - 1));
            this.#list.setItems(conversations);
            const [title, hint] = this.#search ? ["emptySearch"] : EMPTY[this.#filter];
            this.empty.hidden = conversations.length > 0;
            this.#list.scroller.hidden = !this.empty.hidden;
            if (this.empty.hidden) return;
            if (loading) return this.empty.replaceChildren(t("loading"));
            this.empty.replaceChildren(h("strong", {}, t(title)), hint ? t(hint) : "");
        });
    }

    #open(id) {
        if (this.emit("parley-open", { id })) this.conversation = id;
    }

    #row(item) {
        const parts = {
            avatar: null, name: h("span", { class: "name", dir: "auto" }), time: h("time", { class: "time", dir: "auto" }),
            tick: h("span", { class: "tick-place" }), preview: h("span", { class: "preview", dir: "auto" }), signs: h("span", { class: "signs" }),
        };
        const more = iconButton("more", t("more"), () => this.#menu(row), { class: "icon-button more" });
        parts.open = h("button", { type: "button", class: "open", part: "conversation", onclick: () => this.#open(row.item.id) },
            h("span", { class: "picture" }),
            h("span", {}, h("span", { class: "line" }, parts.name, parts.time), h("span", { class: "line" }, parts.tick, parts.preview, parts.signs)));
        const row = h("div", { class: "row", role: "listitem", oncontextmenu: (event) => (event.preventDefault(), this.#menu(row, { x: event.clientX, y: event.clientY })) }, parts.open, more);
        row.item = item;
        row.parts = parts;
        return row;
    }

    #update(row, item, at) {
        const { parts } = row;
        const userId = this.parley.userId;
        const tabindex = at === this.#current ? "0" : "-1";
        set(parts.open, { tabindex });
        set(row.lastChild, { tabindex });
        set(row, {
            "aria-posinset": at + 1, "aria-setsize": this.#list.items.length,
            "data-current": item.id === this.conversation, "data-unread": item.unread_count > 0 || item.me.marked_unread,
        });
        set(parts.open, { "aria-current": item.id === this.conversation ? "true" : null });
        const title = titleOf(item, userId);
        const look = `${title}|${item.icon_url}`;
        if (row.look !== look) {
            row.look = look;
            parts.open.firstChild.replaceChildren(conversationAvatar(item, userId));
            say(parts.name, title);
        }
        const last = item.last_message;
        say(parts.time, brief(last?.created_at ?? item.last_activity_at));
        set(parts.time, { datetime: last?.created_at ?? item.last_activity_at, title: exact(last?.created_at ?? item.last_activity_at) });
        if (row.item === item && row.drawn) return;
        row.item = item;
        row.drawn = true;
        const draft = item.draft?.content && item.id !== this.conversation;
        parts.tick.replaceChildren(...(last && !draft && !last.deleted_at && last.sender_id === userId ? [ticks(last)] : []));
        if (draft) parts.preview.replaceChildren(h("span", { class: "draft" }, t("draft")), " " + item.draft.content);
        else parts.preview.replaceChildren(last && item.type !== "direct" && last.sender_id ? `${nameOf(item, userId, last.sender_id)}: ${preview(last)}` : preview(last));
        const unread = item.unread_count || (item.me.marked_unread ? 1 : 0);
        parts.signs.replaceChildren(...[
            item.me.is_muted && icon("mute"), item.me.pinned_at && icon("pin"),
            item.mention_count > 0 && h("span", { class: "badge", "aria-hidden": "true" }, "@"),
            unread > 0 && h("span", { class: "badge" + (item.me.is_muted ? " quiet" : "") },
                h("span", { "aria-hidden": "true" }, item.unread_count > 999 ? "999+" : item.unread_count || "•"),
                h("span", { class: "hidden-text" }, t("unread", { count: unread }))),
        ].filter(Boolean));
    }

    #menu(row, place) {
        openMenu(row.lastChild, conversationMenu(this, row.item), place);
    }

    #key(event) {
        const count = this.#list.items.length;
        const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -count, End: count }[event.key];
        if (event.key === "F10" && event.shiftKey) {
            event.preventDefault();
            this.#menu(event.target.closest(".row"));
        }
        if (!step) return;
        event.preventDefault();
        this.#current = Math.max(0, Math.min(count - 1, this.#current + step));
        const key = this.#list.items[this.#current].id;
        const seen = this.#list.visible();
        if (!seen || this.#current <= seen[0] || this.#current >= seen[1]) this.#list.reveal(key, step > 0 ? 0.7 : 0.15);
        this.#list.refresh();
        this.#list.row(key)?.parts.open.focus({ preventScroll: true });
    }
}

define("parley-inbox", ParleyInbox);
