// The same application as Node teams write it: `ws` + `pg`, a function that inserts one row and says NOTIFY.
//
// It is the peer of Benchmarks/latency.py and does what its README would promise and no more: a message is one row, the
// notification carries it, the listener hands it to the recipient's sockets, the sender gets an acknowledgement after the
// commit. The statement is prepared on each of 8 connections. It has no rights, order, deduplication or unread counts.
//
//   NODE_PATH=... node chat_app.js PORT DATABASE_URL
"use strict";
const { WebSocketServer } = require("ws");
const { Client, Pool } = require("pg");

const SCHEMA = `
create table if not exists node_message (
    id bigint generated always as identity primary key,
    sender text not null,
    recipient text not null,
    body text not null,
    created_at timestamptz not null default now()
);
create index if not exists node_message_recipient on node_message (recipient, id);
create or replace function node_send(sender text, recipient text, body text) returns bigint language plpgsql as $$
declare
    v_id bigint;
begin
    insert into node_message (sender, recipient, body) values (sender, recipient, body) returning id into v_id;
    perform pg_notify('node_chat', json_build_object('id', v_id, 'from', sender, 'to', recipient, 'text', body)::text);
    return v_id;
end
$$;
`;

async function main(port, connectionString) {
    const sockets = new Map();
    const pool = new Pool({ connectionString, application_name: "chat_app", min: 8, max: 8, idleTimeoutMillis: 0 });
    const listener = new Client({ connectionString, application_name: "chat_app" });
    await listener.connect();
    await listener.query(SCHEMA);
    listener.on("notification", ({ payload }) => {
        for (const socket of sockets.get(JSON.parse(payload).to) ?? []) socket.send(payload);
    });
    await listener.query("listen node_chat");

    const server = new WebSocketServer({ host: "127.0.0.1", port, perMessageDeflate: false });
    server.on("connection", (socket, request) => {
        const user = request.url.split("/").pop();
        if (!sockets.has(user)) sockets.set(user, new Set());
        sockets.get(user).add(socket);
        socket.on("close", () => {
            sockets.get(user).delete(socket);
            if (sockets.get(user).size === 0) sockets.delete(user);
        });
        socket.on("message", async (data) => {
            const { to, text, ref } = JSON.parse(data);
            const { rows } = await pool.query({ name: "send", text: "select node_send($1, $2, $3) as id", values: [user, to, text] });
            socket.send(JSON.stringify({ ack: ref, id: rows[0].id }));
        });
    });
    server.on("listening", () => console.log("ready"));
}

main(Number(process.argv[2]), process.argv[3]);
