// Names behind "@": a list of those in the conversation, and who was meant in the end.
import { h, newId, set } from "./dom.js";
import { avatar, fold, personName } from "./people.js";
import { t } from "./strings.js";

export class Mentions {
    #chosen = new Map();
    #open = null;
    #asked = 0;

    /** @param {any} composer @param {HTMLTextAreaElement} input @param {HTMLElement} box */
    constructor(composer, input, box) {
        this.composer = composer;
        this.input = input;
        this.list = h("ul", { class: "options", role: "listbox", id: newId(), "aria-label": t("people"), hidden: true });
        box.append(this.list);
        set(input, { "aria-autocomplete": "list", "aria-controls": this.list.id });
        input.addEventListener("input", () => this.#look());
        input.addEventListener("blur", () => setTimeout(() => this.#close(), 150));
    }

    /** Who is named in a text. @param {string} text */
    of(text) {
        const people = [...this.#chosen.values(), ...(this.composer.data?.participants ?? [])];
        const mentions = [...new Set(people.filter((one) => one.display_name && one.user_id !== this.composer.parley.userId && text.includes("@" + one.display_name)).map((one) => one.user_id))];
        return { mentions, mentionsAll: this.composer.data?.type !== "direct" && new RegExp(`(^|\\s)@${t("mentionEveryone")}(?!\\w)`).test(text) };
    }

    async #look() {
        const before = this.input.value.slice(0, this.input.selectionStart);
        const found = /(?:^|\s)@([^\s@]{0,30}(?: [^\s@]{1,20})?)$/u.exec(before);
        const { data, parley } = this.composer;
        const mine = ++this.#asked;
        if (!found || !data || data.type === "direct") return this.#close();
        const query = found[1];
        const wanted = fold(query);
        let people = data.participants.filter((one) => !one.left_at && one.user_id !== parley.userId && fold(personName(one)).split(/\s+/).some((word) => word.startsWith(wanted) || fold(personName(one)).startsWith(wanted)));
        if (data.participant_count > data.participants.length) {
            people = await parley.api.search_members({ conversation_id: data.id, query }).catch(() => people);
            if (mine !== this.#asked) return;
        }
        const everyone = fold(t("mentionEveryone")).startsWith(wanted) ? [{ user_id: null, display_name: t("mentionEveryone") }] : [];
        this.#show([...people.slice(0, 8), ...everyone], before.length - query.length - 1);
    }

    #show(people, start) {
        if (!people.length) return this.#close();
        this.#open = { people, start, at: 0 };
        this.list.replaceChildren(...people.map((person, at) => h("li", { role: "option", id: `${this.list.id}-${at}`, onpointerdown: (event) => (event.preventDefault(), this.#choose(at)) },
            person.user_id && avatar(person.user_id, personName(person), { small: true }), h("span", { dir: "auto" }, personName(person)), !person.user_id && h("small", {}, t("mentionEveryoneHint")))));
        this.list.hidden = false;
        this.#mark();
    }

    #mark() {
        [...this.list.children].forEach((option, at) => set(option, { "aria-selected": String(at === this.#open.at) }));
        set(this.input, { "aria-activedescendant": `${this.list.id}-${this.#open.at}` });
        this.list.children[this.#open.at].scrollIntoView({ block: "nearest" });
    }

    #choose(at) {
        const { people, start } = this.#open;
        const person = people[at];
        if (person.user_id) this.#chosen.set(person.user_id, person);
        this.#close();
        this.input.setRangeText(`@${personName(person)} `, start, this.input.selectionStart, "end");
        this.input.dispatchEvent(new Event("input"));
    }

    #close() {
        this.#open = null;
        this.list.hidden = true;
        this.list.replaceChildren();
        this.input.removeAttribute("aria-activedescendant");
    }

    /** True: the key was for the list. @param {KeyboardEvent} event */
    key(event) {
        if (!this.#open) return false;
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        const count = this.#open.people.length;
        if (step) {
            this.#open.at = (this.#open.at + step + count) % count;
            this.#mark();
        } else if (event.key === "Enter" || event.key === "Tab") this.#choose(this.#open.at);
        else if (event.key === "Escape") this.#close();
        else return false;
        event.preventDefault();
        event.stopPropagation();
        return true;
    }
}
