// <parley-composer>: where one writes. Attribute `conversation`: its id. Drafts, typing, replies, edits, mentions.
import { h, icon, iconButton, say, set, sheet } from "./dom.js";
import { ParleyElement, define } from "./element.js";
import { openEmoji } from "./emoji.js";
import { Mentions } from "./mentions.js";
import { nameOf } from "./people.js";
import { preview } from "./preview.js";
import { t } from "./strings.js";

const styles = sheet(`
:host { flex: none; overflow: visible; background: transparent; }
.box { margin: 0 12px 12px; border: 1px solid var(--_line); border-radius: 24px; background: var(--_sunken); position: relative; }
.box:focus-within { border-color: var(--_accent); box-shadow: 0 0 0 1px var(--_accent); }
.about { display: flex; align-items: center; gap: 8px; padding: 8px 6px 0 16px; }
.about .what { flex: 1; min-width: 0; border-inline-start: 3px solid var(--_accent); padding-inline-start: 10px; font-size: 13.5px; color: var(--_muted); }
.about b { display: block; color: var(--_accent); font-weight: 600; }
.about span { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.line { display: flex; align-items: flex-end; gap: 2px; padding: 4px; }
textarea { flex: 1; min-width: 0; resize: none; border: 0; outline: 0; background: none; padding: 9px 4px; line-height: 22px; max-height: 128px; overflow-y: auto; display: block; }
textarea:focus-visible { outline: 0; }
textarea::placeholder { color: var(--_muted); opacity: 1; }
.send { width: 40px; height: 40px; border-radius: 50%; background: var(--_accent); color: var(--_on-accent); display: grid; place-items: center; flex: none; }
.send:disabled { background: transparent; color: var(--_muted); opacity: .6; }
:host(:dir(rtl)) .send .icon { transform: scaleX(-1); }
.count { padding: 0 16px 8px; font-size: 12.5px; color: var(--_muted); text-align: end; }
.count.over { color: var(--_danger); font-weight: 600; }
.closed { margin: 0 12px 12px; padding: 12px 16px; border-radius: 16px; background: var(--_sunken); color: var(--_muted); text-align: center; font-size: 14px; }
.options { position: absolute; inset-inline: 0; bottom: calc(100% + 6px); max-height: 240px; overflow: auto; background: var(--_raised); border: 1px solid var(--_line); border-radius: 14px; box-shadow: 0 8px 32px rgb(0 0 0 / .2); padding: 6px; margin: 0; list-style: none; z-index: 3; }
.options li { display: flex; align-items: center; gap: 10px; min-height: 42px; padding: 4px 10px; border-radius: 9px; cursor: pointer; }
.options li[aria-selected=true] { background: color-mix(in srgb, var(--_accent) 16%, transparent); }
`);

const LONGEST = 5000;

export class ParleyComposer extends ParleyElement {
    static styles = styles;
    static observedAttributes = ["conversation"];

    /** @type {any} */
    data = null;
    #reply = null;
    #edited = null;
    #kept = "";
    #filled = false;

    /** The id of the conversation. */
    get conversation() {
        return this.getAttribute("conversation");
    }

    set conversation(id) {
        set(this, { conversation: id });
    }

    attributeChangedCallback(name, before, now) {
        if (before !== now) this.restart();
    }

    focus() {
        this.input?.focus();
    }

    start() {
        this.#reply = this.#edited = null;
        this.#filled = false;
        this.data = null;
        const id = this.conversation;
        if (!id) return;
        this.input = h("textarea", { rows: "1", part: "input", placeholder: t("write"), "aria-label": t("message"), enterkeyhint: "send", dir: "auto", autocapitalize: "sentences" });
        this.button = h("button", { type: "button", class: "send", part: "send", "aria-label": t("send"), title: t("send"), disabled: true, onclick: () => this.send() }, icon("send"));
        const emoji = iconButton("smile", t("emoji"), () => openEmoji(emoji, (one) => this.#insert(one)));
        this.about = h("div", { class: "about", hidden: true });
        this.count = h("div", { class: "count", role: "status", hidden: true });
        this.box = h("div", { class: "box", part: "composer" }, this.about, h("div", { class: "line" }, emoji, this.input, this.button), this.count);
        this.closed = h("div", { class: "closed", hidden: true });
        this.mentions = new Mentions(this, this.input, this.box);
        this.shadowRoot.append(this.box, this.closed);
        this.input.addEventListener("input", () => this.#typed());
        this.input.addEventListener("keydown", (event) => this.#key(event));
        this.follow("conversation", this.parley.conversation(id), (conversation) => this.#show(conversation));
    }

    /** Answers a message. */
    reply(message) {
        this.#edited = null;
        this.#reply = message;
        this.#showAbout();
        this.focus();
        this.#keep();
    }

    /** Changes a message. */
    edit(message) {
        if (!this.#edited) this.#kept = this.input.value;
        this.#edited = message;
        this.#fill(message.content ?? "");
        this.#showAbout();
        this.focus();
    }

    send() {
        const content = this.input.value.trim();
        const { parley, conversation: id } = this;
        if (!content || [...content].length > LONGEST || !this.data) return;
        const mentions = this.mentions.of(content);
        if (this.#edited) {
            if (content !== this.#edited.content) parley.edit(this.#edited, content, mentions);
            return this.#drop();
        }
        const { stored, client_message_id } = parley.send(id, {
            content, ...(this.#reply ? { reply_to_id: this.#reply.id } : {}),
            ...(mentions.mentions.length ? { mentions: mentions.mentions } : {}), ...(mentions.mentionsAll ? { mentions_all: true } : {}),
        });
        // A refusal is shown at the message itself.
        stored.catch(() => {});
        parley.setTyping(id, false);
        this.#reply = null;
        this.#fill("");
        this.#showAbout();
        this.emit("parley-sent", { id, client_message_id });
        this.focus();
    }

    #show(conversation) {
        this.data = conversation;
        if (!conversation) return;
        const admin = ["owner", "admin"].includes(conversation.me.role);
        const closed = conversation.status === "locked" ? "locked"
            : !admin && (conversation.permissions?.send === "admins" || conversation.who_can_send === "admins_only") ? "adminsOnly" : null;
        this.box.hidden = closed !== null;
        this.closed.hidden = closed === null;
        if (closed) say(this.closed, t(closed));
        const draft = conversation.draft;
        if (!this.#filled) {
            this.#filled = true;
            if (draft) this.#restore(draft);
        } else if (!this.#edited && draft && draft.content !== this.input.value && this.shadowRoot.activeElement !== this.input) {
            // Written on another device.
            this.#restore(draft);
        }
    }

    #restore(draft) {
        this.#fill(draft.content ?? "");
        const quoted = draft.reply_to_id;
        this.#reply = quoted ? { id: quoted, sender_id: null, content: "" } : null;
        this.#showAbout();
    }

    #fill(text) {
        this.input.value = text;
        this.#fit();
    }

    #insert(text) {
        this.input.setRangeText(text, this.input.selectionStart, this.input.selectionEnd, "end");
        this.input.focus();
        this.#typed();
    }

    #typed() {
        this.#fit();
        if (this.#edited) return;
        this.parley.setTyping(this.conversation, this.input.value.trim() !== "");
        this.#keep();
    }

    #keep() {
        const content = this.input.value;
        const empty = !content.trim() && !this.#reply;
        this.parley.setDraft(this.conversation, empty ? null : { content, reply_to_id: this.#reply?.id ?? null });
    }

    /** As high as its text, up to five lines. */
    #fit() {
        const { input } = this;
        input.style.height = "auto";
        input.style.height = `${Math.min(input.scrollHeight, 128)}px`;
        const left = LONGEST - [...input.value.trim()].length;
        this.button.disabled = !input.value.trim() || left < 0;
        this.count.hidden = left > 200;
        this.count.classList.toggle("over", left < 0);
        if (left <= 200) say(this.count, left < 0 ? t("tooLong", { count: -left }) : t("left", { count: left }));
    }

    #showAbout() {
        const message = this.#edited ?? this.#reply;
        this.about.hidden = !message;
        set(this.button, { "aria-label": t(this.#edited ? "save" : "send"), title: t(this.#edited ? "save" : "send") });
        if (!message) return;
        const title = this.#edited ? t("editing") : message.sender_id ? t("replying", { name: nameOf(this.data, this.parley.userId, message.sender_id) }) : t("reply");
        this.about.replaceChildren(h("div", { class: "what" }, h("b", { dir: "auto" }, title), h("span", { dir: "auto" }, preview(message))),
            iconButton("close", t("cancel"), () => this.#drop()));
    }

    /** Ends an edit or a reply. */
    #drop() {
        if (this.#edited) this.#fill(this.#kept);
        this.#edited = this.#reply = null;
        this.#showAbout();
        this.#keep();
        this.focus();
    }

    #key(event) {
        if (event.isComposing || this.mentions.key(event)) return;
        if (event.key === "Enter" && !event.shiftKey && !(matchMedia("(pointer: coarse)").matches && !event.ctrlKey)) {
            event.preventDefault();
            this.send();
        } else if (event.key === "Escape" && (this.#edited || this.#reply)) {
            event.preventDefault();
            event.stopPropagation();
            this.#drop();
        } else if (event.key === "ArrowUp" && !this.input.value) {
            if (!this.emit("parley-edit-last")) event.preventDefault();
        }
    }
}

define("parley-composer", ParleyComposer);
