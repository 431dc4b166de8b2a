// What one can do with a conversation, for the menus of the inbox and of the thread.
import { titleOf } from "./people.js";
import { confirm } from "./popups.js";
import { t } from "./strings.js";

const hours = (count) => new Date(Date.now() + count * 3_600_000).toISOString();

/** @param {import("./element.js").ParleyElement} element @param {any} conversation */
export function conversationMenu(element, conversation) {
    const { parley } = element;
    const { me, id } = conversation;
    const change = (settings) => () => parley.updateSettings(id, settings);
    const other = conversation.type === "direct" ? conversation.counterpart : null;
    return [
        { label: t(me.pinned_at ? "unpin" : "pin"), icon: "pin", run: change({ pin: !me.pinned_at }) },
        ...(me.is_muted
            ? [{ label: t("unmute"), icon: "mute", run: change({ mute_until: null }) }]
            : [
                { label: t("mute1h"), icon: "mute", run: change({ mute_until: hours(1) }) },
                { label: t("mute8h"), icon: "mute", run: change({ mute_until: hours(8) }) },
                { label: t("muteAlways"), icon: "mute", run: change({ mute_until: "infinity" }) },
            ]),
        { label: t("markUnread"), icon: "check", run: () => parley.markUnread(id) },
        { label: t(me.archived_at ? "unarchive" : "archive"), icon: "archive", run: change({ archive: !me.archived_at }) },
        null,
        other ? { label: t("block"), icon: "block", danger: true, run: () => block(element, other.user_id, titleOf(conversation, parley.userId)) } : null,
        conversation.type !== "direct" ? { label: t("leave"), icon: "leave", danger: true, run: () => leave(element, conversation) } : null,
        {
            label: t("deleteConversation"), icon: "trash", danger: true,
            run: async () => {
                if (!await confirm(element.shadowRoot, t("deleteConversationTitle"), t("deleteConversationHint"), t("deleteConversation"))) return;
                await element.attempt(parley.deleteConversation(id));
            },
        },
    ].filter((item, at, all) => item || (at > 0 && all[at - 1]));
}


export async function block(element, userId, name) {
    if (!await confirm(element.shadowRoot, t("blockTitle", { name }), t("blockHint"), t("block"))) return;
    await element.attempt(element.parley.api.block_user({ user_id: userId }));
}

export async function leave(element, conversation) {
    const name = titleOf(conversation, element.parley.userId);
    if (!await confirm(element.shadowRoot, t("leaveTitle", { name }), t("leaveHint"), t("leave"))) return;
    await element.attempt(element.parley.api.leave_conversation({ conversation_id: conversation.id }));
}
