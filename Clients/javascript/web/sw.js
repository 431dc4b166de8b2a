// Shows what a push says while no page is open, and opens the conversation when it is clicked. Pushes are declarative
// (`web_push: 8030`): browsers that know this form show them without this script as well.

self.addEventListener("push", (event) => event.waitUntil(show(event.data)));
self.addEventListener("notificationclick", (event) => {
    event.notification.close();
    event.waitUntil(open(event.notification.data?.conversation_id));
});

const pages = () => self.clients.matchAll({ type: "window", includeUncontrolled: true });

async function show(sent) {
    const { notification = {}, app_badge: badge } = read(sent);
    if (badge !== undefined) await Promise.resolve(badge ? navigator.setAppBadge?.(badge) : navigator.clearAppBadge?.()).catch(() => {});
    // Whoever looks at the page sees the message there.
    if ((await pages()).some((page) => page.visibilityState === "visible" && page.focused)) return;
    const { title = "New message", body = "", tag, silent = false, data } = notification;
    await self.registration.showNotification(String(title), { body: String(body), tag, silent, data });
}

// A browser that shows nothing for a push may take the permission away: whatever came, something is shown.
function read(sent) {
    try {
        return sent?.json() ?? {};
    } catch {
        return { notification: { body: sent.text() } };
    }
}

async function open(conversation) {
    const [page] = await pages();
    if (!page) return self.clients.openWindow(conversation ? `/#c=${encodeURIComponent(conversation)}` : "/");
    if (conversation) page.postMessage({ conversation_id: conversation });
    return page.focus();
}
