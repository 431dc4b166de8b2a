/// What the exposed schema offers: its views and functions, as read from the catalog.
public struct SchemaCache: Sendable, Equatable {
    /// The exposed schema, for example `parley_api`.
    public var schema: String
    public var relations: [String: APIRelation]
    /// The comment of the schema.
    public var comment: String?
    /// Overloads share a name.
    public var functions: [String: [APIFunction]]
    /// By role, for the roles that were asked for.
    public var grants: [String: APIGrants] = [:]
    /// The number of the load: what was made by another one may be out of date.
    public var generation = 0

    public init(
        schema: String, comment: String? = nil, relations: [APIRelation] = [], functions: [APIFunction] = []
    ) {
        self.schema = schema
        self.comment = comment
        self.relations = Dictionary(relations.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.functions = Dictionary(grouping: functions, by: \.name)
    }

    /// Nothing in it: not loaded from a schema that holds Parley's API.
    public var isEmpty: Bool { self.relations.isEmpty && self.functions.isEmpty }
}
