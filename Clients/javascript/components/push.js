// Notifications: Web Push where the server offers it, and the notification of an open page.
import { nameOf, titleOf } from "./people.js";
import { preview } from "./preview.js";

/** Where the script is that receives pushes; set by the page that has one. */
let worker = null;

/** @param {ServiceWorkerRegistration | Promise<ServiceWorkerRegistration>} registration */
export function usePushWorker(registration) {
    worker = registration;
}

/** By the client that was asked; null: the server offers no Web Push. */
const keys = new WeakMap();
function serverKey(parley) {
    if (!keys.has(parley)) keys.set(parley, parley.api.get_web_push_key().then((answer) => answer?.public_key ?? null, () => null));
    return keys.get(parley);
}

async function manager() {
    const registration = await Promise.resolve(worker).catch(() => null);
    return typeof Notification === "undefined" ? null : (registration?.pushManager ?? null);
}

/** @returns {Promise<"on" | "off" | "denied" | "unavailable">} */
export async function pushState(parley) {
    const push = await manager();
    if (!push || !await serverKey(parley)) return "unavailable";
    if (Notification.permission === "denied") return "denied";
    return deviceOf(parley) && await push.getSubscription() ? "on" : "off";
}

/** The device that this browser is registered as, and who has agreed to it: nobody else is told here. */
const DEVICE = "parley-push-device";
const USER = "parley-push-user";

function deviceOf(parley) {
    return localStorage.getItem(USER) === parley.userId ? localStorage.getItem(DEVICE) : null;
}

async function register(parley, subscription) {
    const { endpoint, keys: { p256dh, auth } } = subscription.toJSON();
    const device = await parley.api.register_device({
        provider: "webpush", app_id: location.origin, token: endpoint, keys: { p256dh, auth }, platform: "web",
        locale: navigator.language, name: navigator.userAgent.slice(0, 100),
    });
    localStorage.setItem(DEVICE, device.id);
    localStorage.setItem(USER, parley.userId);
}

/** The subscription that there is, if the server's key of now can push to it; one of an older key is ended. */
async function subscriptionOf(push, key) {
    const subscription = await push.getSubscription();
    const used = subscription?.options?.applicationServerKey;
    if (!used || base64url(used) === key.replace(/=+$/, "")) return subscription;
    await subscription.unsubscribe();
    return null;
}

function base64url(bytes) {
    return btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function subscribe(push, key) {
    return push.subscribe({ userVisibleOnly: true, applicationServerKey: key });
}

/** Registers this browser with the server. @returns {Promise<"on" | "denied" | "unavailable">} */
export async function startPush(parley) {
    const [push, key] = [await manager(), await serverKey(parley)];
    if (!push || !key) return "unavailable";
    if (await Notification.requestPermission() !== "granted") return "denied";
    await register(parley, await subscriptionOf(push, key) ?? await subscribe(push, key));
    return "on";
}

/**
 * Says again where this browser is reached, as an app does at its start: a browser may have moved, or the server have
 * another key. What another user has agreed to ends: neither is told of the other's messages.
 */
export async function renewPush(parley) {
    const push = await manager();
    const subscription = await push?.getSubscription();
    if (!subscription) return;
    if (!deviceOf(parley)) return void await leave(subscription);
    const key = await serverKey(parley);
    if (key) await register(parley, await subscriptionOf(push, key) ?? await subscribe(push, key));
}

async function leave(subscription) {
    localStorage.removeItem(DEVICE);
    localStorage.removeItem(USER);
    await subscription?.unsubscribe();
}

/** Takes this browser away. Also without an answer of the server: who signs out is told of no message any more. */
export async function endPush(parley) {
    const device = deviceOf(parley);
    await leave(await (await manager())?.getSubscription());
    if (device) await parley.api.remove_device({ device_id: device }).catch(() => {});
}

/**
 * Shows a notification for messages that arrive while no window of the page is looked at; one tab alone does it.
 * @param {import("../src/parley.d.ts").Parley} parley
 * @param {(id: string) => void} open called with the conversation when it is clicked
 */
export function notifyWhileHidden(parley, open) {
    return parley.on("message", ({ message, conversation, notify }) => {
        // a browser that is pushed to has been told
        if (!notify || !document.hidden || deviceOf(parley) || typeof Notification === "undefined" || Notification.permission !== "granted") return;
        const title = titleOf(conversation, parley.userId);
        const sender = conversation?.type === "direct" ? "" : `${nameOf(conversation, parley.userId, message.sender_id)}: `;
        const note = new Notification(title, { body: sender + preview(message), tag: message.conversation_id });
        note.onclick = () => {
            focus();
            note.close();
            open(message.conversation_id);
        };
    });
}
