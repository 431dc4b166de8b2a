/// A function.
public struct APIFunction: Sendable, Equatable {
    public struct Parameter: Sendable, Equatable {
        /// Empty for an unnamed parameter.
        public var name: String
        /// As `format_type` names it, domains replaced by their base type.
        public var type: String
        public var hasDefault: Bool
        public var isVariadic: Bool
        /// The expression of the default, as Postgres writes it.
        public var defaultText: String?

        public init(
            _ name: String, _ type: String, hasDefault: Bool = false, isVariadic: Bool = false,
            defaultText: String? = nil
        ) {
            self.name = name
            self.type = type
            self.hasDefault = hasDefault
            self.isVariadic = isVariadic
            self.defaultText = defaultText
        }
    }

    /// What running it yields.
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
    /// Its comment in the database.
    public var comment: String?

    public init(
        _ name: String, _ parameters: [Parameter] = [], result: Result, isReadOnly: Bool = false,
        comment: String? = nil
    ) {
        self.name = name
        self.parameters = parameters
        self.result = result
        self.isReadOnly = isReadOnly
        self.comment = comment
    }
}
