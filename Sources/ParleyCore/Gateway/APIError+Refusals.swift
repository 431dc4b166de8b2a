// What the gateway refuses by itself. Codes, statuses and wording are those of the PostgREST 12-14 error reference.
extension APIError {
    /// PGRST100: a query parameter that cannot be read. `offset` counts from 0 within `text`.
    public static func unreadable(_ what: String, _ text: String, at offset: Int, _ details: String) -> APIError {
        APIError(
            status: 400, code: Code("PGRST100"),
            message: "\"failed to parse \(what) (\(text))\" (line 1, column \(offset + 1))", details: details)
    }

    /// PGRST100: something PostgREST can do and this gateway does not; saying so beats ignoring it.
    public static func unsupported(_ what: String) -> APIError {
        APIError(
            status: 400, code: Code("PGRST100"), message: "\(what) not supported",
            hint: "Select, filter with eq, neq, gt, gte, lt, lte, in and is, order, limit and offset are supported.")
    }

    /// PGRST100: a query parameter that may appear once and came again.
    public static func repeated(_ name: String) -> APIError {
        APIError(
            status: 400, code: Code("PGRST100"), message: "the query parameter '\(name)' was given more than once")
    }

    /// PT413: more rows, or longer ones, than one answer may hold.
    public static func answerTooLarge(limit: Int) -> APIError {
        APIError(
            status: 413, code: Code("PT413"), message: "The answer is larger than \(limit) bytes.",
            hint: "Ask for fewer rows at a time (limit, page_size), or for fewer columns (select).")
    }

    /// PGRST101: a verb no function answers to, or GET on a function that may write.
    public static func method(_ method: String, onFunctionAllowing allowed: String, details: String? = nil)
        -> APIError
    {
        APIError(
            status: 405, code: Code("PGRST101"), message: "Cannot use the \(method) method on RPC", details: details,
            headers: [HeaderField("Allow", allowed)])
    }

    /// PGRST117: a verb views do not answer to; they are for reading.
    public static func method(_ method: String, onRelation name: String) -> APIError {
        APIError(
            status: 405, code: Code("PGRST117"), message: "Unsupported HTTP method: \(method)",
            hint: "Views are read-only: changes go through functions under rpc/.",
            headers: [HeaderField("Allow", "OPTIONS,GET,HEAD")])
    }

    /// PGRST103: a range nothing can satisfy. `total` is known when rows were counted.
    public static func range(_ details: String, total: Int? = nil) -> APIError {
        APIError(
            status: 416, code: Code("PGRST103"), message: "Requested range not satisfiable", details: details,
            headers: total.map { [HeaderField("Content-Range", "*/\($0)")] } ?? [])
    }

    /// PGRST106: a profile header that names a schema which is not exposed.
    public static func schema(_ name: String, exposed: String) -> APIError {
        APIError(
            status: 406, code: Code("PGRST106"), message: "Invalid schema: \(name)",
            hint: "Only the following schemas are exposed: \(exposed)")
    }

    /// PGRST107: an `Accept` header without any type on offer.
    public static func mediaTypes(_ names: [String]) -> APIError {
        APIError(
            status: 406, code: Code("PGRST107"),
            message: "None of these media types are available: " + names.joined(separator: ", "))
    }

    /// PGRST116: one object was asked for and the result has none or several.
    public static func singular(rows: Int) -> APIError {
        APIError(
            status: 406, code: Code("PGRST116"), message: "Cannot coerce the result to a single JSON object",
            details: "The result contains \(rows) rows")
    }

    /// PGRST122: `Prefer: handling=strict` together with preferences that cannot be honoured.
    public static func preferences(_ invalid: [String]) -> APIError {
        APIError(
            status: 400, code: Code("PGRST122"), message: "Invalid preferences given with handling=strict",
            details: "Invalid preferences: " + invalid.joined(separator: ", "))
    }

    /// PGRST125: a path that is neither `/<view>` nor `/rpc/<function>`.
    public static let path = APIError(
        status: 404, code: Code("PGRST125"), message: "Invalid path specified in request URL")

    /// PGRST117: a verb the root does not answer to.
    public static func methodOnRoot(_ method: String) -> APIError {
        APIError(
            status: 405, code: Code("PGRST117"), message: "Unsupported HTTP method: \(method)",
            headers: [HeaderField("Allow", "OPTIONS,GET,HEAD")])
    }

    /// 42703: a column the relation does not have, as Postgres words it.
    public static func column(_ column: String, of relation: String) -> APIError {
        APIError(
            status: 400, code: Code("42703"), message: "column \(relation).\(column) does not exist")
    }

    /// 22021: text with a zero byte, which Postgres cannot store, as Postgres words it.
    public static let zeroByte = APIError(
        status: 400, code: Code("22021"), message: "invalid byte sequence for encoding \"UTF8\": 0x00")

    /// 22021: a path with a zero byte, or one that is no text in UTF-8 when it is decoded.
    public static let undecodablePath = APIError(
        status: 400, code: Code("22021"), message: "invalid byte sequence for encoding \"UTF8\"")

    /// PGRST205: no view of that name.
    public static func relation(_ name: String, schema: String, closest: String?) -> APIError {
        APIError(
            status: 404, code: Code("PGRST205"),
            message: "Could not find the table '\(schema).\(name)' in the schema cache",
            hint: closest.map { "Perhaps you meant the table '\(schema).\($0)'" })
    }
}
