// Calls of the functions by fetch.
import { claimsOf } from "./base.js";
import { noAnswer, refusal, signedOut } from "./errors.js";

const TIMEOUT_MS = 15_000;
/** What is read may be long, and the line slow. */
const READ_TIMEOUT_MS = 45_000;

/** options: url, apikey, fetch, clock, tokens, userId(), gone(): the user has signed out */
export class Http {
    #options;
    constructor(options) {
        this.#options = options;
    }

    /** The result of a function; ParleyError otherwise. A token that was refused is renewed once. */
    async rpc(name, args = {}) {
        const token = await this.#options.tokens.get();
        try {
            return await this.#post(name, args, token);
        } catch (error) {
            if (error.status !== 401) throw error;
            return this.#post(name, args, await this.#options.tokens.get(token));
        }
    }

    async #post(name, args, token) {
        const { url, apikey, fetch, clock, userId, gone } = this.#options;
        // The token may have been waited for. Where the user has signed out meanwhile, nothing more is said; where another
        // has signed in, what one has written is not said in the name of the other.
        if (gone() || (userId() && claimsOf(token)?.sub !== userId())) throw signedOut();
        const abort = new AbortController();
        const patience = /^(get_|sync$)/.test(name) ? READ_TIMEOUT_MS : TIMEOUT_MS;
        const timer = clock.setTimeout(() => abort.abort(), patience);
        let answer, text;
        try {
            answer = await fetch(`${url}/rest/v1/rpc/${name}`, {
                method: "POST",
                headers: {
                    "Content-Type": "application/json",
                    "Content-Profile": "parley_api",
                    apikey: apikey ?? token,
                    Authorization: `Bearer ${token}`,
                },
                body: JSON.stringify(args),
                signal: abort.signal,
            });
            text = await answer.text();
        } catch (error) {
            throw noAnswer(error, abort.signal.aborted ? "timeout" : "network");
        } finally {
            clock.clearTimeout(timer);
        }
        let body = {};
        try {
            body = text === "" ? null : JSON.parse(text);
        } catch (error) {
            // a proxy's page, not the worker's answer: its status says enough
            if (answer.ok) throw noAnswer(error);
        }
        if (answer.ok) return body;
        throw refusal(body ?? {}, answer.status, Number.parseInt(answer.headers.get("retry-after"), 10) || undefined);
    }
}
