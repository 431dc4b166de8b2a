// Calls: who rings, and the peer connections of the call this device is in, negotiated "perfectly": of two devices that
// offer at once the polite one, which joined later, steps back. Signals go through the server's log, so they arrive in
// order and once; what comes again is known by its signal_id.
import { Part, compare, moment } from "./base.js";

const ICE_MS = 100;
const RESTART_MS = 10_000;
const WORST = ["none", "connected", "connecting", "failed"];

/** options: rpc, userId(), deviceId(), newId(), RTCPeerConnection, onChange() */
export class Calls extends Part {
    #calls = new Map();
    #peers = new Map();
    #seen = new Set();
    #current = null;
    #stream = null;
    #servers = [];
    /** Signals are taken one after the other, and not before this device is in the call that it enters. */
    #entering = null;
    #turn = Promise.resolve();

    snapshot() {
        const me = this.options.userId();
        const rings = (call) => call.state !== "ended" && call.id !== this.#current
            && call.participants.some((p) => p.user_id === me && p.state === "ringing");
        const media = [...this.#peers.values()].map((peer) => peer.media);
        return {
            incoming: [...this.#calls.values()].filter(rings),
            current: this.#calls.get(this.#current) ?? null,
            streams: Object.fromEntries([...this.#peers].filter(([, peer]) => peer.stream).map(([user, peer]) => [user, peer.stream])),
            media: media.reduce((worst, one) => (WORST.indexOf(one) > WORST.indexOf(worst) ? one : worst), "none"),
        };
    }

    async start(conversationId, { kind = "voice", stream = null, inviteIds } = {}) {
        const args = { conversation_id: conversationId, kind, device_id: this.options.deviceId(), client_call_id: this.options.newId() };
        return this.#enter(this.options.rpc("start_call", inviteIds ? { ...args, invite_ids: inviteIds } : args), stream);
    }

    async accept(callId, { stream = null } = {}) {
        return this.#enter(this.options.rpc("accept_call", { call_id: callId, device_id: this.options.deviceId() }), stream);
    }

    async decline(callId, { busy = false } = {}) {
        this.#take(await this.options.rpc("decline_call", { call_id: callId, busy }));
    }

    #enter(asked, stream) {
        this.#entering = this.#entered(asked, stream);
        return this.#entering;
    }

    async #entered(asked, stream) {
        const call = await asked;
        if (this.stopped) return call;
        this.#stream = stream;
        this.#current = call.id;
        this.#take(call);
        await this.#findServers();
        this.#connect();
        return call;
    }

    async #findServers() {
        try {
            this.#servers = (await this.options.rpc("get_turn_credentials")).ice_servers;
        } catch (error) {
            // none is configured: devices that reach each other need none
            if (error.code !== "PT503" && !error.retriable) throw error;
            this.#servers = [];
        }
    }

    async hangUp(failed = false) {
        const id = this.#current;
        if (!id) return;
        this.#leave();
        this.#take(await this.options.rpc("end_call", { call_id: id, device_id: this.options.deviceId(), failed }));
    }

    #leave() {
        this.#current = null;
        this.#stream = null;
        this.timers.clearAll();
        for (const peer of this.#peers.values()) peer.pc.close();
        this.#peers.clear();
        this.options.onChange();
    }

    /** A call as it is now. */
    #take(call) {
        if (!call?.id) return;
        const mine = call.participants?.find((p) => p.user_id === this.options.userId());
        const ended = call.state === "ended";
        // as it was before this device got in: an event may show that after the answer did
        if (this.#current === call.id && !ended && mine?.state === "ringing") return;
        if (ended) this.#calls.delete(call.id);
        else this.#calls.set(call.id, call);
        const out = ended || mine?.state !== "accepted" || mine?.device_id !== this.options.deviceId();
        if (this.#current === call.id && out) this.#leave();
        this.options.onChange();
    }

    // --- what the server says
    hear(event, payload) {
        if (payload.signal_id !== undefined) {
            const take = () => this.#signal(event, payload);
            this.#turn = this.#turn.then(() => this.#entering).then(take, take).catch(() => {});
            return this.#turn;
        }
        this.#take(payload.call);
        this.#connect();
    }

    // A peer connection for each other device in the call; those that have left go.
    #connect() {
        const call = this.#calls.get(this.#current);
        if (!call || !this.options.RTCPeerConnection) return;
        const me = call.participants.find((p) => p.user_id === this.options.userId());
        for (const other of call.participants) {
            if (other.user_id === me?.user_id) continue;
            const peer = this.#peers.get(other.user_id);
            if (other.state !== "accepted" || (peer && peer.device !== other.device_id)) this.#close(other.user_id);
            if (other.state === "accepted" && !this.#peers.has(other.user_id)) this.#open(call.id, me, other);
        }
    }

    #close(user) {
        this.#peers.get(user)?.pc.close();
        this.#peers.delete(user);
        this.options.onChange();
    }

    #open(callId, me, other) {
        const pc = new this.options.RTCPeerConnection({ iceServers: this.#servers });
        const joinedLater = compare(moment(me.joined_at), moment(other.joined_at)) || compare(me.user_id, other.user_id);
        const peer = {
            pc, callId, user: other.user_id, device: other.device_id, polite: joinedLater > 0, first: true,
            offering: false, ignoring: false, ice: [], stream: null, media: "connecting",
        };
        this.#peers.set(other.user_id, peer);
        pc.ontrack = ({ streams, track }) => {
            peer.stream = streams?.[0] ?? track;
            this.options.onChange();
        };
        pc.onicecandidate = ({ candidate }) => {
            if (candidate) peer.ice.push(candidate.toJSON?.() ?? candidate);
            const timer = `ice ${peer.user}`;
            if (peer.ice.length && !this.timers.has(timer)) {
                this.timers.set(timer, ICE_MS, () => this.#send(peer, "ice", { candidates: peer.ice.splice(0) }));
            }
        };
        pc.onnegotiationneeded = () => this.#offer(peer);
        pc.onconnectionstatechange = () => this.#watch(peer);
        // who was there first offers; the other answers with its tracks
        if (!peer.polite) this.#addTracks(peer);
        this.options.onChange();
        return peer;
    }

    #addTracks({ pc }) {
        for (const track of this.#stream?.getTracks() ?? []) pc.addTrack(track, this.#stream);
    }

    async #offer(peer) {
        peer.offering = true;
        try {
            await peer.pc.setLocalDescription();
            await this.#describe(peer, peer.first ? "offer" : "renegotiate");
            peer.first = false;
        } finally {
            peer.offering = false;
        }
    }

    #describe(peer, kind) {
        const { type, sdp } = peer.pc.localDescription;
        return this.#send(peer, kind, { type, sdp });
    }

    #send(peer, kind, payload) {
        const args = { call_id: peer.callId, to_user_id: peer.user, kind, payload, to_device_id: peer.device, device_id: this.options.deviceId() };
        return this.options.rpc("signal_call", args).catch((error) => {
            // the other has left, or the call is over: its event says so
            if (error.retriable) this.timers.set(`again ${peer.user}`, 1_000, () => this.#send(peer, kind, payload));
        });
    }

    async #signal(event, { call_id: callId, signal_id: signal, from_user_id: user, to_device_id: device, payload }) {
        if (callId !== this.#current || !payload || this.#seen.has(signal)) return;
        if (device && device !== this.options.deviceId()) return;
        this.#seen.add(signal);
        const call = this.#calls.get(callId);
        const me = call.participants.find((p) => p.user_id === this.options.userId());
        const other = call.participants.find((p) => p.user_id === user);
        if (!other) return;
        const peer = this.#peers.get(user) ?? this.#open(callId, me, other);
        const { pc } = peer;
        if (event === "call:ice") {
            for (const candidate of payload.candidates ?? [payload]) {
                // of an offer that was passed over
                await pc.addIceCandidate(candidate).catch((error) => { if (!peer.ignoring) throw error; });
            }
            return;
        }
        const collides = payload.type === "offer" && (peer.offering || pc.signalingState !== "stable");
        peer.ignoring = !peer.polite && collides;
        if (peer.ignoring) return;
        await pc.setRemoteDescription({ type: payload.type, sdp: payload.sdp });
        if (payload.type !== "offer") return;
        if (peer.first) {
            peer.first = false;
            this.#addTracks(peer);
        }
        await pc.setLocalDescription();
        await this.#describe(peer, "answer");
    }

    #watch(peer) {
        const state = peer.pc.connectionState;
        peer.media = state === "connected" ? "connected" : state === "failed" ? "failed" : "connecting";
        this.options.onChange();
        const timer = `failed ${peer.user}`;
        if (state === "connected") this.timers.clear(timer);
        if (state !== "failed" || this.timers.has(timer)) return;
        peer.pc.restartIce?.();
        this.timers.set(timer, RESTART_MS, () => {
            if (peer.pc.connectionState !== "connected" && this.#peers.size <= 1) this.hangUp(true).catch(() => {});
        });
    }

    setStream(stream) {
        this.#stream = stream;
        for (const { pc } of this.#peers.values()) {
            for (const sender of pc.getSenders()) pc.removeTrack(sender);
            for (const track of stream?.getTracks() ?? []) pc.addTrack(track, stream);
        }
    }

    stop() {
        this.#leave();
        super.stop();
    }
}
