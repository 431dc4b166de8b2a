// The Phoenix client: frames, reconnecting, tokens.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "../src/frames.js";
import { backoff } from "../src/base.js";
import { ME, fakeSockets, tokenOf, turns } from "./fakes.mjs";
import { open, world } from "./setup.mjs";

function binaryBroadcast(topic, event, meta, payload, encoding = 1) {
    const parts = [topic, event, meta].map((text) => Buffer.from(text));
    return Buffer.concat([Buffer.from([4, ...parts.map((part) => part.length), encoding]), ...parts, Buffer.from(payload)]);
}

test("a binary broadcast is read, from a buffer and from a part of one", () => {
    const bytes = binaryBroadcast("realtime:user:é", "message:new", '{"id":"1"}', '{"a":"ü"}');
    const wanted = {
        joinRef: null, ref: null, topic: "realtime:user:é", event: "broadcast",
        payload: { event: "message:new", payload: { a: "ü" } },
    };
    assert.deepEqual(decode(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)), wanted);
    assert.deepEqual(decode(Buffer.concat([Buffer.from([0, 0]), bytes]).subarray(2)), wanted);
});

test("a binary broadcast of bytes keeps them, also without meta", () => {
    const { payload } = decode(binaryBroadcast("t", "e", "", Uint8Array.from([1, 2]), 0));
    assert.deepEqual([...payload.payload], [1, 2]);
});

test("a frame that cannot be read is passed over", () => {
    for (const frame of ["", "{", "5", Uint8Array.from([9, 1, 1]), Uint8Array.from([4, 200, 1, 1, 1]), new Uint8Array(0)]) {
        assert.ok(!decode(frame)?.payload, String(frame));
    }
});

test("a broadcast is pushed as a binary frame, and as text where a name is too long for one", () => {
    const frame = { joinRef: "1", ref: "2", topic: "realtime:conversation:x", event: "broadcast", payload: { type: "broadcast", event: "message:send", payload: { content: "ü" } } };
    const bytes = Buffer.from(encode(frame));
    assert.deepEqual([...bytes.subarray(0, 7)], [3, 1, 1, 23, 12, 0, 1]);
    assert.equal(bytes.subarray(7).toString(), '12realtime:conversation:xmessage:send{"content":"ü"}');
    const long = { ...frame, topic: `realtime:${"x".repeat(300)}` };
    assert.deepEqual(JSON.parse(encode(long)), ["1", "2", long.topic, "broadcast", frame.payload]);
});

test("the waits are 1, 2, 4, 8, 16 and 30 s, a fifth more or less", () => {
    assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 99].map((n) => backoff(n, () => 0.5)), [1, 2, 4, 8, 16, 30, 30, 30]);
    assert.equal(backoff(3, () => 0), 6.4);
    assert.ok(backoff(3, () => 0.999) < 9.6);
});

test("a lost connection is tried again after 1, 2, 4, 8, 16, 30 s, and the banner says when", async () => {
    const sockets = fakeSockets({ autoOpen: false });
    const { parley, clock } = world({ sockets });
    await parley.start();
    await turns();
    for (const wait of [1, 2, 4, 8, 16, 30, 30]) {
        const before = sockets.all.length;
        sockets.last.drop();
        await turns();
        const { status, retryAt } = parley.connection.getSnapshot();
        assert.deepEqual([status, Math.round((retryAt - clock.now()) / 1000)], ["offline", wait]);
        await clock.tick(wait * 1000 - 100);
        assert.equal(sockets.all.length, before, `too early after ${wait} s`);
        await clock.tick(200);
        assert.equal(sockets.all.length, before + 1, `no try after ${wait} s`);
    }
    await parley.stop();
});

test("reconnect() does not wait, and after a live connection the waits begin anew", async () => {
    const { parley, clock, sockets } = await open();
    sockets.last.drop();
    await turns();
    parley.reconnect();
    await turns();
    assert.equal(parley.connection.getSnapshot().status, "online");
    await clock.tick(5_100);
    sockets.last.drop();
    await turns();
    assert.equal(Math.round((parley.connection.getSnapshot().retryAt - clock.now()) / 1000), 1);
    await parley.stop();
});

test("a server that closes each connection as soon as it is live is asked ever less often", async () => {
    const { parley, clock, sockets } = await open();
    const before = sockets.all.length;
    for (let second = 0; second < 60; second++) {
        if (!sockets.last.closed && sockets.last.of("phx_join").length) sockets.last.drop(1008);
        await clock.tick(1_000);
    }
    assert.ok(sockets.all.length - before <= 6, `${sockets.all.length - before} connections in a minute`);
    await parley.stop();
});

test("a server that answers no heartbeat is left, and one whose frames come late is not", async () => {
    const { parley, clock, sockets, live } = await open();
    const first = sockets.last;
    first.beats = false;
    await clock.tick(26_000);
    await live("message:delivered", { event_seq: 2, user_id: ME, last_delivered_seq: 0 });
    await clock.tick(10_000);
    assert.equal(first.closed, undefined, "any frame is a sign of life");
    await clock.tick(36_000);
    assert.equal(first.closed, true);
    assert.notEqual(sockets.last, first);
    await parley.stop();
});

test("a token is renewed before it expires, and the channels are given the new one", async () => {
    const { parley, clock, sockets, tokens } = await open();
    assert.equal(tokens.given.length, 1);
    await clock.tick(3_600_000 - 61_000);
    assert.equal(tokens.given.length, 1);
    await clock.tick(2_000);
    assert.equal(tokens.given.length, 2);
    assert.ok(sockets.last.of("access_token").some((frame) => frame[4].access_token === tokens.given[1]));
    await parley.stop();
});

test("a refused token is renewed once, and the user is signed out if the next is refused as well", async () => {
    const sockets = fakeSockets({ autoJoin: false });
    const { parley, tokens } = world({ sockets });
    const out = [];
    parley.on("signed-out", ({ reason }) => out.push(reason));
    await parley.start();
    await turns();
    const refuse = async () => {
        const [joinRef, ref, topic] = sockets.last.of("phx_join").at(-1);
        sockets.last.receive([joinRef, ref, topic, "phx_reply", { status: "error", response: { reason: "InvalidJWTToken: Token has expired 5 seconds ago" } }]);
        await turns();
    };
    await refuse();
    assert.equal(tokens.given.length, 2);
    assert.equal(sockets.last.of("phx_join").length, 2);
    assert.deepEqual(out, []);
    await refuse();
    assert.equal(out.length, 1);
    assert.equal(parley.connection.getSnapshot().status, "signed-out");
    await parley.stop();
});

test("a channel that ends because its token expired is joined again with a new one", async () => {
    const { parley, sockets, topic, tokens } = await open();
    const [joinRef] = sockets.last.of("phx_join")[0];
    sockets.last.receive([null, null, topic, "system", { status: "error", message: "Token has expired 1 seconds ago", extension: "system" }]);
    sockets.last.receive([joinRef, joinRef, topic, "phx_close", {}]);
    await turns();
    assert.equal(sockets.last.of("phx_join").filter((frame) => frame[2] === topic).length, 2);
    assert.equal(tokens.given.length, 2);
    assert.equal(parley.connection.getSnapshot().status, "online");
    await parley.stop();
});

test("an answer of 401 is tried once more with a new token", async () => {
    let refusals = 1;
    const { parley, server, tokens } = await open({
        functions: { get_privacy: () => { if (refusals-- > 0) throw { status: 401, code: "PGRST301", message: "JWT expired" }; return { ok: true }; } },
    });
    assert.deepEqual(await parley.api.get_privacy(), { ok: true });
    assert.equal(tokens.given.length, 2);
    assert.equal(server.calls.at(-1).token, tokens.given[1]);
    await parley.stop();
});

test("a token of another user ends the client and shows nothing more of the first", async () => {
    const { parley, tokens, clock } = await open();
    const out = [];
    parley.on("signed-out", ({ reason }) => out.push(reason));
    tokens.next = () => tokenOf("00000000-0000-4000-8000-0000000000ff");
    await clock.tick(3_600_000);
    assert.deepEqual(out, ["The token is of another user."]);
    assert.equal(parley.connection.getSnapshot().status, "closed");
    await parley.stop();
});

test("the socket's address holds the key of the gateway, and the token goes with the join", async () => {
    const { parley, sockets, tokens } = world({ apikey: "key of the gateway" });
    await parley.start();
    await turns(60);
    assert.equal(new URL(sockets.last.url).searchParams.get("apikey"), "key of the gateway");
    assert.ok(!sockets.last.url.includes(tokens.given[0]));
    assert.deepEqual(sockets.last.of("phx_join").map((frame) => frame[4].access_token), [tokens.given[0]]);
    await parley.stop();
});

test("a Supabase session not renewed offline is no sign-out, and its public key opens the socket", async () => {
    const token = tokenOf(ME);
    let offline = true;
    const supabase = { supabaseKey: "anon key", auth: {
        getSession: async () => (offline ? { data: { session: null }, error: new Error("Failed to fetch") } : { data: { session: { access_token: token } }, error: null }),
        onAuthStateChange: () => ({ data: { subscription: { unsubscribe() {} } } }),
    } };
    const { parley, sockets, clock } = world({ supabase, token: undefined });
    parley.start().catch(() => {});
    await clock.tick(500);
    assert.equal(parley.connection.getSnapshot().status, "offline");
    offline = false;
    await clock.tick(5_000);
    assert.equal(parley.connection.getSnapshot().status, "online");
    assert.equal(new URL(sockets.last.url).searchParams.get("apikey"), "anon key");
    await parley.stop();
});

test("the session of a Supabase client is used and followed: renewed, ended, begun again", async () => {
    let listener;
    let session = { access_token: tokenOf(ME) };
    const supabase = { auth: {
        getSession: async () => ({ data: { session } }),
        onAuthStateChange: (action) => {
            listener = action;
            return { data: { subscription: { unsubscribe: () => (listener = null) } } };
        },
    } };
    const { parley, sockets } = world({ supabase, token: undefined });
    listener("INITIAL_SESSION", session);
    await parley.start();
    await turns(60);
    assert.equal(parley.connection.getSnapshot().status, "online");
    session = { access_token: tokenOf(ME) };
    listener("TOKEN_REFRESHED", session);
    assert.equal(sockets.last.of("access_token").at(-1)[4].access_token, session.access_token);
    const out = [];
    parley.on("signed-out", ({ reason }) => out.push(reason));
    session = null;
    listener("SIGNED_OUT", null);
    await turns();
    assert.deepEqual([parley.connection.getSnapshot().status, sockets.last.closed, out.length], ["signed-out", true, 1]);
    session = { access_token: tokenOf(ME) };
    listener("SIGNED_IN", session);
    await turns(60);
    assert.equal(parley.connection.getSnapshot().status, "online");
    await parley.stop();
    assert.equal(listener, null);
});
