// A client with everything around it in the test's hand.
import { createParley } from "../src/parley.js";
// what is loaded when it is needed comes from a disk, for which no test of the clock waits
import "../src/change.js";
import "../src/repair.js";
import { FakeClock, FakeStorage, ME, OTHER, ROOM, fakeServer, fakeSockets, history, message, page, row, tokenOf, turns } from "./fakes.mjs";

/** functions: what the server answers beside the defaults, by name. */
export function world({ functions = {}, messages = [], rows = [row()], storage = new FakeStorage(), sockets = fakeSockets(), ...options } = {}) {
    const clock = options.clock ?? new FakeClock();
    const state = { rows, messages, seq: messages.at(-1)?.seq ?? 0, stored: new Map() };
    const server = fakeServer({
        sync: () => page(state.rows),
        get_conversation_messages: (args) => history(state.messages, args),
        mark_as_read: () => ({}),
        mark_as_delivered: () => ({}),
        save_draft: ({ content }) => (content ? { content, reply_to_id: null, metadata: {}, updated_at: "now" } : null),
        // as the server does: the same id answers the first message
        send_message: (args) => {
            const known = state.stored.get(args.client_message_id);
            if (known) return known;
            state.seq += 1;
            const stored = message(state.seq, { ...args, id: `message-${state.seq}`, sender_id: ME });
            state.stored.set(args.client_message_id, stored);
            state.messages.push(stored);
            return stored;
        },
        ...functions,
    });
    const tokens = { given: [], next: () => tokenOf(ME, 3600, clock.now()) };
    const make = (more = {}) => createParley({
        url: "http://server", token: async () => (tokens.given.push(await tokens.next()), tokens.given.at(-1)),
        WebSocket: sockets.WebSocket, fetch: server.fetch, clock, storage, locks: null, channel: null, random: () => 0.5, deviceId: "device",
        ...options, ...more,
    });
    return { clock, server, storage, sockets, state, tokens, make, parley: make() };
}

/** A client that is live, with a window on its one conversation. */
export async function open(options = {}) {
    const all = world(options);
    await all.parley.start();
    await turns(60);
    const view = all.parley.messages(ROOM, { live: false, ...options.window });
    await turns(60);
    const topic = `realtime:user:${ME}`;
    const live = async (event, payload, id) => {
        all.sockets.last.broadcast(topic, event, { conversation_id: ROOM, actor_id: OTHER, at: "2026-01-01T00:00:02+00:00", ...payload }, id);
        await turns();
    };
    return { ...all, view, topic, live, shown: () => view.getSnapshot().messages };
}

export const contents = (messages) => messages.map(({ content }) => content);
