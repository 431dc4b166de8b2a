// Makes elements. Text becomes text nodes, never markup: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with properties, attributes, listeners and children.
 * `class`, `role`, `aria-*`, `data-*` and the like are attributes; `onclick` and the like are listeners; `.name` is a property.
 * A value of null, undefined or false is left out; true is an empty attribute.
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...any} children nodes or texts; null and false are left out, arrays are flattened
 * @returns {any}
 */
export function h(tag, props = {}, ...children) {
    const element = document.createElement(tag);
    set(element, props);
    element.append(...children.flat(Infinity).filter((child) => child != null && child !== false && child !== ""));
    return element;
}

/** @param {Element} element @param {Record<string, any>} props */
export function set(element, props) {
    for (const [name, value] of Object.entries(props)) {
        if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else if (name.startsWith(".")) element[name.slice(1)] = value;
        else if (value == null || value === false) element.removeAttribute(name);
        else if (element.getAttribute(name) !== String(value === true ? "" : value)) {
            element.setAttribute(name, value === true ? "" : value);
        }
    }
}

/** Gives an element this text, if it has another. */
export function say(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

/**
 * Makes the children of `parent` those of `items`, in their order, and keeps the elements of keys that stay.
 * @template T
 * @param {Element} parent
 * @param {readonly T[]} items
 * @param {(item: T) => string} key
 * @param {(item: T) => Element} create
 * @param {(element: any, item: T) => void} [update]
 */
export function keyed(parent, items, key, create, update = () => {}) {
    const known = (parent.parleyKeys ??= new Map());
    const left = new Set(known.keys());
    let place = parent.firstElementChild;
    for (const item of items) {
        const name = key(item);
        left.delete(name);
        let element = known.get(name);
        if (!element) known.set(name, (element = create(item)));
        update(element, item);
        if (element === place) place = place.nextElementSibling;
        else parent.insertBefore(element, place);
    }
    for (const name of left) {
        known.get(name).remove();
        known.delete(name);
    }
}

// Shapes on a grid of 24, drawn with the colour of the text.
const ICONS = {
    back: "M15 5l-7 7 7 7",
    search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5",
    more: "M12 4.500a1 1 0 1 0 0 2 1 1 0 0 0 0-2zM12 11a1 1 0 1 0 0 2 1 1 0 0 0 0-2zM12 17.500a1 1 0 1 0 0 2 1 1 0 0 0 0-2z",
    send: "M4 12l16-8-6 16-3-6.5z",
    reply: "M9 6l-6 6 6 6M3 12h11a6 6 0 0 1 6 6v1",
    smile: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8.5 14.5a4.5 4.5 0 0 0 7 0M9 9.5v.01M15 9.5v.01",
    close: "M6 6l12 12M18 6L6 18",
    plus: "M12 5v14M5 12h14",
    sliders: "M4 7h8M18 7h2M15 4.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM4 17h2M12 17h8M9 14.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
    down: "M12 5v14M6 13l6 6 6-6",
    call: "M6 3h3l2 5-2.5 1.5a11 11 0 0 0 5 5L15 12l5 2v3a3 3 0 0 1-3 3A14 14 0 0 1 3 6a3 3 0 0 1 3-3z",
    clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4l3 2",
    check: "M5 13l4 4L19 7",
    checks: "M2 13l4 4L15 7M11 16l1 1L22 7",
    alert: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v5M12 16v.01",
    pin: "M9 3h6l-1 6 4 4H6l4-4zM12 13v8",
    mute: "M6 9a6 6 0 0 1 9-4.5M18 10v5l2 3H8M10 21h4M3 3l18 18M6 10v5l-2 3h3",
    people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20a6.5 6.5 0 0 1 13 0M16 4.5a3.5 3.5 0 0 1 0 6.5M18 14a6.5 6.5 0 0 1 3.500 6",
    file: "M6 3h8l4 4v14H6zM14 3v4h4",
    pencil: "M4 20l1-4.500L16 4.500l3.500 3.500L8.500 19zM13.500 7l3.500 3.500",
    copy: "M9 8h11v12H9zM15 8V4H4v12h5",
    trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.500 11v5M13.500 11v5",
    archive: "M3.500 5h17v4h-17zM5 9v10h14V9M10 13h4",
    block: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM6.500 6.500l11 11",
    forward: "M15 6l6 6-6 6M21 12H10a6 6 0 0 0-6 6v1",
    leave: "M14 4H5v16h9M10 12h11M17 8l4 4-4 4",
    star: "M12 4l2.500 5.200 5.500.8-4 4 1 5.600-5-2.700-5 2.700 1-5.600-4-4 5.500-.8z",
};

/** @param {keyof typeof ICONS} name */
export function icon(name) {
    const svg = document.createElementNS(SVG, "svg");
    const path = document.createElementNS(SVG, "path");
    for (const [key, value] of [["viewBox", "0 0 24 24"], ["class", "icon"], ["aria-hidden", "true"]]) svg.setAttribute(key, value);
    path.setAttribute("d", ICONS[name]);
    svg.append(path);
    return svg;
}

/** A button that shows an icon and is called `label`. */
export function iconButton(name, label, onclick, props = {}) {
    return h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...props }, icon(name));
}

/** @param {string} text @returns {CSSStyleSheet} */
export function sheet(text) {
    const made = new CSSStyleSheet();
    made.replaceSync(text);
    return made;
}

let lastId = 0;
/** An id that no other element of the page has. */
export const newId = () => `parley-${++lastId}`;
