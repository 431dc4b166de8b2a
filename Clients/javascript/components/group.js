// The dialog about a conversation: its people, its name, who may write.
import { h, iconButton } from "./dom.js";
import { block, leave } from "./actions.js";
import { avatar, conversationAvatar, findPeople, personName, titleOf } from "./people.js";
import { openDialog, openMenu, peopleList } from "./popups.js";
import { t } from "./strings.js";

/** @param {any} thread the component */
export function openGroup(thread) {
    const { parley, data: conversation } = thread;
    if (!conversation) return;
    const group = conversation.type !== "direct";
    const admin = group && ["owner", "admin"].includes(conversation.me.role);
    const save = (change) => thread.attempt(parley.api.update_conversation({ conversation_id: conversation.id, ...change }));
    openDialog(thread.shadowRoot, t("details"), (close) => {
        const people = h("ul", { class: "people", "aria-label": t("people") });
        const show = (list) => people.replaceChildren(...list.filter((one) => !one.left_at).map((person) => member(thread, person, admin)));
        show(conversation.participants);
        if (group && conversation.participant_count > conversation.participants.length) void thread.attempt(parley.loadParticipants(conversation.id).then(show));
        const levels = h("select", { class: "field", onchange: () => parley.updateSettings(conversation.id, { notifications: levels.value }) },
            [["all", "notifyAll"], ["mentions", "notifyMentions"], ["none", "notifyNone"]].map(([value, label]) => h("option", { value, selected: value === conversation.me.notification_level }, t(label))));
        return [
            h("div", { class: "about-line" }, conversationAvatar(conversation, parley.userId), h("b", { dir: "auto" }, titleOf(conversation, parley.userId))),
            !admin && conversation.description && h("p", { dir: "auto" }, conversation.description),
            h("label", {}, t("notifications"), levels),
            admin && settings(conversation, save),
            h("h3", {}, t("people")), people,
            admin && h("button", { type: "button", class: "button", onclick: () => (close(), addPeople(thread)) }, t("addPeople")),
            h("div", { class: "actions" }, group
                ? h("button", { type: "button", class: "button danger", onclick: () => (close(), leave(thread, conversation)) }, t("leave"))
                : conversation.counterpart && h("button", { type: "button", class: "button danger", onclick: () => (close(), block(thread, conversation.counterpart.user_id, titleOf(conversation, parley.userId))) }, t("block"))),
        ];
    });
}

function settings(conversation, save) {
    const text = (name, label, limit) => {
        const input = h("input", { class: "field", ".value": conversation[name] ?? "", maxlength: limit, dir: "auto", onchange: () => save({ [name]: input.value.trim() }) });
        return h("label", {}, t(label), input);
    };
    const who = h("select", { class: "field", onchange: () => save({ who_can_send: who.value }) },
        [["everyone", "everyone"], ["admins_only", "admins"]].map(([value, label]) => h("option", { value, selected: (conversation.permissions?.send === "admins") === (value === "admins_only") }, t(label))));
    return [text("title", "groupName", 100), text("description", "groupAbout", 500), h("label", {}, t("whoCanSend"), who)];
}

function member(thread, person, admin) {
    const { parley, data: conversation } = thread;
    const name = personName(person) + (person.user_id === parley.userId ? ` (${t("you")})` : "");
    const role = person.role === "owner" ? t("owner") : person.role === "admin" ? t("admin") : person.app_role ?? "";
    const act = (function_, args, after) => async () => {
        if (await thread.attempt(parley.api[function_]({ conversation_id: conversation.id, user_id: person.user_id, ...args }).then(() => true))) after();
    };
    const row = h("li", {}, avatar(person.user_id, personName(person)), h("span", { class: "who" }, h("b", { dir: "auto" }, name), role && h("small", {}, role)));
    if (admin && person.user_id !== parley.userId && person.role !== "owner") {
        const more = iconButton("more", `${t("more")}: ${personName(person)}`, () => openMenu(more, [
            person.role === "admin"
                ? { label: t("makeMember"), icon: "people", run: act("set_participant_role", { role: "member" }, () => {}) }
                : { label: t("makeAdmin"), icon: "star", run: act("set_participant_role", { role: "admin" }, () => {}) },
            { label: t("remove"), icon: "close", danger: true, run: act("remove_participant", {}, () => row.remove()) },
        ]));
        row.append(more);
    }
    return row;
}

function addPeople(thread) {
    const { parley, data: conversation } = thread;
    openDialog(thread.shadowRoot, t("addPeople"), (close) => {
        const here = new Set(conversation.participants.filter((one) => !one.left_at).map((one) => one.user_id));
        const find = async (query) => (await findPeople(parley, query, thread.directory)).filter((one) => !here.has(one.user_id));
        const list = peopleList(find, async (person) => {
            if (await thread.attempt(parley.api.add_participants({ conversation_id: conversation.id, participant_ids: [person.user_id] }))) close();
        }, avatar, personName);
        return [list.input, list.list];
    });
}
