/// A view or table.
public struct APIRelation: Sendable, Equatable {
    public var name: String
    public var columns: [APIColumn]
    /// Its comment in the database.
    public var comment: String?

    public init(_ name: String, columns: [APIColumn], comment: String? = nil) {
        self.name = name
        self.columns = columns
        self.comment = comment
    }
}
