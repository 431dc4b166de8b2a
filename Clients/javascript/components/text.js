// Turns the text of a message into nodes: links, mentions and marked words. Everything else stays text.
import { h } from "./dom.js";

// A scheme is written out, so that "readme.md" and "e.g.this" stay words, and it is the first one: "blob:https:" is none.
const LINK = /(?<![\p{L}\p{N}_:])(?:https?:\/\/|mailto:)[^\s<>"'\u0060\u0000-\u001f\u007f\u200e\u200f\u202a-\u202e\u2066-\u2069]+/giu;

/** The address if it may be opened, else null. @param {unknown} address */
export function safeURL(address, schemes = ["http:", "https:", "mailto:"]) {
    try {
        const url = new URL(String(address));
        // A name before @ makes an address look like another one.
        if (!schemes.includes(url.protocol) || url.username || url.password) return null;
        return url.href;
    } catch {
        return null;
    }
}

/** @param {string} text @returns {[start: number, end: number][]} */
function links(text) {
    const found = [];
    for (const match of text.matchAll(LINK)) {
        let end = match[0].length;
        for (;;) {
            const last = match[0][end - 1];
            const open = { ")": "(", "]": "[", "}": "{" }[last];
            const part = match[0].slice(0, end);
            const unpaired = open && part.split(last).length > part.split(open).length;
            if (!unpaired && !/[.,;:!?*_~…]/.test(last)) break;
            end -= 1;
        }
        if (end > 0) found.push([match.index, match.index + end]);
    }
    return found;
}

/**
 * @param {string} text
 * @param {{ names?: string[], own?: string }} [mentions] names that may stand behind "@"; `own`: the reader's
 * @returns {(Node | string)[]}
 */
export function richText(text, { names = [], own } = {}) {
    /** @type {[number, number, Node][]} */
    const parts = [];
    for (const [start, end] of links(text)) {
        const address = text.slice(start, end);
        const href = safeURL(address);
        if (href) {
            parts.push([start, end, h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow ugc", class: "link" }, address)]);
        }
    }
    for (const name of [...names].sort((a, b) => b.length - a.length)) {
        const sought = "@" + name;
        for (let at = text.indexOf(sought); at >= 0; at = text.indexOf(sought, at + 1)) {
            const end = at + sought.length;
            if (parts.some(([from, to]) => at < to && end > from)) continue;
            parts.push([at, end, h("span", { class: "mention" + (name === own ? " own" : "") }, sought)]);
        }
    }
    parts.sort((a, b) => a[0] - b[0]);
    const nodes = [];
    let place = 0;
    for (const [start, end, node] of parts) {
        if (start > place) nodes.push(text.slice(place, start));
        nodes.push(node);
        place = end;
    }
    if (place < text.length) nodes.push(text.slice(place));
    return nodes;
}

/** One to three emoji and nothing else: shown large. */
export const isEmojiOnly = (text) => text.length <= 40 && /^(?:\p{Extended_Pictographic}[\p{Emoji_Modifier}\u{fe0f}\u{200d}\p{Extended_Pictographic}]*\s*){1,3}$/u.test(text);

/** A search result's parts, those that match marked. @param {{ text: string, match: boolean }[]} parts */
export const marked = (parts) => parts.map((part) => (part.match ? h("mark", {}, part.text) : part.text));
