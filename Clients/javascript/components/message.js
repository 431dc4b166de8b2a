// One message as a row of the thread: separators, bubble, quote, attachments, poll, reactions, status.
import { h, icon, keyed, say, set } from "./dom.js";
import { avatar, nameOf } from "./people.js";
import { preview, ticks } from "./preview.js";
import { t } from "./strings.js";
import { isEmojiOnly, richText, safeURL } from "./text.js";
import { clock, dayName, dayOf, exact } from "./time.js";

const GROUPED_MS = 5 * 60_000;
/** Roles that are about rights, and say nothing of who somebody is. */
const ROLES = new Set(["owner", "admin", "member", null, undefined]);

/**
 * What a row shows beside the message itself: rows that look alike are not drawn again.
 * @param {readonly any[]} messages
 * @param {number | null} unreadAfterSeq
 */
export function rowsOf(messages, unreadAfterSeq, userId) {
    let before = null;
    let marked = false;
    return messages.map((message, at) => {
        const after = messages[at + 1];
        const day = !before || dayOf(before.created_at) !== dayOf(message.created_at);
        const unread = !marked && unreadAfterSeq !== null && message.seq !== null && message.seq > unreadAfterSeq && message.sender_id !== userId;
        marked ||= unread;
        const row = { key: message.key, message, day, unread, first: day || unread || !together(before, message), last: !after || !together(message, after) };
        before = message;
        return row;
    });
}

/** By one sender, soon after one another. */
function together(one, two) {
    return one?.sender_id && one.sender_id === two.sender_id && !one.deleted_at === !two.deleted_at
        && Date.parse(two.created_at) - Date.parse(one.created_at) < GROUPED_MS && dayOf(one.created_at) === dayOf(two.created_at);
}

/** The height that a row is likely to have. */
export function estimate({ message, day, unread, first }) {
    const text = message.content ?? "";
    const lines = Math.ceil(text.length / 42) + (text.match(/\n/g)?.length ?? 0);
    return 21 * Math.max(1, lines) + 24 + (first ? 10 : 0) + (day ? 44 : 0) + (unread ? 40 : 0) + (message.reply_to_id ? 50 : 0)
        + (message.reactions.length ? 28 : 0) + message.attachments.length * 60;
}

/** The skeleton of a row; `updateRow` fills it. @param {any} thread the component */
export function createRow(thread) {
    const row = h("article", { class: "row", tabindex: "-1" });
    row.thread = thread;
    return row;
}

const look = (row, thread) => [
    row.day, row.unread, row.first, row.last, thread.names, row.message.key === thread.flashed,
];

/** Draws a row anew where something it shows has changed. */
export function updateRow(element, row, at, count) {
    const { thread } = element;
    set(element, { "aria-posinset": at + 1, "aria-setsize": count });
    const now = look(row, thread);
    if (element.message === row.message && element.look?.every((value, index) => value === now[index])) return;
    element.message = row.message;
    element.look = now;
    const { message } = row;
    const own = message.sender_id === thread.parley.userId;
    const system = message.sender_id === null || message.type === "system";
    element.className = `row ${system ? "system" : own ? "own" : "other"}${row.first ? " first" : ""}${row.last ? " last" : ""}`;
    set(element, { "data-key": message.key, "aria-label": `${system ? "" : nameOf(thread.data, thread.parley.userId, message.sender_id) + ", "}${clock(message.created_at)}` });
    const bar = element.querySelector(".bar");
    element.replaceChildren(...[
        row.day && h("div", { class: "day" }, h("span", {}, dayName(message.created_at))),
        row.unread && h("div", { class: "unread-here", role: "separator", "aria-label": t("unreadHere") }, h("span", {}, t("unreadHere"))),
        system ? h("div", { class: "notice", dir: "auto" }, ...richText(preview(message))) : line(thread, row, own),
        !message.deleted_at && bar,
    ].filter(Boolean));
}

function line(thread, { message, first, last }, own) {
    const { data: conversation, parley } = thread;
    const group = conversation && conversation.type !== "direct";
    const name = nameOf(conversation, parley.userId, message.sender_id);
    const bubble = h("div", { class: "bubble", part: own ? "bubble own-bubble" : "bubble" });
    if (group && !own && first) bubble.append(h("div", { class: "sender", dir: "auto" }, name, ROLES.has(message.sender_role) ? "" : h("small", {}, ` ${message.sender_role ?? ""}`)));
    if (message.deleted_at) bubble.append(h("span", { class: "deleted" }, t("deletedMessage")));
    else bubble.append(...content(thread, message));
    if (message.content && !message.deleted_at && isEmojiOnly(message.content) && !message.reply_to_id) bubble.classList.add("large");
    bubble.append(foot(message, own));
    const column = h("div", { class: "column" }, bubble);
    if (message.reactions.length && !message.deleted_at) column.append(reactions(thread, message));
    if (message.status === "failed" || message.pending === "edit-failed") column.append(failure(parley, message));
    return h("div", { class: "line" },
        group && !own && (last ? avatar(message.sender_id, name, { small: true }) : h("span", { class: "avatar-gap" })),
        column);
}

function content(thread, message) {
    const parts = [];
    if (message.forwarded) parts.push(h("div", { class: "forwarded" }, t("forwarded")));
    if (message.reply_to_id) parts.push(quote(thread, message));
    for (const file of message.attachments) parts.push(attachment(file));
    if (message.content) {
        const { data: conversation, parley } = thread;
        const names = message.mentions.map((id) => conversation?.participants.find((one) => one.user_id === id)?.display_name).filter(Boolean);
        if (message.mentions_all) names.push(t("mentionEveryone"));
        const own = message.mentions_all ? t("mentionEveryone") : conversation?.participants.find((one) => one.user_id === parley.userId)?.display_name;
        parts.push(h("div", { class: "text", dir: "auto" }, ...richText(message.content, { names, own: own ?? undefined })));
    }
    if (message.poll) parts.push(poll(thread, message));
    return parts;
}

function quote(thread, message) {
    const to = message.reply_to;
    if (!to) return h("div", { class: "quote gone" }, t("quoteGone"));
    const text = preview(to);
    return h("button", { type: "button", class: "quote", onclick: () => thread.jumpTo(to.id) },
        h("b", { dir: "auto" }, nameOf(thread.data, thread.parley.userId, to.sender_id)), h("span", { dir: "auto" }, text));
}

const size = (bytes) => (bytes >= 1_048_576 ? `${(bytes / 1_048_576).toFixed(1)} MB` : bytes >= 1024 ? `${Math.round(bytes / 1024)} KB` : `${bytes} B`);

function attachment(file) {
    const url = safeURL(file.url, ["http:", "https:"]);
    const thumbnail = safeURL(file.variants?.thumbnail?.url ?? file.url, ["http:", "https:"]);
    const name = String(file.file_name ?? t("file"));
    const link = (className, ...children) => (url
        ? h("a", { class: className, href: url, target: "_blank", rel: "noopener noreferrer nofollow ugc" }, children)
        : h("span", { class: className }, children));
    if (file.kind === "image" && thumbnail) {
        const image = h("img", { src: thumbnail, alt: name, loading: "lazy", referrerpolicy: "no-referrer", width: file.width, height: file.height });
        // The room is kept before the image is there, so nothing moves when it comes.
        image.style.aspectRatio = file.width > 0 && file.height > 0 ? `${Number(file.width)} / ${Number(file.height)}` : "4 / 3";
        return link("image", image);
    }
    if (["audio", "voice"].includes(file.kind) && url) return h("audio", { controls: true, preload: "none", src: url, "aria-label": name });
    return link("file", icon("file"), h("span", { class: "who" }, h("b", { dir: "auto" }, name), file.byte_size ? h("small", {}, size(Number(file.byte_size))) : ""));
}

function poll(thread, message) {
    const { poll } = message;
    const mine = new Set((poll.my_vote ?? poll.options.filter((one) => one.voter_ids?.includes(thread.parley.userId)).map((one) => one.id)).map(String));
    const total = Math.max(1, poll.total_voters ?? 0);
    const vote = (id) => {
        const chosen = new Set(poll.multiple ? mine : []);
        if (mine.has(String(id))) chosen.delete(String(id));
        else chosen.add(String(id));
        thread.parley.vote(message, [...chosen].map(Number));
    };
    return h("div", { class: "poll", role: "group", "aria-label": t("vote") },
        poll.options.map((option) => {
            const share = Math.round(((option.votes ?? 0) / total) * 100);
            const button = h("button", { type: "button", class: "option", "aria-pressed": String(mine.has(String(option.id))), disabled: Boolean(poll.closed_at), onclick: () => vote(option.id) },
                h("span", { dir: "auto" }, option.text), h("small", {}, String(option.votes ?? 0)));
            button.style.setProperty("--share", `${share}%`);
            return button;
        }),
        h("small", {}, t("votes", { count: poll.total_voters ?? 0 }), poll.closed_at ? ` · ${t("pollClosed")}` : ""));
}

function mark(name, label) {
    return h("span", { class: "mark", role: "img", "aria-label": label, title: label }, icon(name));
}

function foot(message, own) {
    return h("span", { class: "foot" },
        message.starred && mark("star", t("starred")),
        message.pinned_at && mark("pin", t("pinned")),
        message.edited_at && !message.deleted_at && h("span", {}, t("edited")),
        h("time", { dir: "auto", datetime: message.created_at, title: exact(message.created_at) }, clock(message.created_at)),
        own && !message.deleted_at && ticks(message));
}

function reactions(thread, message) {
    const list = h("div", { class: "reactions" });
    keyed(list, message.reactions, (one) => one.emoji, (one) => h("button", { type: "button", onclick: () => thread.parley.react(message, one.emoji) }, h("span", {}, one.emoji), h("span", {})),
        (button, one) => {
            const names = one.user_ids.slice(0, 20).map((id) => nameOf(thread.data, thread.parley.userId, id)).join(", ");
            set(button, { "aria-pressed": String(one.user_ids.includes(thread.parley.userId)), title: names, "aria-label": t("reacted", { emoji: one.emoji, names }) });
            say(button.lastChild, String(one.count));
        });
    return list;
}

function failure(parley, message) {
    const words = message.status === "failed" ? t("failed") : t("editFailed");
    return h("div", { class: "failure" }, icon("alert"), h("span", {}, words, message.error ? `: ${message.error.message}` : ""),
        h("button", { type: "button", onclick: () => parley.retry(message.pending_id) }, t("retry")),
        h("button", { type: "button", onclick: () => parley.cancel(message.pending_id) }, t("cancel")));
}
