// What went wrong, in one shape for every door.

const RETRIABLE_CODES = new Set(["40001", "40P01", "55P03", "network", "timeout"]);

export class ParleyError extends Error {
    constructor({ code, message, status = 0, details = null, hint = null, retriable, retryAfter = null }) {
        super(message);
        this.name = "ParleyError";
        this.code = code;
        this.status = status;
        this.details = details;
        this.hint = hint;
        this.retryAfter = retryAfter ?? (Number(/Retry-After: (\d+)/i.exec(details ?? "")?.[1]) || null);
        this.retriable = retriable ?? (RETRIABLE_CODES.has(code) || status === 408 || status === 429 || status >= 500);
    }
}

/** No answer came: the request may have been carried out or not. */
export function noAnswer(reason, code = "network") {
    return new ParleyError({ code, message: String(reason?.message ?? reason), retriable: true });
}

export function aborted(message = "The message was cancelled.") {
    return new ParleyError({ code: "aborted", message, retriable: false });
}

/** What the body of an answer says that is not a success: over HTTP, or as the error reply of a channel. */
export function refusal(body, status = Number(/^PT(\d{3})$/.exec(body.code)?.[1] ?? 0), retryAfter = null) {
    const { code = status ? String(status) : "refused", message = body.error ?? body.reason ?? `The server answered ${status}.` } = body;
    return new ParleyError({ ...body, code, message, status, retryAfter });
}
