// A topic of a socket: joined again after each loss, until the server says that it is over for good.
import { Part } from "./base.js";

const TOKEN_REASON = /^(InvalidJWTToken|MalformedJWT|JwtSignatureError|JwtSignerError|Token has expired|The token)/;
const FOREVER_REASON = /^(Unauthorized|PrivateOnly|TopicNameRequired)/;

/**
 * options: socket, topic, config, tokens; onJoined(), onBroadcast(event, payload, id), onPresence(userIds), onForbidden(reason):
 * the channel is over for good, the server does not let the user in, or not any more
 */
export class Channel extends Part {
    presence = new Tracked();
    joinRef = null;
    state = "closed";

    async join() {
        if (this.stopped) return;
        this.timers.clear("join");
        const { socket } = this.options;
        const ref = socket.nextRef();
        this.joinRef = ref;
        this.state = "joining";
        try {
            const token = await this.options.tokens.get();
            if (this.joinRef !== ref) return;
            this.token = token;
            const { config, topic } = this.options;
            await socket.request({ joinRef: ref, ref, topic, event: "phx_join", payload: { config, access_token: token } });
        } catch (error) {
            if (this.joinRef === ref) this.#refused(error);
            return;
        }
        if (this.joinRef !== ref) return;
        this.fails = 0;
        this.state = "joined";
        this.options.onJoined();
    }

    #refused(error) {
        this.lost();
        if (TOKEN_REASON.test(error.message)) this.#withNewToken(error.message);
        else if (FOREVER_REASON.test(error.message)) this.options.onForbidden(error.message);
        // without an answer the socket itself is over, and joins again after it
        else if (this.options.socket.status === "online") this.#later();
    }

    #withNewToken(reason) {
        this.options.socket.tokenRefused(reason, this.token).then((token) => {
            if (token && this.state === "closed" && this.options.socket.status === "online") this.join();
        });
    }

    #later() {
        this.timers.set("join", this.pause(), () => this.join());
    }

    receive({ joinRef, ref, event, payload }) {
        if (joinRef != null && joinRef !== this.joinRef) return;
        if (event === "broadcast") {
            this.options.onBroadcast(payload.event, payload.payload, payload.meta?.id);
        } else if (event === "presence_state" || event === "presence_diff") {
            this.presence.apply(event, payload);
            this.options.onPresence(this.presence.users());
        } else if (event === "system" && payload?.status === "error") {
            this.reason = payload.message ?? "";
        } else if ((event === "phx_close" || event === "phx_error") && (ref === null || ref === this.joinRef)) {
            const reason = this.reason ?? "";
            this.reason = null;
            this.lost();
            if (TOKEN_REASON.test(reason)) this.#withNewToken(reason);
            else if (/^You (do not|no longer) have permission/.test(reason)) this.options.onForbidden(reason);
            else this.#later();
        }
    }

    #frame(event, payload) {
        const { socket, topic } = this.options;
        return { joinRef: this.joinRef, ref: socket.nextRef(), topic, event, payload };
    }

    /** The reply's response to a broadcast. */
    request(event, payload) {
        return this.options.socket.request(this.#frame("broadcast", { type: "broadcast", event, payload }));
    }

    /** A broadcast, or a presence, whose answer nobody waits for. */
    push(event, payload) {
        if (this.state === "joined") this.options.socket.send(this.#frame(event, payload));
    }

    useToken(token) {
        this.token = token;
        this.push("access_token", { access_token: token });
    }

    lost() {
        this.timers.clear("join");
        this.state = "closed";
        this.joinRef = null;
        if (this.presence.clear()) this.options.onPresence([]);
    }

    stop() {
        this.lost();
        super.stop();
    }
}

// Who is there: what each has tracked has a phx_ref of its own, by which it leaves.
class Tracked {
    #users = new Map();
    apply(event, payload) {
        const whole = event === "presence_state";
        if (whole) this.#users.clear();
        const each = (keys, action) => {
            for (const [key, { metas }] of Object.entries(keys ?? {})) for (const meta of metas) action(meta.phx_ref, meta.user_id ?? key);
        };
        each(whole ? payload : payload.joins, (ref, user) => this.#users.set(ref, user));
        if (!whole) each(payload.leaves, (ref) => this.#users.delete(ref));
    }
    users() {
        return [...new Set(this.#users.values())].sort();
    }
    clear() {
        const was = this.#users.size > 0;
        this.#users.clear();
        return was;
    }
}
