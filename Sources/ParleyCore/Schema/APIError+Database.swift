extension APIError {
    /// The answer to an error that Postgres raised.
    ///
    /// - Parameter authenticated: whether the caller's role is another than `anon`; it turns a missing privilege
    ///   from 401 (log in) into 403.
    public init(_ failure: DatabaseFailure, authenticated: Bool) {
        let status = Self.status(of: failure, authenticated: authenticated)
        self.init(
            status: status, code: Code(failure.sqlState), message: failure.message, details: failure.detail,
            hint: failure.hint)
        // Errors of the server's own inside (files, memory, corruption) are for its log, not for a client.
        if ["XX", "58", "F0"].contains(where: failure.sqlState.hasPrefix) {
            self.message = "Internal error of the database"
            self.details = nil
            self.hint = nil
        }
        if failure.sqlState.hasPrefix("53") {
            // The text may name files of the server.
            self.message = "The database has no room for this at the moment; try again later."
            self.details = nil
            self.hint = nil
        }
        if failure.sqlState == "25006" {
            self.message = "The database is read-only at the moment; reading goes on, try to change it again later."
            self.details = nil
        }
        if failure.sqlState == "55P03" {
            self.message =
                failure.lockedTable == "conversation"
                ? "The conversation is being changed by another transaction that takes long; try again."
                : "Another transaction that takes long holds a lock that is needed; try again."
            self.details = nil
            self.hint = "With the same client_message_id a message is stored once, however often it is sent."
        }
        if status == 401 { self.headers.append(HeaderField("WWW-Authenticate", "Bearer")) }
        if status == 429 || status == 503, let seconds = Self.retryAfter(in: failure.detail) {
            self.headers.append(HeaderField("Retry-After", String(seconds)))
        } else if status == 503 {
            self.headers.append(HeaderField("Retry-After", "1"))
        }
    }

    /// SQLSTATE to HTTP status, by the table of PostgREST's error reference.
    public static func status(of failure: DatabaseFailure, authenticated: Bool) -> Int {
        let state = failure.sqlState
        switch state {
        case "23503", "23505": return 409
        // Reads are planned as such and write nothing: it is the database that takes no changes for now.
        case "25006": return 503
        case "21000": return failure.message.hasSuffix("requires a WHERE clause") ? 400 : 500
        case "22023":
            return failure.message.hasPrefix("role") && failure.message.hasSuffix("does not exist") ? 401 : 400
        case "42501": return authenticated ? 403 : 401
        case "42883", "42P01": return 404
        case "42P17", "53400": return 500
        // Longer than an index, or a search vector, can hold. PostgREST says 500, but it is the caller who can mend it.
        case "54000": return 413
        // A row was locked for longer than lock_timeout. PostgREST says 500, but nothing is broken and a later try works.
        case "55P03": return 503
        case "57P01": return 503
        case "P0001": return 400
        default: break
        }
        if state.hasPrefix("PT") {
            guard state.utf8.count == 5, let status = Int(state.dropFirst(2)), (200...599).contains(status) else {
                return 500
            }
            return status
        }
        switch state.prefix(2) {
        case "08", "53": return 503
        case "0L", "0P", "28": return 403
        case "09", "25", "2D", "38", "39", "3B", "40", "54", "55", "57", "58", "F0", "HV", "P0", "XX": return 500
        default: return 400
        }
    }

    /// The seconds of `Retry-After: <n>` within an error's detail, where Parley's functions put them.
    static func retryAfter(in detail: String?) -> Int? {
        guard let detail else { return nil }
        let bytes = Array(detail.utf8)
        let marker = Array("Retry-After:".utf8)
        guard bytes.count >= marker.count else { return nil }
        for start in 0...(bytes.count - marker.count) where bytes[start..<start + marker.count].elementsEqual(marker) {
            let rest = bytes[(start + marker.count)...].drop { $0 == UInt8(ascii: " ") }
            let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            return Int(String(decoding: digits, as: UTF8.self))
        }
        return nil
    }
}
