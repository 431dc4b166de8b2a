// The dialog that starts a conversation: one person, or several with a name.
import { h, iconButton, say } from "./dom.js";
import { avatar, personName } from "./people.js";
import { openDialog, peopleList } from "./popups.js";
import { t } from "./strings.js";

/**
 * @param {import("./element.js").ParleyElement} element
 * @param {(query: string) => Promise<any[]>} find
 * @param {(conversation: any) => void} opened
 */
export function openNewConversation(element, find, opened) {
    const chosen = new Map();
    openDialog(element.shadowRoot, t("newConversation"), (close) => {
        const others = async (query) => (await find(query)).filter((person) => !chosen.has(person.user_id));
        const list = h("ul", { class: "people", "aria-label": t("chosen") });
        const title = h("input", { class: "field", placeholder: t("groupName"), "aria-label": t("groupName"), maxlength: "100", hidden: true });
        const button = h("button", { type: "button", class: "button primary", disabled: true, onclick: () => start() }, t("start"));
        const people = peopleList(others, (person, input) => {
            chosen.set(person.user_id, person);
            input.value = "";
            input.focus();
            people.refresh();
            show();
        }, avatar, personName);
        const show = () => {
            title.hidden = chosen.size < 2;
            button.disabled = chosen.size === 0;
            list.replaceChildren(...[...chosen.values()].map((person) => h("li", {},
                avatar(person.user_id, personName(person)), h("span", { class: "who" }, h("b", { dir: "auto" }, personName(person))),
                iconButton("close", `${t("remove")}: ${personName(person)}`, () => (chosen.delete(person.user_id), show(), people.refresh())))));
        };
        const start = async () => {
            button.disabled = true;
            say(button, t("loading"));
            const group = chosen.size > 1;
            const conversation = await element.attempt(element.parley.startConversation({
                participant_ids: [...chosen.keys()],
                ...(group ? { type: "group", title: title.value.trim() || [...chosen.values()].map(personName).slice(0, 4).join(", ") } : {}),
            }));
            button.disabled = false;
            say(button, t("start"));
            if (!conversation) return;
            close();
            opened(conversation);
        };
        return [list, people.input, people.list, title, h("div", { class: "actions" }, button)];
    });
}
