internal import CPostgres

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
    }

    /// True if the server ends the session with this result.
    static func isFatal(_ result: OpaquePointer) -> Bool {
        guard let severity = PQresultErrorField(result, Int32(CPG_DIAG_SEVERITY)) else { return false }
        let text = String(cString: severity)
        return text == "FATAL" || text == "PANIC"
    }

    /// The checks libpq does not make, or makes too late: a NUL would silently cut a C string short.
    static func refusal(of statement: Statement) -> PostgresError? {
        if statement.sql.utf8.contains(0) || statement.parameters.contains(where: { $0?.utf8.contains(0) ?? false }) {
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
}
