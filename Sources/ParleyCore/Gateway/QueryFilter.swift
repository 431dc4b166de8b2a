/// One condition on a column, as in `seq=gte.10` or `left_at=not.is.null`.
public struct QueryFilter: Sendable, Equatable {
    /// A comparison of the column with one value.
    public enum Comparison: String, Sendable, CaseIterable {
        case eq, neq, gt, gte, lt, lte

        var symbol: String {
            switch self {
            case .eq: "="
            case .neq: "<>"
            case .gt: ">"
            case .gte: ">="
            case .lt: "<"
            case .lte: "<="
            }
        }
    }

    /// What `is.` can test for.
    public enum Truth: String, Sendable, CaseIterable {
        case null
        case notNull = "not_null"
        case `true`, `false`, unknown

        var keyword: String {
            switch self {
            case .notNull: "not null"
            case .null, .true, .false, .unknown: self.rawValue
            }
        }
    }

    public enum Test: Sendable, Equatable {
        case compare(Comparison, String)
        case oneOf([String])
        case `is`(Truth)
    }

    public var column: String
    public var negated: Bool
    public var test: Test

    public init(column: String, negated: Bool = false, test: Test) {
        self.column = column
        self.negated = negated
        self.test = test
    }

    /// Reads one query parameter as a condition.
    public init(name: String, value: String) throws(APIError) {
        self.column = try Self.column(name)
        var scanner = QueryScanner(value)
        self.negated = scanner.skip("not.")
        self.test = try Self.test(&scanner, whole: value)
    }

    /// Whether `value` begins with an operator of PostgREST's grammar, supported here or not. It tells a filter from
    /// an argument in the query of a function call.
    public static func looksLikeFilter(_ value: String) -> Bool {
        var scanner = QueryScanner(value)
        _ = scanner.skip("not.")
        let name = scanner.take { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
        guard self.supported.contains(name) || self.unsupported.contains(name) else { return false }
        return scanner.comes(".") || scanner.comes("(")
    }

    private static let supported = Set(Comparison.allCases.map(\.rawValue) + ["in", "is"])
    private static let unsupported: Set<String> = [
        "like", "ilike", "match", "imatch", "isdistinct", "fts", "plfts", "phfts", "wfts", "cs", "cd", "ov", "sl", "sr",
        "nxr", "nxl", "adj",
    ]

    private static func column(_ name: String) throws(APIError) -> String {
        var scanner = QueryScanner(name)
        guard let column = scanner.takeName() else {
            throw .unreadable(
                "tree path", name, at: scanner.offset,
                "unexpected \(scanner.found) expecting field name (* or [a..z0..9_$])")
        }
        if scanner.comes("->") { throw .unsupported("JSON paths in filters are") }
        if scanner.comes(".") { throw .unsupported("Filters on embedded resources are") }
        guard scanner.isAtEnd else {
            throw .unreadable(
                "tree path", name, at: scanner.offset, "unexpected \(scanner.found) expecting end of input")
        }
        return column
    }

    private static func test(_ scanner: inout QueryScanner, whole: String) throws(APIError) -> Test {
        let start = scanner.offset
        let name = scanner.take { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
        if self.unsupported.contains(name), scanner.comes(".") || scanner.comes("(") {
            throw .unsupported("The operator '\(name)' is")
        }
        guard self.supported.contains(name) else {
            throw .unreadable(
                "filter", whole, at: start,
                "unexpected \(QueryScanner(whole).found) expecting \"not\" or operator (eq, gt, ...)")
        }
        if scanner.comes("(") { throw .unsupported("Quantifiers on operators, as in '\(name)(any)', are") }
        guard scanner.skip(".") else {
            throw .unreadable(
                "filter", whole, at: scanner.offset, "unexpected \(scanner.found) expecting delimiter (.)")
        }
        if let comparison = Comparison(rawValue: name) { return .compare(comparison, scanner.rest) }
        if name == "in" { return .oneOf(try self.list(&scanner, whole: whole)) }
        guard let truth = Truth(rawValue: scanner.rest.lowercased()) else {
            throw .unreadable(
                "filter", whole, at: scanner.offset,
                "unexpected \(scanner.found) expecting isVal: (null, not_null, true, false, unknown)")
        }
        return .is(truth)
    }

    /// `(a,"b,c")`; `()` is the empty list.
    private static func list(_ scanner: inout QueryScanner, whole: String) throws(APIError) -> [String] {
        scanner.skipBlanks()
        guard scanner.skip("(") else {
            throw .unreadable("filter", whole, at: scanner.offset, "unexpected \(scanner.found) expecting \"(\"")
        }
        var elements: [String] = []
        repeat { elements.append(self.element(&scanner)) } while scanner.skip(",")
        guard scanner.skip(")") else {
            throw .unreadable("filter", whole, at: scanner.offset, "unexpected \(scanner.found) expecting \")\"")
        }
        scanner.skipBlanks()
        guard scanner.isAtEnd else {
            throw .unreadable("filter", whole, at: scanner.offset, "unexpected \(scanner.found) expecting end of input")
        }
        return elements == [""] ? [] : elements
    }

    private static func element(_ scanner: inout QueryScanner) -> String {
        var quoted = scanner
        if let text = quoted.takeQuoted(), quoted.comes(",") || quoted.comes(")") {
            scanner = quoted
            return text
        }
        return scanner.take { $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: ")") }
    }
}
