/// One SQL statement and its parameters.
public struct Statement: Sendable, Equatable {
    /// Exactly one statement, with `$1`, `$2`... for the parameters. It must not control the transaction
    /// (`begin`, `commit`, `savepoint`...).
    public var sql: String
    /// In PostgreSQL's text format; nil is SQL's null.
    public var parameters: [String?]

    public init(_ sql: String, _ parameters: [String?] = []) {
        self.sql = sql
        self.parameters = parameters
    }
}
