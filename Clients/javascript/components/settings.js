// The dialog of the user's own settings: privacy, blocked people, notifications, signing out.
import { h } from "./dom.js";
import { avatar, personName } from "./people.js";
import { confirm, openDialog } from "./popups.js";
import { endPush, pushState, startPush } from "./push.js";
import { t } from "./strings.js";

const PRIVACY = [["everyone", "privacyEveryone"], ["friends", "privacyFriends"], ["following", "privacyFollowing"], ["no_one", "privacyNoOne"]];

/** What the server does not know is not an error to the user. */
const unless = (work) => Promise.resolve(work).catch((error) => (error.status === 404 || error.code === "PGRST202" ? null : Promise.reject(error)));

/** @param {import("./element.js").ParleyElement} element */
export function openSettings(element) {
    openDialog(element.shadowRoot, t("settings"), (close) => [
        section(t("privacy"), element, privacy), section(t("notifications"), element, notifications), section(t("blocked"), element, blocked),
        h("div", { class: "actions" },
            h("button", { type: "button", class: "button danger", onclick: () => signOut(element, close) }, t("signOut"))),
    ]);
}

/** A heading, and what `fill` makes once its answer has come. Without an answer the server does not offer it. */
function section(title, element, fill) {
    const content = h("div", { class: "content" });
    const box = h("div", { class: "section", hidden: true }, h("h3", {}, title), content);
    const show = (parts) => {
        content.replaceChildren(...(parts ?? []));
        box.hidden = !parts;
    };
    fill(element, show).catch((error) => show([h("p", {}, t("somethingFailed", { reason: error.message }))]));
    return box;
}

async function privacy(element, show) {
    const { api } = element.parley;
    const now = await unless(api.get_privacy());
    if (!now) return;
    const save = (change) => element.attempt(api.set_privacy(change));
    const choice = h("select", { class: "field", onchange: () => save({ message_privacy: choice.value }) },
        PRIVACY.map(([value, label]) => h("option", { value, selected: value === now.message_privacy }, t(label))));
    const tick = (name, label) => {
        const input = h("input", { type: "checkbox", ".checked": now[name] !== false, onchange: () => save({ [name]: input.checked }) });
        return h("label", { class: "line" }, h("span", {}, t(label)), input);
    };
    show([h("label", {}, t("whoCanMessage"), choice), tick("read_receipts", "readReceipts"), tick("show_presence", "showPresence")]);
}

async function notifications(element, show) {
    const state = await pushState(element.parley);
    if (state === "unavailable") return void pageNotifications(show);
    const denied = h("p", { role: "status", hidden: state !== "denied" }, t("notifyDenied"));
    const input = h("input", {
        type: "checkbox", ".checked": state === "on",
        onchange: async () => {
            input.disabled = true;
            const now = await element.attempt(input.checked ? startPush(element.parley) : endPush(element.parley));
            input.checked = now === "on";
            input.disabled = false;
            denied.hidden = now !== "denied";
        },
    });
    show([h("label", { class: "line" }, h("span", {}, t("notifyPush")), input), denied]);
}

/** Without pushes, an open page can still tell of messages that come while it is hidden. */
function pageNotifications(show) {
    if (typeof Notification === "undefined" || Notification.permission !== "default") return;
    const ask = async () => {
        if (await Notification.requestPermission() !== "default") show(null);
    };
    show([h("button", { type: "button", class: "button", onclick: ask }, t("notifyAllow"))]);
}

async function blocked(element, show) {
    const { api } = element.parley;
    const answer = await unless(api.get_blocked_users({ page_size: 100 }));
    if (!answer) return;
    const people = answer.users ?? answer.blocked_users ?? answer;
    const list = h("ul", { class: "people" }, people.map((person) => {
        const row = h("li", {}, avatar(person.user_id, personName(person)), h("span", { class: "who" }, h("b", { dir: "auto" }, personName(person))),
            h("button", {
                type: "button", class: "button",
                onclick: async () => {
                    if (await element.attempt(api.unblock_user({ user_id: person.user_id }).then(() => true))) row.remove();
                },
            }, t("unblock")));
        return row;
    }));
    show([people.length ? list : h("p", {}, t("blockedNone"))]);
}

async function signOut(element, close) {
    const unsent = element.parley.outbox.getSnapshot().length;
    const hint = [t("signOutHint"), unsent ? t("signOutUnsent", { count: unsent }) : ""].join(" ");
    if (!await confirm(element.shadowRoot, t("signOutTitle"), hint, t("signOut"))) return;
    close();
    await endPush(element.parley).catch(() => {});
    await element.attempt(element.parley.signOut());
    element.emit("parley-signed-out");
}
