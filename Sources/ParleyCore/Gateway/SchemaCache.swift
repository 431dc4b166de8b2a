/// What the exposed schema offers: its views and functions, as read from the catalog.
public struct SchemaCache: Sendable, Equatable {
    /// The exposed schema, for example `parley_api`.
    public var schema: String
    public var relations: [String: APIRelation]
    /// Overloads share a name.
    public var functions: [String: [APIFunction]]

    public init(schema: String, relations: [APIRelation] = [], functions: [APIFunction] = []) {
        self.schema = schema
        self.relations = Dictionary(relations.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.functions = Dictionary(grouping: functions, by: \.name)
    }

    /// Nothing in it: not loaded from a schema that holds Parley's API.
    public var isEmpty: Bool { self.relations.isEmpty && self.functions.isEmpty }
}

/// A column of a view, or of the rows a function returns.
public struct APIColumn: Sendable, Equatable {
    public var name: String
    /// As `format_type` names it, domains replaced by their base type.
    public var type: String

    public init(_ name: String, _ type: String) {
        self.name = name
        self.type = type
    }
}

/// A view or table.
public struct APIRelation: Sendable, Equatable {
    public var name: String
    public var columns: [APIColumn]

    public init(_ name: String, columns: [APIColumn]) {
        self.name = name
        self.columns = columns
    }
}

/// A function.
public struct APIFunction: Sendable, Equatable {
    public struct Parameter: Sendable, Equatable {
        /// Empty for an unnamed parameter.
        public var name: String
        /// As `format_type` names it, domains replaced by their base type.
        public var type: String
        public var hasDefault: Bool
        public var isVariadic: Bool

        public init(_ name: String, _ type: String, hasDefault: Bool = false, isVariadic: Bool = false) {
            self.name = name
            self.type = type
            self.hasDefault = hasDefault
            self.isVariadic = isVariadic
        }
    }

    /// What a call yields.
    public enum Result: Sendable, Equatable {
        case void
        /// One value of a type without columns; `json` and `jsonb` go out as they are.
        case value(isJSON: Bool)
        /// One row.
        case row([APIColumn])
        /// Any number of values.
        case values
        /// Any number of rows.
        case rows([APIColumn])

        var isSet: Bool {
            switch self {
            case .values, .rows: true
            case .void, .value, .row: false
            }
        }
    }

    public var name: String
    public var parameters: [Parameter]
    public var result: Result
    /// STABLE or IMMUTABLE: it runs in a read-only transaction, and answers GET.
    public var isReadOnly: Bool

    public init(_ name: String, _ parameters: [Parameter] = [], result: Result, isReadOnly: Bool = false) {
        self.name = name
        self.parameters = parameters
        self.result = result
        self.isReadOnly = isReadOnly
    }
}
