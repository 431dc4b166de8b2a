// Menus and dialogs, on the browser's own popover and dialog: both bring focus, Escape and the top layer.
import { h, icon, iconButton, newId } from "./dom.js";
import { t } from "./strings.js";

/**
 * Opens a menu beside a button.
 * @param {HTMLElement} anchor
 * @param {({ label: string, icon?: string, text?: string, danger?: boolean, run: () => void } | { row: any[] } | null)[]} items null draws
 *     a line; a row holds items beside one another
 * @param {{ x?: number, y?: number }} [place] where a pointer asked for it
 */
export function openMenu(anchor, items, place) {
    const buttons = [];
    const menu = h("div", { class: "menu", part: "menu", role: "menu", popover: "auto", "aria-label": anchor.getAttribute("aria-label") ?? t("more") });
    const make = (item) => {
        const choose = () => {
            menu.hidePopover();
            item.run();
        };
        const button = h("button", { type: "button", role: "menuitem", "aria-label": item.text ? item.label : null, tabindex: "-1", class: item.danger ? "danger" : "", onclick: choose },
            item.icon && icon(item.icon), h("span", {}, item.text ?? item.label));
        buttons.push(button);
        return button;
    };
    for (const item of items) {
        if (!item) {
            if (menu.lastChild && menu.lastChild.nodeName !== "HR") menu.append(h("hr", { role: "separator" }));
            continue;
        }
        menu.append(item.row ? h("div", { class: "quick", role: "group", "aria-label": t("react") }, item.row.map(make)) : make(item));
    }
    menu.addEventListener("keydown", (event) => {
        const at = buttons.indexOf(menu.getRootNode().activeElement);
        // Up and down pass over the others of a row.
        const row = menu.querySelector(".quick");
        const last = row ? row.children.length - 1 : 0;
        const forward = getComputedStyle(menu).direction === "rtl" ? -1 : 1;
        const down = at < last ? last + 1 : at + 1;
        const up = at === last + 1 && row ? 0 : at <= last ? -1 : at - 1;
        const next = { ArrowDown: row ? down : at + 1, ArrowUp: row ? up : at - 1, ArrowRight: at + forward, ArrowLeft: at - forward, Home: 0, End: -1 }[event.key];
        if (next !== undefined) {
            event.preventDefault();
            buttons.at(next % buttons.length)?.focus();
        } else if (event.key === "Tab") menu.hidePopover();
        // What lies below does not hear keys that are meant for the menu.
        event.stopPropagation();
    });
    menu.addEventListener("toggle", (event) => {
        if (event.newState !== "closed") return;
        anchor.removeAttribute("aria-expanded");
        const inside = menu.contains(menu.getRootNode().activeElement) || !menu.getRootNode().activeElement;
        menu.remove();
        if (inside && anchor.isConnected) anchor.focus();
    });
    rootOf(anchor).append(menu);
    menu.showPopover();
    anchor.setAttribute("aria-expanded", "true");
    position(menu, anchor, place);
    buttons[0]?.focus();
    return menu;
}

/** The shadow root, or the dialog that covers it. */
const rootOf = (anchor) => anchor.closest("dialog") ?? anchor.getRootNode();

/** Puts a popover below a button, or above where there is no room, within the window. */
export function position(popup, anchor, place) {
    const box = anchor.getBoundingClientRect();
    const { width, height } = popup.getBoundingClientRect();
    const rtl = getComputedStyle(anchor).direction === "rtl";
    const left = place?.x ?? (rtl ? box.left : box.right - width);
    const top = place?.y ?? (box.bottom + height + 12 > innerHeight && box.top > height ? box.top - height - 4 : box.bottom + 4);
    popup.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
    popup.style.top = `${Math.max(8, Math.min(top, innerHeight - height - 8))}px`;
}

/**
 * Opens a dialog; it is gone when it closes.
 * @param {Node} inside an element, or a shadow root, whose styles it wears
 * @param {string} title
 * @param {(close: () => void) => any[]} content
 */
export function openDialog(inside, title, content, onclose = () => {}) {
    const id = newId();
    const close = () => dialog.close();
    const dialog = h("dialog", { part: "dialog", "aria-labelledby": id });
    dialog.append(
        h("header", {}, h("h2", { id }, title), iconButton("close", t("close"), close)),
        h("div", { class: "body" }, ...content(close)));
    dialog.addEventListener("click", (event) => {
        // A click beside the dialog is a click on its backdrop.
        const box = dialog.getBoundingClientRect();
        const outside = event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
        if (event.target === dialog && event.detail > 0 && outside) close();
    });
    dialog.addEventListener("keydown", (event) => event.stopPropagation());
    dialog.addEventListener("close", () => {
        dialog.remove();
        onclose();
    });
    (inside instanceof ShadowRoot ? inside : inside.getRootNode()).append(dialog);
    dialog.showModal();
    return dialog;
}

/** Asks before something that cannot be undone. @returns {Promise<boolean>} */
export function confirm(inside, title, hint, action) {
    return new Promise((resolve) => {
        let answer = false;
        openDialog(inside, title, (close) => [
            hint && h("p", {}, hint),
            h("div", { class: "actions" },
                h("button", { type: "button", class: "button", onclick: close }, t("cancel")),
                h("button", { type: "button", class: "button primary", "data-confirm": true, onclick: () => ((answer = true), close()) }, action)),
        ], () => resolve(answer));
    });
}

/** A list of people to choose from, with a box to search. `pick(person)` */
export function peopleList(find, pick, avatar, personName) {
    const list = h("ul", { class: "people" });
    const input = h("input", { class: "field", type: "search", placeholder: t("findPeople"), "aria-label": t("findPeople"), autofocus: true, autocomplete: "off" });
    let asked = 0;
    const refresh = async () => {
        const mine = ++asked;
        const people = await find(input.value);
        if (mine !== asked) return;
        list.replaceChildren(...people.map((person) => h("li", {},
            h("button", { type: "button", class: "pick", onclick: () => pick(person, input) },
                avatar(person.user_id, personName(person)), h("span", { class: "who" }, h("b", { dir: "auto" }, personName(person)))))));
        if (!people.length) list.append(h("li", {}, h("small", {}, t("noPeople"))));
    };
    input.addEventListener("input", refresh);
    refresh();
    return { input, list, refresh };
}
