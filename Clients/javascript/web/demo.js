// Two frames of the web client, each with a user of its own.
import { demoUsers } from "./session.js";

/** @param {string} tag @param {object} [props] @param {...(Node | string)} children */
function make(tag, props = {}, ...children) {
    const element = Object.assign(document.createElement(tag), props);
    element.append(...children);
    return element;
}

const address = (id) => `/?as=${encodeURIComponent(id)}&first`;

/** @param {any[]} users @param {any} user */
function windowOf(users, user) {
    const frame = make("iframe", { src: address(user.id), title: `Messages of ${user.name}` });
    const choice = make("select", { ariaLabel: "User of this window" }, ...users.map((one) => make("option", { value: one.id, selected: one === user }, one.name)));
    choice.addEventListener("change", () => {
        frame.src = address(choice.value);
    });
    return make("section", {}, make("div", { className: "bar" }, make("h2", {}, "Signed in as"), choice), frame);
}

const users = await demoUsers();
const main = document.getElementById("windows");
if (users.length) main?.append(...users.filter((user) => user.tier !== "free").slice(0, 2).map((user) => windowOf(users, user)));
else {
    const hint = document.getElementById("hint");
    if (hint) hint.textContent = "The demo users can be used on the machine of the server. Open this page there, by its address 127.0.0.1 or localhost.";
}
