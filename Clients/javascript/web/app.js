// The web client: an inbox beside a thread, one of them at a time on a phone.
import { createParley } from "../src/parley.js";
import { notifyWhileHidden, renewPush, useParley, usePushWorker } from "../components/index.js";
import { demoUsers, forget, isDemo, isToken, signIn, tokenSource, userId } from "./session.js";

const element = (id) => /** @type {any} */ (document.getElementById(id));
const app = element("app");
const inbox = /** @type {any} */ (document.querySelector("parley-inbox"));
const thread = /** @type {any} */ (document.querySelector("parley-thread"));

/** The conversation in the address, so that a reload, a link and the back button lead to it. */
const opened = () => new URLSearchParams(location.hash.slice(1)).get("c");

function show() {
    const id = opened();
    thread.conversation = id;
    inbox.conversation = id;
    app.toggleAttribute("data-open", Boolean(id));
}

function open(id) {
    if (id === opened()) return;
    const inThread = opened() !== null;
    // From one conversation to another leaves one step back to the inbox.
    history[inThread ? "replaceState" : "pushState"](null, "", `#c=${encodeURIComponent(id)}`);
    show();
}

function close() {
    history.replaceState(null, "", location.pathname + location.search);
    show();
}

/** Opens the newest conversation once it is known, for the demo. */
function openFirst(parley) {
    const inbox = parley.conversations();
    const end = inbox.subscribe(() => {
        const [first] = inbox.getSnapshot().conversations;
        if (!first) return;
        end();
        if (!opened()) open(first.id);
    });
}

async function showSignIn(problem = "") {
    element("sign-in").hidden = false;
    element("problem").textContent = problem;
    const form = document.querySelector("form");
    form?.addEventListener("submit", (event) => {
        event.preventDefault();
        const token = element("token").value.trim();
        if (isToken(token)) signIn(token);
        else element("problem").textContent = "This is not a token of a user, or it has expired.";
    });
    const users = await demoUsers();
    element("users").hidden = users.length === 0;
    for (const user of users) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = `Continue as ${user.name}`;
        button.addEventListener("click", () => location.assign(`${location.pathname}?as=${encodeURIComponent(user.id)}`));
        element("users").append(button);
    }
}

function registerWorker() {
    if (!("serviceWorker" in navigator) || !isSecureContext) return;
    const script = "/sw.js";
    // The policy of the page takes no script address that is a bare text.
    const trusted = globalThis.trustedTypes?.createPolicy("parley", { createScriptURL: (url) => (url === script ? url : "about:blank") }).createScriptURL(script) ?? script;
    const registration = navigator.serviceWorker.register(/** @type {any} */ (trusted));
    registration.catch(() => {});
    usePushWorker(registration);
    navigator.serviceWorker.addEventListener("message", (event) => event.data?.conversation_id && open(event.data.conversation_id));
}

function start() {
    const token = tokenSource();
    if (!token) return void showSignIn();
    const parley = createParley({ url: location.origin, token, userId: userId() });
    Object.assign(globalThis, { parley });
    useParley(parley);
    const directory = async (text) => {
        const wanted = text.trim().toLowerCase();
        const users = await demoUsers();
        return users.filter((user) => user.id !== parley.userId && user.name.toLowerCase().includes(wanted)).map((user) => ({ user_id: user.id, display_name: user.name }));
    };
    if (isDemo) inbox.directory = thread.directory = directory;
    app.hidden = false;
    app.addEventListener("parley-open", (event) => open(event.detail.id));
    app.addEventListener("parley-back", close);
    app.addEventListener("parley-signed-out", forget);
    addEventListener("hashchange", show);
    addEventListener("popstate", show);
    parley.unread.subscribe(() => {
        const { total } = parley.unread.getSnapshot();
        document.title = total ? `(${total}) Messages` : "Messages";
    });
    parley.on("signed-out", ({ reason }) => {
        if (isDemo) return;
        sessionStorage.clear();
        // of who was here nothing stays
        parley.stop();
        useParley(null);
        app.hidden = true;
        void showSignIn(`Please sign in again: ${reason}`);
    });
    if (new URLSearchParams(location.search).has("first")) openFirst(parley);
    notifyWhileHidden(parley, open);
    registerWorker();
    parley.start().then(() => renewPush(parley)).catch(() => {});
    show();
}

start();
