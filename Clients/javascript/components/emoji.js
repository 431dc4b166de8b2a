// A small choice of emoji; the keyboards of phones and systems have them all.
import { h } from "./dom.js";
import { position } from "./popups.js";
import { t } from "./strings.js";

export const QUICK = ["👍", "❤️", "😂", "😮", "😢", "🙏"];
const ALL = [
    "😀 😃 😄 😁 😅 😂 🤣 🙂 😉 😊 😇 🥰 😍 😘 😋 😜 🤪 🤗 🤔 🤫 😐 🙄 😏 😴 😷 🤒 🥳 😎 🤓 😕 😟 😮 😳 🥺 😢 😭 😱 😤 😡 🤬 💀 🤡 👻 🤖",
    "👍 👎 👌 ✌️ 🤞 🤘 👈 👉 👆 👇 ✋ 👋 💪 🙏 👏 🙌 🤝 ✍️ 👀 🧠 🫶 🤷 🤦 💁 🙋",
    "❤️ 🧡 💛 💚 💙 💜 🖤 🤍 💔 💕 💯 💥 🔥 ✨ ⭐ 🌟 🎉 🎊 🎁 🏆 ✅ ❌ ❓ ❗ ⚠️ 💡 📌 📎 📷 🎵 ⏰ 📅 💬",
    "🐶 🐱 🦊 🐻 🐼 🐸 🐵 🐔 🦄 🐝 🌱 🌳 🌸 🌹 ☀️ 🌙 🌈 ☁️ ⛄ 🍎 🍌 🍓 🍕 🍔 🍟 🌮 🍣 🍩 🍪 🎂 ☕ 🍵 🍺 🍷 🥂",
    "🚗 🚲 ✈️ 🚀 🏠 🏢 🏖️ ⛰️ ⚽ 🏀 🎾 🎮 🎲 🎨 🎬 🎤 🎸 📚 ✏️ 💻 📱 💰 🛒 🔑 🔒",
].join(" ").split(" ");

/** @param {HTMLElement} anchor @param {(emoji: string) => void} pick @param {readonly string[]} first shown in the first row */
export function openEmoji(anchor, pick, first = []) {
    const panel = h("div", { class: "menu emoji", popover: "auto", role: "dialog", "aria-label": t("emoji") });
    const choices = [...new Set([...first, ...ALL])];
    const buttons = choices.map((emoji, at) => h("button", {
        type: "button", tabindex: at ? "-1" : "0", "aria-label": emoji,
        onclick: () => {
            panel.hidePopover();
            pick(emoji);
        },
    }, emoji));
    panel.append(h("div", { class: "grid" }, buttons));
    panel.addEventListener("keydown", (event) => {
        event.stopPropagation();
        const at = buttons.indexOf(panel.getRootNode().activeElement);
        const columns = Math.max(1, Math.floor(panel.firstChild.clientWidth / 40));
        const forward = getComputedStyle(panel).direction === "rtl" ? -1 : 1;
        const step = { ArrowRight: forward, ArrowLeft: -forward, ArrowDown: columns, ArrowUp: -columns }[event.key];
        if (!step) return;
        event.preventDefault();
        buttons[Math.max(0, Math.min(buttons.length - 1, at + step))].focus();
    });
    panel.addEventListener("toggle", (event) => {
        if (event.newState !== "closed") return;
        const inside = panel.contains(panel.getRootNode().activeElement);
        panel.remove();
        anchor.removeAttribute("aria-expanded");
        if (inside) anchor.focus();
    });
    anchor.getRootNode().append(panel);
    panel.showPopover();
    anchor.setAttribute("aria-expanded", "true");
    position(panel, anchor);
    buttons[0].focus();
}
