// What is refused before the database is asked, over HTTP and sockets alike. Codes, statuses and wording are those of the
// PostgREST 12-14 error reference.
extension APIError {
    /// PGRST102: a body that is not the JSON object of arguments a call needs.
    public static func body(_ message: String = "Empty or invalid json", details: String? = nil) -> APIError {
        APIError(status: 400, code: Code("PGRST102"), message: message, details: details)
    }

    /// PGRST002: the schema cache could not be loaded yet.
    public static let noSchemaCache = APIError(
        status: 503, code: Code("PGRST002"),
        message: "Could not query the database for the schema cache. Retrying.",
        headers: [HeaderField("Retry-After", "1")])

    /// 22P05: text with `\u0000`, which Postgres cannot store, as Postgres words it.
    public static let zeroEscape = APIError(
        status: 400, code: Code("22P05"), message: "unsupported Unicode escape sequence",
        details: "\\u0000 cannot be converted to text.")

    /// Whether a newer schema cache could answer otherwise.
    public var mayBeStale: Bool { ["PGRST202", "PGRST203", "PGRST205", "42703", "42501"].contains(self.code.rawValue) }
}
