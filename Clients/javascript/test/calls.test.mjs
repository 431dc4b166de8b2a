// Calls between two devices, over a server in a few lines and peer connections without media.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, ME, OTHER, ROOM, turns } from "./fakes.mjs";
import { LateCalls } from "../src/late.js";

class FakePeer {
    static all = [];
    signalingState = "stable";
    connectionState = "new";
    senders = [];
    constructor(settings) {
        this.settings = settings;
        FakePeer.all.push(this);
    }
    getSenders() {
        return this.senders;
    }
    addTrack(track) {
        this.senders.push(track);
        this.#negotiate();
    }
    removeTrack(track) {
        this.senders = this.senders.filter((other) => other !== track);
    }
    #negotiate() {
        setImmediate(() => this.signalingState === "stable" && !this.closed && this.onnegotiationneeded?.());
    }
    async setLocalDescription() {
        const answers = this.signalingState === "have-remote-offer";
        this.localDescription = { type: answers ? "answer" : "offer", sdp: `sdp ${this.senders.length}` };
        this.signalingState = answers ? "stable" : "have-local-offer";
        if (answers) this.#connected();
    }
    async setRemoteDescription({ type }) {
        if (type === "answer" && this.signalingState !== "have-local-offer") throw new Error(`an answer while ${this.signalingState}`);
        this.signalingState = type === "offer" ? "have-remote-offer" : "stable";
        this.remote = type;
        if (type === "answer") this.#connected();
    }
    #connected() {
        this.set("connected");
        this.ontrack?.({ streams: ["stream of the other"] });
    }
    set(state) {
        this.connectionState = state;
        this.onconnectionstatechange?.();
    }
    candidates = [];
    async addIceCandidate(candidate) {
        if (!this.remote) throw new Error("a candidate before a description");
        this.candidates.push(candidate);
    }
    restartIce() {
        this.restarted = true;
    }
    close() {
        this.closed = true;
    }
}

const stream = (...tracks) => ({ getTracks: () => tracks });

/** Two devices and what the server does for them. */
function world() {
    FakePeer.all = [];
    const clock = new FakeClock();
    const devices = {};
    const log = [];
    let signals = 0;
    let call = null;
    const now = () => new Date(clock.now() + log.length).toISOString();
    const tellAll = (event, more = {}) => {
        for (const user of Object.keys(devices)) devices[user].hear(event, { conversation_id: ROOM, call_id: call.id, call: structuredClone(call), ...more });
    };
    const change = (user, state, more = {}) => {
        call = { ...call, participants: call.participants.map((p) => (p.user_id === user ? { ...p, state, ...more } : p)) };
    };
    const functions = {
        start_call: (user, { device_id: device }) => {
            call = {
                id: "call", conversation_id: ROOM, kind: "voice", state: "ringing", outcome: null, initiator_id: user,
                participants: [{ user_id: user, state: "accepted", device_id: device, joined_at: now() }, { user_id: user === ME ? OTHER : ME, state: "ringing", device_id: null, joined_at: null }],
            };
            tellAll("call:ring");
            return structuredClone(call);
        },
        accept_call: (user, { device_id: device }) => {
            clock.tick(0);
            log.push("accept");
            change(user, "accepted", { device_id: device, joined_at: now() });
            call.state = "active";
            tellAll("call:accepted", { user_id: user });
            return structuredClone(call);
        },
        decline_call: (user) => {
            change(user, "declined");
            call.state = "ended";
            tellAll("call:ended");
            return structuredClone(call);
        },
        end_call: (user, { failed }) => {
            call = { ...call, state: "ended", outcome: failed ? "failed" : "completed" };
            tellAll("call:ended");
            return structuredClone(call);
        },
        get_turn_credentials: () => ({ ice_servers: [{ urls: "turn:x" }] }),
        signal_call: (user, { to_user_id: to, to_device_id: device, kind, payload }) => {
            signals += 1;
            log.push(`${user === ME ? "me" : "other"} ${kind} ${payload.type ?? payload.candidates.length}`);
            const event = { conversation_id: ROOM, call_id: "call", signal_id: signals, from_user_id: user, to_device_id: device, payload };
            setImmediate(() => {
                devices[to].hear(`call:${kind}`, event);
                // the log may bring it again
                devices[to].hear(`call:${kind}`, event);
            });
            return {};
        },
    };
    const device = (user) => (devices[user] = new LateCalls({
        clock, RTCPeerConnection: FakePeer, newId: () => "id", userId: () => user, deviceId: () => `device of ${user}`,
        rpc: async (name, args) => functions[name](user, args), within: (work) => work(),
    }));
    return { clock, log, functions, me: device(ME), other: device(OTHER), get call() { return call; } };
}

async function connected() {
    const all = world();
    const { me, other } = all;
    await me.store.start(ROOM, { stream: stream("a") });
    await turns();
    await other.store.accept("call", { stream: stream("b") });
    await turns(80);
    return all;
}

test("a call rings at the other, is accepted, and the one who was there first offers", async () => {
    const { me, other, log } = world();
    await me.store.start(ROOM, { stream: stream("a") });
    await turns();
    assert.deepEqual(other.store.getSnapshot().incoming.map(({ id }) => id), ["call"]);
    assert.deepEqual(me.store.getSnapshot().incoming, []);
    await other.store.accept("call", { stream: stream("b") });
    await turns(80);
    assert.deepEqual(log.slice(0, 3), ["accept", "me offer offer", "other answer answer"]);
    for (const side of [me, other]) {
        const { incoming, current, media, streams } = side.store.getSnapshot();
        assert.deepEqual([incoming.length, current.id, media, Object.values(streams)], [0, "call", "connected", ["stream of the other"]]);
    }
    assert.deepEqual(FakePeer.all[0].settings, { iceServers: [{ urls: "turn:x" }] });
    assert.equal(FakePeer.all.length, 2, "what comes twice is done once");
});

test("when both offer at once the polite one steps back, and both end in agreement", async () => {
    const { me, other, log } = await connected();
    const before = log.length;
    me.store.setStream(stream("a", "video"));
    other.store.setStream(stream("b", "video"));
    await turns(120);
    assert.deepEqual(FakePeer.all.map((peer) => peer.signalingState), ["stable", "stable"]);
    assert.ok(log.slice(before).includes("me renegotiate offer") && log.slice(before).includes("other renegotiate offer"), log.join());
    assert.deepEqual([me, other].map((side) => side.store.getSnapshot().media), ["connected", "connected"]);
});

test("candidates go several at a time, and those of an offer that was passed over are no error", async () => {
    const { clock, log } = await connected();
    for (let n = 0; n < 5; n++) FakePeer.all[0].onicecandidate({ candidate: { candidate: `c${n}` } });
    FakePeer.all[0].onicecandidate({ candidate: null });
    await clock.tick(150);
    await turns();
    assert.ok(log.includes("me ice 5"));
    assert.equal(FakePeer.all[1].candidates.length, 5);
});

test("declining and hanging up end the call on both sides", async () => {
    const { me, other } = world();
    await me.store.start(ROOM, {});
    await turns();
    await other.store.decline("call");
    await turns();
    assert.deepEqual([me, other].map((side) => [side.store.getSnapshot().current, side.store.getSnapshot().incoming.length]), [[null, 0], [null, 0]]);
    const second = await connected();
    await second.other.store.hangUp();
    await turns();
    assert.equal(second.me.store.getSnapshot().current, null);
    assert.ok(FakePeer.all.every((peer) => peer.closed));
});

test("a connection that fails is restarted, and hung up as failed if that does not help", async () => {
    const all = await connected();
    FakePeer.all[0].set("failed");
    assert.equal(FakePeer.all[0].restarted, true);
    assert.equal(all.me.store.getSnapshot().media, "failed");
    await all.clock.tick(10_100);
    await turns();
    assert.equal(all.call.outcome, "failed");
    assert.equal(all.other.store.getSnapshot().current, null);
});

test("a call that was answered on another device of the user stops ringing here", async () => {
    const { me, other, call } = world();
    await me.store.start(ROOM, {});
    await turns();
    const now = structuredClone(other.store.getSnapshot().incoming[0]);
    now.participants[1] = { ...now.participants[1], state: "accepted", device_id: "another", joined_at: now.participants[0].joined_at };
    other.hear("call:answered_elsewhere", { call_id: "call", device_id: "another", call: now });
    await turns();
    assert.deepEqual(other.store.getSnapshot().incoming, []);
    assert.equal(other.store.getSnapshot().current, null);
    assert.equal(call, null);
});

test("an event that shows a call as it was before it was accepted does not end it", async () => {
    const { me, other, call } = await connected();
    const before = structuredClone(call);
    before.participants[1] = { ...before.participants[1], state: "ringing", device_id: null, joined_at: null };
    other.hear("call:accepted", { call_id: "call", call: before });
    await turns();
    assert.deepEqual(other.store.getSnapshot().incoming, []);
    assert.equal(other.store.getSnapshot().media, "connected");
    await me.store.hangUp();
});

test("an offer that comes before the answer to accepting waits for it", async () => {
    const { me, other, functions } = world();
    await me.store.start(ROOM, { stream: stream("a") });
    await turns();
    const accept = functions.accept_call;
    let answer;
    functions.accept_call = (...given) => {
        const call = accept(...given);
        return new Promise((resolve) => (answer = () => resolve(call)));
    };
    const accepted = other.store.accept("call", { stream: stream("b") });
    await turns();
    answer();
    await accepted;
    await turns();
    assert.deepEqual([me, other].map((one) => one.store.getSnapshot().media), ["connected", "connected"]);
    await me.store.hangUp();
});

test("of calls that are over nothing is loaded and nothing rings", async () => {
    const { me } = world();
    me.hear("call:ended", { call_id: "old", call: { id: "old", state: "ended", participants: [] } });
    me.hear("call:offer", { call_id: "old", signal_id: 1, payload: null });
    await turns();
    assert.deepEqual(me.store.getSnapshot(), { incoming: [], current: null, streams: {}, media: "none" });
});

test("a client that is stopped shows no call any more, nor one that rings in that moment", async () => {
    const { me, other } = world();
    const nothing = { incoming: [], current: null, streams: {}, media: "none" };
    await me.store.start(ROOM);
    await turns();
    assert.equal(other.store.getSnapshot().incoming.length, 1);
    other.stop();
    assert.deepEqual(other.store.getSnapshot(), nothing);
    const again = world();
    await again.me.store.start(ROOM);
    again.other.stop();
    await turns();
    assert.deepEqual(again.other.store.getSnapshot(), nothing);
    await assert.rejects(again.other.store.accept("call"), { code: "aborted" });
});
