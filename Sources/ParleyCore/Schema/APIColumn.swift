/// A column of a view, or of the rows a function returns.
public struct APIColumn: Sendable, Equatable {
    public var name: String
    /// As `format_type` names it, domains replaced by their base type.
    public var type: String
    /// Its comment in the database.
    public var comment: String?

    public init(_ name: String, _ type: String, comment: String? = nil) {
        self.name = name
        self.type = type
        self.comment = comment
    }
}
