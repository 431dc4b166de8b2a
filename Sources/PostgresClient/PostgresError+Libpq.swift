internal import CPostgres
internal import Glibc

extension PostgresError {
    /// What the server said in a failed result.
    init(result: OpaquePointer) {
        func field(_ name: Int) -> String? {
            PQresultErrorField(result, Int32(name)).map { String(cString: $0) }
        }
        let sqlState = field(CPG_DIAG_SQLSTATE)
        self.init(
            // libpq makes errors of its own, without SQLSTATE, when the link breaks.
            sqlState == nil ? .connectionLost : .server, sqlState: sqlState,
            message: field(CPG_DIAG_MESSAGE_PRIMARY)
                ?? PQresultErrorMessage(result).map { String(cString: $0) } ?? "",
            detail: field(CPG_DIAG_MESSAGE_DETAIL), hint: field(Int(CPG_DIAG_MESSAGE_HINT)),
            constraint: field(CPG_DIAG_CONSTRAINT_NAME))
        if sqlState == "55P03" {
            self.lockedTable = Self.lockedTable(
                context: field(CPG_DIAG_CONTEXT), message: self.message)
        }
    }

    /// The table named by the innermost context, `while locking tuple (0,1) in relation "t"` in the server's language,
    /// or by the message of a `nowait`. Lines of functions quote whole statements, which are no names.
    static func lockedTable(context: String?, message: String) -> String? {
        let line = context?.split(separator: "\n").first.map(String.init) ?? message
        for text in [line, message] {
            // A lock on a row is told with its place.
            guard text == message || text.contains("(") else { continue }
            let parts = text.split(separator: "\"", omittingEmptySubsequences: false)
            guard parts.count == 3, !parts[1].contains(" ") else { continue }
            return String(parts[1])
        }
        return nil
    }

    /// Whether a notice says that a commit no longer waits for its synchronous standby. The message depends on the
    /// server's language, the function that speaks does not.
    static func isUnconfirmedCommit(_ notice: OpaquePointer) -> Bool {
        guard let function = PQresultErrorField(notice, Int32(CPG_DIAG_SOURCE_FUNCTION)) else { return false }
        return String(cString: function) == "SyncRepWaitForLSN"
    }

    /// True if the server ends the session with this result.
    static func isFatal(_ result: OpaquePointer) -> Bool {
        guard let severity = PQresultErrorField(result, Int32(CPG_DIAG_SEVERITY)) else { return false }
        let text = String(cString: severity)
        return text == "FATAL" || text == "PANIC"
    }

    /// The checks libpq does not make, or makes too late: a NUL would silently cut a C string short.
    /// - Parameter longest: bytes of the statement's text.
    static func refusal(of statement: Statement, longest: Int = .max) -> PostgresError? {
        if statement.sql.utf8.count > longest {
            return PostgresError(
                .server, sqlState: "54000",
                message: "a statement may have \(longest) bytes of text beside its parameters")
        }
        if Self.holdsZero(statement.sql) || statement.parameters.contains(where: { $0.map(Self.holdsZero) ?? false }) {
            // What the server answers where the bytes reach it.
            return PostgresError(
                .server, sqlState: "22021", message: #"invalid byte sequence for encoding "UTF8": 0x00"#)
        }
        if statement.parameters.count > 65_535 {
            return PostgresError(
                .server, sqlState: "54011", message: "a statement takes at most 65535 parameters")
        }
        return nil
    }

    private static func holdsZero(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in bytes.baseAddress.map { memchr($0, 0, bytes.count) != nil } ?? false }
    }
}
