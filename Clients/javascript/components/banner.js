// The line that tells when the client is not connected.
import { h, say } from "./dom.js";
import { t } from "./strings.js";

/** @param {import("./element.js").ParleyElement} element */
export function connectionBanner(element) {
    const text = h("span", {});
    const again = h("button", { type: "button", onclick: () => element.parley.reconnect() }, t("connectNow"));
    const banner = h("div", { class: "banner", part: "banner", role: "status", hidden: true }, text, again);
    let timer;
    let grace;
    const show = () => {
        const { status, retryAt, persistent } = element.parley.connection.getSnapshot();
        clearTimeout(timer);
        const left = retryAt ? Math.max(0, Math.ceil((retryAt - Date.now()) / 1000)) : 0;
        again.hidden = status !== "offline";
        if (status === "offline") say(text, t("offline") + (left > 1 ? " " + t("retryIn", { count: left }) : ""));
        else if (status === "signed-out") say(text, t("signedOut"));
        else if (status === "connecting") say(text, t("connecting"));
        else if (!persistent) say(text, t("notPersistent"));
        banner.hidden = status === "closed" || (status === "online" && persistent);
        if (status === "offline" && left > 0) timer = setTimeout(show, 1000);
    };
    element.follow("banner", element.parley.connection, ({ status }) => {
        clearTimeout(grace);
        // A connection that comes at once is not worth a word.
        if (status === "connecting") grace = setTimeout(show, 1500);
        else show();
    });
    element.atEnd(() => (clearTimeout(timer), clearTimeout(grace)));
    return banner;
}
