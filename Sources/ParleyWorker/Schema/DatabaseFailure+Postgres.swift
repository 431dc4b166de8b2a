internal import ParleyCore
internal import PostgresClient

extension DatabaseFailure {
    /// What the server said; to be used for errors of the server only.
    init(_ error: PostgresError) {
        self.init(
            sqlState: error.sqlState ?? "XX000", message: error.message, detail: error.detail, hint: error.hint,
            lockedTable: error.lockedTable)
    }
}
