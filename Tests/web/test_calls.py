"""Two windows call each other: real peer connections with a made-up microphone, signalled through the worker."""

from __future__ import annotations

from test_talk import enter

# Every peer connection and microphone track of the page, to look into.
WATCH = """
window.peers = []; window.tracks = [];
window.RTCPeerConnection = class extends RTCPeerConnection { constructor(...given) { super(...given); peers.push(this); } };
const { mediaDevices } = navigator, get = mediaDevices?.getUserMedia.bind(mediaDevices);
if (get) mediaDevices.getUserMedia = async (wanted) => { const stream = await get(wanted); tracks.push(...stream.getTracks()); return stream; };
"""
HEARD = """
(async () => { for (const entry of (await peers.at(-1).getStats()).values()) if (entry.type === "inbound-rtp" && entry.packetsReceived > 20 && entry.totalAudioEnergy > 0) return entry.packetsReceived; })()
"""
BAR = "$('parley-thread', '.call')"
PRESS = f"[...{BAR}.querySelectorAll('button')].find((one) => one.textContent === args[0])?.click()"


def watched(browser, worker, person, talk):
    browser.preload(WATCH)
    handle = browser.handle
    enter(browser, worker, person, talk)
    return handle


def test_a_call_is_offered_answered_heard_and_ended(browser, worker, people, talk):
    alice, bob = people
    bobs = watched(browser, worker, bob, talk)
    browser.tab("about:blank")
    alices = watched(browser, worker, alice, talk)
    browser.js("$('parley-thread', 'button[aria-label=Call]').click()")
    browser.until(f"!{BAR}.hidden && {BAR}.textContent.includes('Hang up')")

    browser.switch(bobs)
    browser.until(f"{BAR} && !{BAR}.hidden && {BAR}.textContent.includes('Alice')")
    browser.js(f"({PRESS}, true)", "Answer")
    for window in (bobs, alices):
        browser.switch(window)
        browser.until("parley.calls.getSnapshot().media === 'connected'", seconds=30)
        assert browser.until(HEARD, seconds=20) > 20
        assert browser.js(f"{BAR}.querySelector('audio').srcObject.getAudioTracks()[0].readyState") == "live"
        assert browser.js("peers.length") == 1

    browser.js(f"({PRESS}, true)", "Hang up")
    for window in (alices, bobs):
        browser.switch(window)
        browser.until(f"{BAR}.hidden && parley.calls.getSnapshot().current === null")
        # Nobody listens any more.
        browser.until("tracks.length === 1 && tracks[0].readyState === 'ended' && peers[0].connectionState === 'closed'")


def test_a_call_that_is_declined_ends_on_both_sides(browser, worker, people, talk):
    alice, bob = people
    bobs = watched(browser, worker, bob, talk)
    browser.tab("about:blank")
    alices = watched(browser, worker, alice, talk)
    browser.js("$('parley-thread', 'button[aria-label=Call]').click()")
    browser.switch(bobs)
    browser.until(f"{BAR} && !{BAR}.hidden")
    browser.js(f"({PRESS}, true)", "Decline")
    for window in (bobs, alices):
        browser.switch(window)
        browser.until(f"{BAR}.hidden && parley.calls.getSnapshot().current === null")
    browser.until("tracks.length === 1 && tracks[0].readyState === 'ended'")
