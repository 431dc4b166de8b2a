// A message in one line, and how far it has got.
import { icon } from "./dom.js";
import { t } from "./strings.js";

/** @param {any} message */
export function preview(message) {
    if (!message) return "";
    if (message.deleted_at || message.deleted) return t("deletedMessage");
    if (message.content) return message.content.replace(/\s+/g, " ");
    const file = message.attachments?.[0] ?? message.attachment;
    return file ? `📎 ${file.file_name ?? t("file")}` : "";
}

const TICKS = { sending: "clock", sent: "check", delivered: "checks", read: "checks", failed: "alert" };

/** The sign of an own message. */
export function ticks(message) {
    const svg = icon(TICKS[message.status] ?? "check");
    svg.setAttribute("class", `icon tick ${message.status}`);
    svg.removeAttribute("aria-hidden");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", t(message.status));
    return svg;
}
