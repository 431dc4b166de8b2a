// Notifications: Web Push where the server offers it, and the notification of an open page.
import { nameOf, titleOf } from "./people.js";
import { preview } from "./preview.js";

/** Where the script is that receives pushes; set by the page that has one. */
let worker = null;

/** @param {ServiceWorkerRegistration | Promise<ServiceWorkerRegistration>} registration */
export function usePushWorker(registration) {
    worker = registration;
}

/** Keys by the client that was asked; null: the server offers no Web Push. */
const keys = new WeakMap();
async function serverKey(parley) {
    if (!keys.has(parley)) {
        keys.set(parley, parley.api.get_web_push_key().then((answer) => answer?.public_key ?? answer?.key ?? (typeof answer === "string" ? answer : null), () => null));
    }
    return keys.get(parley);
}

/** @returns {Promise<"on" | "off" | "denied" | "unavailable">} */
export async function pushState(parley) {
    const registration = worker && await Promise.resolve(worker).catch(() => null);
    if (!registration?.pushManager || typeof Notification === "undefined" || !await serverKey(parley)) return "unavailable";
    if (Notification.permission === "denied") return "denied";
    return await registration.pushManager.getSubscription() ? "on" : "off";
}

const DEVICE = "parley-push-device";

/** Registers this browser with the server, or takes it away. @returns {Promise<"on" | "off" | "denied" | "unavailable">} */
export async function switchPush(parley, on) {
    const state = await pushState(parley);
    if (on && state === "unavailable") return state;
    const registration = await Promise.resolve(worker).catch(() => null);
    const subscription = await registration?.pushManager?.getSubscription();
    if (!on) {
        // Also without an answer of the server: who signs out offline is not told of messages any more.
        const device = localStorage.getItem(DEVICE);
        if (device) await parley.api.remove_device({ device_id: device }).catch(() => {});
        localStorage.removeItem(DEVICE);
        await subscription?.unsubscribe();
        return state === "unavailable" ? state : "off";
    }
    if (await Notification.requestPermission() !== "granted") return "denied";
    const made = subscription ?? await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: await serverKey(parley) });
    const { endpoint, keys: secrets } = made.toJSON();
    const device = await parley.api.register_device({
        provider: "webpush", app_id: location.origin, token: endpoint, keys: secrets, locale: navigator.language, name: navigator.userAgent.slice(0, 100),
    });
    localStorage.setItem(DEVICE, device.id ?? device.device_id ?? "");
    return "on";
}

/**
 * Shows a notification for messages that arrive while no window of the page is looked at; one tab alone does it.
 * @param {import("../src/parley.d.ts").Parley} parley
 * @param {(id: string) => void} open called with the conversation when it is clicked
 */
export function notifyWhileHidden(parley, open) {
    return parley.on("message", ({ message, conversation, notify }) => {
        if (!notify || !document.hidden || typeof Notification === "undefined" || Notification.permission !== "granted") return;
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
