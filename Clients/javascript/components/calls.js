// Calling and being called, by the calls of the client: a button, and a bar while there is one.
import { h, icon, iconButton } from "./dom.js";
import { titleOf } from "./people.js";
import { t } from "./strings.js";

const possible = () => typeof RTCPeerConnection === "function" && Boolean(navigator.mediaDevices);

/** Enters a call with the microphone, which is let go when the user is in no call any more, or does not get into this one. */
async function speak(calls, enter) {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    let end;
    const release = () => {
        if (calls.getSnapshot().current) return;
        end();
        for (const track of stream.getTracks()) track.stop();
    };
    try {
        await enter(stream);
    } finally {
        end = calls.subscribe(release);
        release();
    }
}

/** @param {any} thread the component */
export function callButton(thread) {
    const { calls } = thread.parley;
    if (!possible() || !calls) return null;
    return iconButton("call", t("call"), () => thread.attempt(speak(calls, (stream) => calls.start(thread.conversation, { kind: "voice", stream }))));
}

/** @param {any} thread the component */
export function callBar(thread) {
    const { calls } = thread.parley;
    const bar = h("div", { class: "call", role: "status", hidden: true });
    const sound = h("div", { hidden: true });
    if (!calls) return bar;
    thread.follow("calls", calls, ({ incoming, current, streams }) => {
        const ringing = incoming.find((call) => call.conversation_id === thread.conversation);
        const mine = current?.conversation_id === thread.conversation ? current : null;
        bar.hidden = !ringing && !mine;
        sound.replaceChildren(...Object.values(streams ?? {}).map((stream) => h("audio", { autoplay: true, ".srcObject": stream })));
        if (mine) {
            bar.replaceChildren(icon("call"), h("span", {}, t(mine.state === "ringing" ? "callRinging" : "callNow")),
                h("button", { type: "button", class: "button danger", onclick: () => thread.attempt(calls.hangUp()) }, t("hangUp")), sound);
        } else if (ringing) {
            bar.replaceChildren(icon("call"), h("span", { dir: "auto" }, t("callIncoming", { name: titleOf(thread.data, thread.parley.userId) })),
                h("button", { type: "button", class: "button", onclick: () => thread.attempt(calls.decline(ringing.id)) }, t("decline")),
                h("button", { type: "button", class: "button primary", onclick: () => thread.attempt(speak(calls, (stream) => calls.accept(ringing.id, { stream }))) }, t("answer")));
        }
    });
    return bar;
}
