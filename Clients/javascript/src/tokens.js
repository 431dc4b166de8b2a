// The token of the user: fetched once for all who ask, renewed before it expires.
import { Part, claimsOf } from "./base.js";
import { noAnswer, signedOut } from "./errors.js";

/** options: token or supabase; onToken(token) hears of each new one, and of null when there is none any more */
export class Tokens extends Part {
    #source;
    #asking = null;
    #unfollow = null;
    current = null;

    constructor(options) {
        super(options);
        const { token, supabase } = options;
        this.#source = supabase
            ? async () => {
                const { data, error } = await supabase.auth.getSession();
                // one that could not be renewed for want of a network is no sign-out
                if (error) throw error;
                return data.session?.access_token ?? null;
            }
            : token;
        if (supabase) {
            const { data } = supabase.auth.onAuthStateChange((_, session) => {
                // getSession must not be called from inside of this callback
                this.#take(session?.access_token ?? null);
            });
            this.#unfollow = () => data.subscription.unsubscribe();
        }
    }

    /** A token to use now. `refused`: the one that a server did not take. */
    async get(refused = null) {
        const claims = this.current && claimsOf(this.current);
        const expired = claims?.exp && claims.exp * 1000 <= this.options.clock.now();
        if (this.current && this.current !== refused && !expired) return this.current;
        return this.renew();
    }

    renew() {
        return (this.#asking ??= this.#ask().finally(() => (this.#asking = null)));
    }

    async #ask() {
        let token;
        try {
            token = await this.#source();
        } catch (error) {
            // the one who gives tokens could not be reached: not a sign-out
            throw noAnswer(error);
        }
        this.#take(token || null);
        if (!token) throw signedOut();
        return token;
    }

    #take(token) {
        if (token === this.current) return this.#renewLater();
        this.current = token;
        this.#renewLater();
        if (!this.stopped) this.options.onToken(token);
    }

    // A minute before the end, of a short token a fifth of its time before. Where no newer one is to be had yet, again.
    #renewLater() {
        this.timers.clear("renew");
        const exp = this.current && claimsOf(this.current)?.exp;
        if (!exp) return;
        const rest = exp * 1000 - this.options.clock.now();
        const wait = Math.max(rest - Math.min(60_000, Math.max(rest / 5, 2_000)), 1_000);
        // a timer holds at most 24 days
        this.#renewIn(Math.min(wait, 2 ** 31 - 1));
    }

    #renewIn(ms) {
        this.timers.set("renew", ms, () => this.renew().catch(() => this.#renewIn(5_000)));
    }

    stop() {
        super.stop();
        this.#unfollow?.();
        this.current = null;
    }
}
