// What one can do with a message.
import { h } from "./dom.js";
import { conversationAvatar, titleOf } from "./people.js";
import { confirm, openDialog } from "./popups.js";
import { QUICK } from "./emoji.js";
import { t } from "./strings.js";

/**
 * @param {any} thread the component
 * @param {any} message
 * @param {{ reply: () => void, edit: () => void }} doing
 */
export function messageMenu(thread, message, { reply, edit }) {
    const { parley, data: conversation } = thread;
    const own = message.sender_id === parley.userId;
    const stored = message.seq !== null;
    if (message.status === "failed") {
        return [
            { label: t("retry"), icon: "send", run: () => parley.retry(message.pending_id) },
            { label: t("cancel"), icon: "close", danger: true, run: () => parley.cancel(message.pending_id) },
        ];
    }
    const admin = conversation && ["owner", "admin"].includes(conversation.me.role);
    const mayPin = admin || conversation?.permissions?.change_settings === "everyone" || conversation?.type === "direct";
    const api = (name) => () => thread.attempt(parley.api[name]({ message_id: message.id }));
    const live = stored && !message.deleted_at;
    return [
        live && { row: QUICK.map((emoji) => ({ label: `${t("react")} ${emoji}`, text: emoji, run: () => parley.react(message, emoji) })) },
        live && { label: t("reply"), icon: "reply", run: reply },
        live && own && message.content && !message.poll && { label: t("edit"), icon: "pencil", run: edit },
        message.content && { label: t("copy"), icon: "copy", run: () => thread.attempt(navigator.clipboard.writeText(message.content).then(() => thread.toast(t("copied")))) },
        live && { label: t("forward"), icon: "forward", run: () => forward(thread, message) },
        live && { label: t(message.starred ? "unstar" : "star"), icon: "star", run: api(message.starred ? "unstar_message" : "star_message") },
        live && mayPin && { label: t(message.pinned_at ? "unpinMessage" : "pinMessage"), icon: "pin", run: api(message.pinned_at ? "unpin_message" : "pin_message") },
        null,
        live && !own && { label: t("report"), icon: "alert", danger: true, run: () => report(thread, message) },
        stored && { label: t("deleteForMe"), icon: "trash", danger: true, run: () => parley.delete(message) },
        live && (own || admin) && { label: t("deleteForAll"), icon: "trash", danger: true, run: () => parley.delete(message, { forEveryone: true }) },
    ].filter((item) => item !== false && item !== "" && item !== undefined);
}

function forward(thread, message) {
    const { parley } = thread;
    openDialog(thread.shadowRoot, t("forwardTo"), (close) => [
        h("ul", { class: "people" }, parley.conversations().getSnapshot().conversations.slice(0, 50).map((one) => h("li", {}, h("button", {
            type: "button", class: "pick",
            onclick: async () => {
                close();
                const sent = parley.api.forward_message({ message_id: message.id, conversation_ids: [one.id], client_message_id: crypto.randomUUID() });
                if (await thread.attempt(sent)) thread.toast(t("forwardDone"));
            },
        }, conversationAvatar(one, parley.userId), h("span", { class: "who" }, h("b", { dir: "auto" }, titleOf(one, parley.userId))))))),
    ]);
}

async function report(thread, message) {
    if (!await confirm(thread.shadowRoot, t("reportTitle"), t("reportHint"), t("report"))) return;
    const done = await thread.attempt(thread.parley.api.report_message({ message_id: message.id, reason: "other" }).then(() => true));
    if (done) thread.toast(t("reportDone"));
}
