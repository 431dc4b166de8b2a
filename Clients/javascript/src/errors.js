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
        this.retryAfter = retryAfter ?? secondsIn(details);
        this.retriable = retriable ?? (RETRIABLE_CODES.has(code) || status === 408 || status === 429 || status >= 500);
    }
}

function secondsIn(details) {
    const match = /Retry-After: (\d+)/i.exec(details ?? "");
    return match ? Number(match[1]) : null;
}

/** No answer came: the request may have been carried out or not. */
export function noAnswer(reason, code = "network") {
    return new ParleyError({ code, message: String(reason?.message ?? reason), retriable: true });
}

export function aborted(message) {
    return new ParleyError({ code: "aborted", message, retriable: false });
}

/** An answer over HTTP that is not a success. */
export function refusal(status, text, headers) {
    let body = {};
    try {
        body = JSON.parse(text) ?? {};
    } catch {
        // a proxy's page, not the worker's answer: its status says enough
    }
    const after = Number.parseInt(headers.get("retry-after"), 10);
    return new ParleyError({
        code: body.code ?? String(status),
        message: body.message ?? body.error ?? `The server answered ${status}.`,
        status,
        details: body.details ?? null,
        hint: body.hint ?? null,
        retryAfter: Number.isNaN(after) ? null : after,
    });
}

/** An error reply of a channel. */
export function errorReply(response) {
    const body = response && typeof response === "object" ? response : { reason: String(response) };
    const status = /^PT(\d{3})$/.exec(body.code ?? "");
    return new ParleyError({
        code: body.code ?? "refused",
        message: body.message ?? body.reason ?? "The server refused.",
        status: status ? Number(status[1]) : 0,
        details: body.details ?? null,
        hint: body.hint ?? null,
        retriable: body.retriable,
    });
}
