/// What Postgres said when it refused a statement.
public struct DatabaseFailure: Sendable, Equatable {
    public var sqlState: String
    public var message: String
    public var detail: String?
    public var hint: String?
    /// For 55P03: the table whose row somebody else holds, if it was a row and is known.
    public var lockedTable: String?

    public init(
        sqlState: String, message: String, detail: String? = nil, hint: String? = nil, lockedTable: String? = nil
    ) {
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
        self.hint = hint
        self.lockedTable = lockedTable
    }
}
