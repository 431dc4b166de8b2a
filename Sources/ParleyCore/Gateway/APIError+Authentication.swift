// Refusals of tokens, as PostgREST answers them: 401 with a challenge (RFC 6750 section 3).
extension APIError {
    /// PGRST301: a token that cannot be decoded or whose signature does not hold.
    public static func token(_ message: String, details: String? = nil) -> APIError {
        APIError(
            status: 401, code: Code("PGRST301"), message: message, details: details,
            headers: [self.challenge(message)])
    }

    /// PGRST303: a well-signed token whose claims do not hold, for example one that has expired.
    public static func claims(_ message: String, details: String? = nil) -> APIError {
        APIError(
            status: 401, code: Code("PGRST303"), message: message, details: details,
            headers: [self.challenge(message)])
    }

    /// 42501: a token for a role this gateway never takes on, as Postgres refuses `set role`.
    public static func role(_ role: String) -> APIError {
        APIError(
            status: 403, code: Code("42501"), message: "permission denied to set role \"\(role)\"")
    }

    private static func challenge(_ message: String) -> HeaderField {
        // A quoted-string holds no quote and no control character (RFC 9110 section 5.6.4).
        let text = String(message.unicodeScalars.filter { $0.isASCII && $0.value >= 0x20 && $0 != "\"" && $0 != "\\" })
        return HeaderField("WWW-Authenticate", "Bearer error=\"invalid_token\", error_description=\"\(text)\"")
    }
}
