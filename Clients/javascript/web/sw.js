// Shows what a push says while no page is open, and opens the conversation when it is clicked.

self.addEventListener("push", (event) => {
    let data = {};
    try {
        data = event.data?.json() ?? {};
    } catch {
        data = { body: event.data?.text() };
    }
    const said = { ...data, ...data.notification };
    const { title = "New message", body = "", conversation_id = said.data?.conversation_id, tag = conversation_id } = said;
    event.waitUntil(self.clients.matchAll({ type: "window", includeUncontrolled: true }).then((pages) => {
        // Whoever looks at the page sees the message there.
        if (pages.some((page) => page.visibilityState === "visible" && page.focused)) return undefined;
        return self.registration.showNotification(String(title), { body: String(body), tag, data: { conversation_id } });
    }));
});

self.addEventListener("notificationclick", (event) => {
    event.notification.close();
    const { conversation_id } = event.notification.data ?? {};
    event.waitUntil(self.clients.matchAll({ type: "window", includeUncontrolled: true }).then(async (pages) => {
        const page = pages[0];
        if (!page) return self.clients.openWindow(conversation_id ? `/#c=${encodeURIComponent(conversation_id)}` : "/");
        page.postMessage({ conversation_id });
        return page.focus();
    }));
});
