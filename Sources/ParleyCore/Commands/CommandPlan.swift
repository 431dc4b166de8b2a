/// The one statement of a command.
public struct CommandPlan: Sendable, Equatable {
    public var sql: String
    /// In Postgres' text format.
    public var parameters: [String?]
    /// It changes nothing.
    public var isReadOnly: Bool
    /// The function returns nothing. Otherwise the statement's one row has one column, the JSON text of the result.
    public var isVoid: Bool
}
