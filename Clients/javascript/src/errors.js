// What went wrong, in one shape for every door.

const RETRIABLE = new Set(["40001", "40P01", "55P03", "network", "timeout", 408, 429]);

export class ParleyError extends Error {
    constructor({
        code, message, status = 0, details = null, hint = null, retriable = RETRIABLE.has(code) || RETRIABLE.has(status) || status >= 500,
        retryAfter = Number(/Retry-After: (\d+)/i.exec(details)?.[1]) || null,
    }) {
        super(message);
        Object.assign(this, { name: "ParleyError", code, status, details, hint, retriable, retryAfter });
    }
}

/** No answer came: the request may have been carried out or not. */
export function noAnswer(reason = "There is no connection.", code = "network") {
    return new ParleyError({ code, message: String(reason?.message ?? reason) });
}

export function aborted(message = "The message was cancelled.") {
    return new ParleyError({ code: "aborted", message });
}

export function signedOut(message = "There is no token: sign in.") {
    return new ParleyError({ code: "signed-out", status: 401, message });
}

/** What the body of an answer says that is not a success: over HTTP, or as the error reply of a channel. */
export function refusal(body, status = Number(/^PT(\d{3})$/.exec(body.code)?.[1] ?? 0), retryAfter) {
    const { code = status ? String(status) : "refused", message = body.error ?? body.reason ?? `The server answered ${status}.` } = body;
    return new ParleyError({ ...body, code, message, status, retryAfter });
}
