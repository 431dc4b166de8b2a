// Who uses the page: a demo user, or whoever a token says.

const KEY = "parley-token";
const asked = new URLSearchParams(location.search).get("as");

/** True: the page is used by a demo user, whom the address names. */
export const isDemo = asked !== null;

/** The users that anybody at this machine may be; none where the server has no demo. */
export async function demoUsers() {
    const answer = await fetch("/demo/users.json", { headers: { Accept: "application/json" } }).catch(() => null);
    return answer?.ok ? (await answer.json()).users : [];
}

/**
 * A token in the address is not taken, only removed from there: by a link, anybody could sign a visitor in as somebody
 * else, and read what the visitor then writes. Only pages of this origin can put one into the storage.
 */
function passOver() {
    if (new URLSearchParams(location.hash.slice(1)).has("token")) history.replaceState(null, "", location.pathname + location.search);
}

/** Whose page it is, as far as is known; null: nobody is signed in. */
export const userId = () => asked ?? claimsOf(sessionStorage.getItem(KEY))?.sub ?? null;

/** Gives tokens, or null: nobody is signed in. @returns {(() => Promise<string>) | null} */
export function tokenSource() {
    if (asked) {
        return async () => {
            const user = (await demoUsers()).find((one) => one.id === asked);
            if (!user) throw new Error("There is no such demo user here.");
            return user.token;
        };
    }
    passOver();
    return sessionStorage.getItem(KEY) ? async () => sessionStorage.getItem(KEY) ?? "" : null;
}

/** @param {string} token */
export function signIn(token) {
    sessionStorage.setItem(KEY, token);
    location.reload();
}

export function forget() {
    sessionStorage.removeItem(KEY);
    location.assign(location.pathname);
}

/** @param {string | null} token */
function claimsOf(token) {
    try {
        return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
    } catch {
        return null;
    }
}

/** Whether a text looks like a token that is still good; the server has the last word. */
export function isToken(text) {
    const claims = claimsOf(text);
    return typeof claims?.sub === "string" && !(claims.exp * 1000 < Date.now());
}
