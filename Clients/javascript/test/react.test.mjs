// The hooks, over a stand-in for React that keeps its rules: effects after a render, cleaned up before the next, memos by
// their dependencies, and stores read by useSyncExternalStore.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ME, ROOM, message, row, turns } from "./fakes.mjs";
import { contents, open } from "./setup.mjs";

const stub = {};
globalThis.reactOfTheTest = stub;
const names = ["useCallback", "useEffect", "useMemo", "useRef", "useState", "useSyncExternalStore"];
const source = readFileSync(new URL("../src/react.js", import.meta.url), "utf8");
const react = source.replace(/import \{[^}]*\} from "react";/, `const { ${names.join(", ")} } = globalThis.reactOfTheTest;`);

/** Renders `component` until it is at rest, again when it asks for it; the last result, and how often. */
function mount(component) {
    const cells = [];
    let at = 0;
    let asked = false;
    let gone = false;
    const ask = () => {
        if (asked || gone) return;
        asked = true;
        setImmediate(() => !gone && render());
    };
    const changed = (a, b) => !a || a.length !== b.length || a.some((value, index) => !Object.is(value, b[index]));
    const slot = (make) => (cells[at++] ??= make());
    const own = {
        useState: (initial) => {
            const cell = slot(() => ({ value: initial }));
            return [cell.value, (value) => { if (!Object.is(value, cell.value)) { cell.value = value; ask(); } }];
        },
        useRef: (value) => slot(() => ({ current: value })),
        useMemo: (make, inputs) => {
            const cell = slot(() => ({}));
            if (changed(cell.inputs, inputs)) Object.assign(cell, { value: make(), inputs });
            return cell.value;
        },
        useCallback: (action, inputs) => own.useMemo(() => action, inputs),
        useEffect: (effect, inputs) => {
            const cell = slot(() => ({ effect: true }));
            if (changed(cell.inputs, inputs)) Object.assign(cell, { inputs, next: effect });
        },
        useSyncExternalStore: (subscribe, getSnapshot) => {
            const cell = slot(() => ({}));
            const value = getSnapshot();
            assert.equal(getSnapshot(), value, "a snapshot that is new each time renders for ever");
            if (cell.subscribe !== subscribe) {
                cell.cleanup?.();
                cell.subscribe = subscribe;
                cell.cleanup = subscribe(ask);
            }
            return value;
        },
    };
    const mounted = { renders: 0, props: null, unmount: () => { gone = true; for (const cell of cells) cell.cleanup?.(); } };
    function render() {
        asked = false;
        at = 0;
        Object.assign(stub, own);
        mounted.renders += 1;
        mounted.result = component(mounted.props);
        for (const cell of cells) {
            if (!cell.next) continue;
            cell.cleanup?.();
            cell.cleanup = cell.next();
            cell.next = null;
        }
    }
    mounted.render = (props) => { mounted.props = props; render(); };
    return mounted;
}

// the hooks ask the stand-in at each call
const late = react.replace(/const \{ [^}]* \} = globalThis.reactOfTheTest;/, names.map((name) => `const ${name} = (...args) => globalThis.reactOfTheTest.${name}(...args);`).join("\n"));
const hooks = await import(`data:text/javascript,${encodeURIComponent(late)}`);

test("useMessages opens a window, shows what arrives, marks it as read and closes it with the component", async () => {
    const { parley, live, clock, server } = await open({ messages: [message(1)], rows: [row({ last_seq: 1, unread_count: 1 })] });
    const thread = mount(({ id }) => hooks.useMessages(parley, id, { markRead: true, live: false }));
    thread.render({ id: ROOM });
    assert.deepEqual([thread.result.messages, thread.result.loading], [[], true]);
    await turns(60);
    assert.deepEqual(contents(thread.result.messages), ["text 1"]);
    await live("message:new", { event_seq: 2, message: message(2) });
    await turns();
    assert.deepEqual(contents(thread.result.messages), ["text 1", "text 2"]);
    await clock.tick(2_100);
    assert.deepEqual(server.of("mark_as_read"), [{ conversation_id: ROOM, seq: 2 }]);
    const { renders } = thread;
    thread.unmount();
    await live("message:new", { event_seq: 3, message: message(3) });
    await turns();
    assert.equal(thread.renders, renders);
    await parley.stop();
});

test("another conversation shows nothing of the one before", async () => {
    const { parley } = await open({ messages: [message(1)], rows: [row({ last_seq: 1 })] });
    const thread = mount(({ id }) => hooks.useMessages(parley, id, { live: false }));
    thread.render({ id: ROOM });
    await turns(60);
    thread.render({ id: "00000000-0000-4000-8000-00000000000f" });
    assert.deepEqual(contents(thread.result.messages), []);
    thread.unmount();
    await parley.stop();
});

test("the other hooks follow their stores, and render only for what they show", async () => {
    const { parley, live } = await open({ rows: [row()] });
    const all = mount(() => [
        hooks.useConversations(parley).conversations.length, hooks.useConversation(parley, ROOM).unread_count, hooks.useUnreadCount(parley).total,
        hooks.useUnreadCount(parley, ROOM), hooks.useTyping(parley, ROOM).users.length, hooks.useConnection(parley).status,
    ]);
    all.render();
    await turns();
    assert.deepEqual(all.result, [1, 0, 0, 0, 0, "online"]);
    const connection = mount(() => hooks.useConnection(parley).status);
    connection.render();
    await turns();
    const { renders } = connection;
    await live("message:new", { event_seq: 2, message: message(1) });
    await turns();
    assert.deepEqual(all.result, [1, 1, 1, 1, 0, "online"]);
    assert.equal(connection.renders, renders);
    for (const one of [all, connection]) one.unmount();
    await parley.stop();
});

test("useSendMessage sends, and is the same function from render to render", async () => {
    const { parley, server } = await open();
    const composer = mount(() => hooks.useSendMessage(parley, ROOM));
    composer.render();
    const send = composer.result;
    composer.render();
    assert.equal(composer.result, send);
    assert.equal((await send("hello").stored).sender_id, ME);
    assert.equal(server.of("send_message").length, 1);
    assert.equal(send.retry("nothing"), false);
    composer.unmount();
    await parley.stop();
});
