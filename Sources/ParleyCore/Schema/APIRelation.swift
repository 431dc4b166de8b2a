/// A view or table.
public struct APIRelation: Sendable, Equatable {
    public var name: String
    public var columns: [APIColumn]

    public init(_ name: String, columns: [APIColumn]) {
        self.name = name
        self.columns = columns
    }
}
