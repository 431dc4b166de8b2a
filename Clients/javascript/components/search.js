// The panel that searches the messages of a conversation, with the words marked.
import { h, iconButton } from "./dom.js";
import { nameOf } from "./people.js";
import { preview } from "./preview.js";
import { t } from "./strings.js";
import { marked } from "./text.js";
import { brief } from "./time.js";

/** @param {any} thread @param {HTMLElement} opener */
export function openSearch(thread, opener) {
    thread.shadowRoot.querySelector(".search")?.remove();
    const results = h("ul", { class: "results" });
    const hint = h("div", { class: "empty", role: "status" }, t("searchHint"));
    const input = h("input", { class: "field", type: "search", "aria-label": t("searchMessages"), placeholder: t("searchMessages"), autocomplete: "off" });
    const close = () => {
        panel.remove();
        opener.focus();
    };
    const panel = h("div", { class: "search", role: "search", onkeydown: (event) => event.key === "Escape" && close() },
        h("div", { class: "head" }, input, iconButton("close", t("close"), close)), results, hint);
    let asked = 0;
    let timer;
    const say = (text) => {
        hint.hidden = !text;
        hint.replaceChildren(text ?? "");
    };
    const ask = async () => {
        const mine = ++asked;
        const query = input.value.trim();
        if (query.length < 2) {
            results.replaceChildren();
            return say(t("searchHint"));
        }
        const answer = await thread.attempt(thread.parley.api.search_messages({ query, conversation_id: thread.data.id, page_size: 50 }));
        if (mine !== asked || !answer) return;
        const found = answer.messages ?? answer.results ?? [];
        say(found.length ? null : t("emptySearch"));
        results.replaceChildren(...found.map((one) => {
            const message = one.message ?? one;
            return h("li", {}, h("button", {
                type: "button",
                onclick: () => {
                    panel.remove();
                    thread.jumpTo(message.id);
                },
            }, h("span", { class: "line" }, h("b", { dir: "auto" }, nameOf(thread.data, thread.parley.userId, message.sender_id)), h("time", {}, brief(message.created_at))),
            h("span", { class: "hit", dir: "auto" }, ...(Array.isArray(one.highlight) ? marked(one.highlight) : [preview(message)]))));
        }));
    };
    input.addEventListener("input", () => {
        clearTimeout(timer);
        timer = setTimeout(ask, 250);
    });
    thread.shadowRoot.querySelector(".stage").append(panel);
    input.focus();
}
