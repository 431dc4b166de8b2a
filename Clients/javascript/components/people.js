// Names and pictures of people and conversations.
import { h } from "./dom.js";
import { t } from "./strings.js";
import { safeURL } from "./text.js";

/** @param {{ user_id: string, display_name: string | null } | null | undefined} person */
export const personName = (person) => person?.display_name?.trim() || (person ? t("unnamed") : t("deletedUser"));

/** @param {any} conversation */
export function nameOf(conversation, userId, id) {
    if (id == null) return "";
    if (id === userId) return t("you");
    const person = conversation?.participants.find((one) => one.user_id === id)
        ?? (conversation?.counterpart?.user_id === id ? conversation.counterpart : null);
    return personName(person);
}

/** What a conversation is called. */
export function titleOf(conversation, userId) {
    if (!conversation) return "";
    if (conversation.title?.trim()) return conversation.title;
    if (conversation.type === "direct") return personName(conversation.counterpart);
    const names = conversation.participants.filter((one) => one.user_id !== userId).map(personName);
    return names.slice(0, 4).join(", ") || t("group");
}

const hues = new Map();
function hue(id) {
    let sum = hues.get(id);
    if (sum === undefined) {
        sum = 0;
        for (const letter of id) sum = (sum * 31 + letter.charCodeAt(0)) % 360;
        hues.set(id, sum);
    }
    return sum;
}

const segmenter = typeof Intl.Segmenter === "function" ? new Intl.Segmenter() : null;
const firstLetter = (word) => (segmenter ? segmenter.segment(word)[Symbol.iterator]().next().value?.segment : [...word][0]) ?? "";

function initials(name) {
    const words = name.replace(/[^\p{L}\p{N}\p{Extended_Pictographic}\s]/gu, "").split(/\s+/).filter(Boolean);
    return (firstLetter(words[0] ?? "") + (words.length > 1 ? firstLetter(words[words.length - 1]) : "")).toUpperCase();
}

/** A picture with initials. */
export function avatar(id, name, { image, group = false, small = false } = {}) {
    const element = h("span", { class: "avatar" + (group ? " group" : "") + (small ? " small" : ""), "aria-hidden": "true" }, initials(name) || "·");
    element.style.setProperty("--hue", String(hue(id ?? name)));
    const url = image && safeURL(image, ["https:", "http:"]);
    if (url) {
        const picture = h("img", { src: url, alt: "", loading: "lazy", referrerpolicy: "no-referrer", onerror: () => picture.remove() });
        element.append(picture);
    }
    return element;
}

export function conversationAvatar(conversation, userId) {
    const direct = conversation.type === "direct";
    return avatar(direct ? conversation.counterpart?.user_id ?? conversation.id : conversation.id, titleOf(conversation, userId), {
        image: conversation.icon_url, group: !direct,
    });
}

/**
 * People whom the user may mean by a text: those of a directory, if the host has one, else those of the conversations.
 * @returns {Promise<{ user_id: string, display_name: string | null }[]>}
 */
export async function findPeople(parley, query, directory) {
    const id = query.trim().toLowerCase();
    const pasted = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(id) ? [{ user_id: id, display_name: id }] : [];
    if (directory) return [...pasted, ...(await directory(query))];
    const known = new Map();
    for (const conversation of parley.conversations().getSnapshot().conversations) {
        for (const person of conversation.participants) {
            if (person.user_id !== parley.userId && !person.left_at) known.set(person.user_id, person);
        }
    }
    const wanted = fold(query);
    const found = [...known.values()].filter((person) => fold(personName(person)).includes(wanted));
    return [...pasted.filter((one) => !known.has(one.user_id)), ...found].slice(0, 50);
}

/** Without case and accents. @param {string} text */
export const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().trim();
