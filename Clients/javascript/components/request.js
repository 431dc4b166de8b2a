// The bar over the composer of a request: a stranger has written, and one accepts, declines or blocks.
import { h } from "./dom.js";
import { titleOf } from "./people.js";
import { t } from "./strings.js";

/** @param {any} thread @param {HTMLElement} place @param {any} conversation */
export function requestBar(thread, place, conversation) {
    const asked = conversation.me.folder === "requests";
    if (place.asked === asked) return;
    place.asked = asked;
    if (!asked) return place.replaceChildren();
    const { api } = thread.parley;
    const decide = (work, leaves) => async () => {
        if (await thread.attempt(work().then(() => true)) && leaves) thread.emit("parley-back");
    };
    const id = conversation.id;
    place.replaceChildren(h("div", { class: "request", part: "request" },
        h("b", { dir: "auto" }, t("requestTitle", { name: titleOf(conversation, thread.parley.userId) })),
        h("p", {}, t("requestHint")),
        h("div", { class: "actions" },
            h("button", { type: "button", class: "button danger", onclick: decide(() => api.decline_request({ conversation_id: id, block: true }), true) }, t("block")),
            h("button", { type: "button", class: "button", onclick: decide(() => api.decline_request({ conversation_id: id }), true) }, t("decline")),
            h("button", { type: "button", class: "button primary", onclick: decide(() => api.accept_request({ conversation_id: id }), false) }, t("accept")))));
}
