/// What the query parameters of a read ask for.
public struct ReadQuery: Sendable, Equatable {
    public var select: [SelectItem]
    public var filters: [QueryFilter]
    public var order: [OrderTerm]
    public var range: RowRange

    public init(
        select: [SelectItem] = [.all], filters: [QueryFilter] = [], order: [OrderTerm] = [],
        range: RowRange = RowRange()
    ) {
        self.select = select
        self.filters = filters
        self.order = order
        self.range = range
    }

    // Every statement of another shape is parsed, planned and prepared anew: what a shape may take is bounded.
    static let maxFilters = 64
    /// Of all values together.
    static let maxFilterBytes = 64 << 10

    /// Reads the parameters; `rangeHeader` is the value of `Range` where it counts (GET only).
    public init(_ parameters: [GatewayRequest.Parameter], rangeHeader: String?) throws(APIError) {
        var single: [String: String] = [:]
        var filters: [QueryFilter] = []
        var filterBytes = 0
        for parameter in parameters {
            let lastWord = parameter.name.split(separator: ".", omittingEmptySubsequences: false).last.map(String.init)
            switch parameter.name {
            case "select", "order", "limit", "offset":
                guard single.updateValue(parameter.value, forKey: parameter.name) == nil else {
                    throw .repeated(parameter.name)
                }
            case "columns", "on_conflict":
                throw .unsupported("The query parameter '\(parameter.name)' is")
            default:
                switch lastWord {
                case "and", "or": throw .unsupported("Logical operators, as in 'or=(...)', are")
                case "order", "limit", "offset": throw .unsupported("Shaping embedded resources is")
                default:
                    filterBytes += parameter.value.utf8.count
                    guard filterBytes <= Self.maxFilterBytes else {
                        throw .unsupported("Filters of more than \(Self.maxFilterBytes) bytes together are")
                    }
                    filters.append(try QueryFilter(name: parameter.name, value: parameter.value))
                }
            }
        }
        self.select = try SelectItem.parse(single["select"] ?? "*")
        guard filters.count <= Self.maxFilters else { throw .unsupported("More than \(Self.maxFilters) filters are") }
        self.filters = filters
        self.order = try single["order"].map { text throws(APIError) in try OrderTerm.parse(text) } ?? []
        self.range = try RowRange(limit: single["limit"], offset: single["offset"], header: rangeHeader)
    }

    /// Names the query gives a meaning of their own; a GET of a function cannot pass arguments of these names.
    static func isReserved(_ name: String) -> Bool {
        switch name {
        case "select", "order", "limit", "offset", "columns", "on_conflict", "and", "or", "not.and", "not.or": true
        default: false
        }
    }

    /// Nothing but `select=*`: all that a function without rows may be asked.
    var isPlain: Bool { self == ReadQuery() }

    /// `where`, `order by`, and the list of `select`, against a relation called `t`.
    struct Clauses {
        var select: String
        var condition: String
        var order: String
    }

    func clauses(_ relation: String, columns: [APIColumn], _ writer: inout SQLWriter) throws(APIError) -> Clauses {
        let types = Dictionary(columns.map { ($0.name, $0.type) }, uniquingKeysWith: { first, _ in first })
        func reference(_ column: String) throws(APIError) -> String {
            guard types[column] != nil else { throw .column(column, of: relation) }
            return "t." + SQLWriter.identifier(column)
        }
        var items: [String] = []
        for item in self.select {
            switch item {
            case .all: items.append("t.*")
            case .column(let name, let alias):
                items.append(try reference(name) + " as " + SQLWriter.identifier(alias ?? name))
            }
        }
        var conditions: [String] = []
        for filter in self.filters {
            let column = try reference(filter.column)
            let test = try Self.test(filter.test, column, type: types[filter.column] ?? "text", &writer)
            conditions.append(filter.negated ? "not (\(test))" : test)
        }
        var terms: [String] = []
        for term in self.order {
            let nulls = term.nullsFirst.map { $0 ? " nulls first" : " nulls last" } ?? ""
            terms.append(try reference(term.column) + (term.descending ? " desc" : "") + nulls)
        }
        return Clauses(
            select: items.joined(separator: ", "),
            condition: conditions.isEmpty ? "" : " where " + conditions.joined(separator: " and "),
            order: terms.isEmpty ? "" : " order by " + terms.joined(separator: ", "))
    }

    private static func test(
        _ test: QueryFilter.Test, _ column: String, type: String, _ writer: inout SQLWriter
    ) throws(APIError) -> String {
        let values: [String] =
            switch test {
            case .compare(_, let value): [value]
            case .oneOf(let values): values
            case .is: []
            }
        for value in values {
            if let fault = ArgumentSyntax.fault(text: value, type: type, name: nil) { throw fault }
        }
        return switch test {
        case .compare(let comparison, let value):
            column + " " + comparison.symbol + " " + writer.parameter(value, as: type)
        case .oneOf(let values):
            column + " = any (" + writer.parameter(SQLWriter.array(values), as: type + "[]") + ")"
        case .is(let truth):
            column + " is " + truth.keyword
        }
    }
}
