// Frames of the Phoenix protocol 2.0.0 as Supabase Realtime speaks it: JSON arrays, and binary frames for broadcasts.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const PUSH = 3;
const BROADCAST = 4;
const JSON_PAYLOAD = 1;

/** A frame to send: text, or for a broadcast whose names fit into it a binary one. */
export function encode({ joinRef, ref, topic, event, payload }) {
    if (event === "broadcast") {
        const names = [joinRef ?? "", ref ?? "", topic, payload.event, ""].map((name) => encoder.encode(name));
        if (names.every((name) => name.length < 256)) return binary(names, encoder.encode(JSON.stringify(payload.payload)));
    }
    return JSON.stringify([joinRef, ref, topic, event, payload]);
}

function binary(names, payload) {
    const head = [PUSH, ...names.map((name) => name.length), JSON_PAYLOAD];
    return Uint8Array.from([head, ...names, payload].flatMap((part) => [...part]));
}

/** A frame that came: {joinRef, ref, topic, event, payload}; null if it cannot be read. */
export function decode(data) {
    try {
        if (typeof data === "string") {
            const [joinRef, ref, topic, event, payload] = JSON.parse(data);
            return { joinRef, ref, topic, event, payload };
        }
        const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
        if (bytes[0] !== BROADCAST) return null;
        let at = 5;
        const take = (length) => decoder.decode(bytes.subarray(at, (at += length)));
        const topic = take(bytes[1]);
        const event = take(bytes[2]);
        // what the server says about it
        take(bytes[3]);
        const rest = bytes.subarray(at);
        const payload = bytes[4] === JSON_PAYLOAD ? JSON.parse(decoder.decode(rest)) : rest;
        return { joinRef: null, ref: null, topic, event: "broadcast", payload: { event, payload } };
    } catch {
        return null;
    }
}
