/// One item of `select=`: a column, perhaps under another name, or all columns.
public enum SelectItem: Sendable, Equatable {
    case all
    case column(String, alias: String?)

    static let maxItems = 256
    /// Postgres cuts longer names off, and says so in its log.
    static let maxAliasBytes = 63

    /// Reads `a,alias:b,*`. An empty text selects nothing, so that rows are empty objects.
    public static func parse(_ text: String) throws(APIError) -> [SelectItem] {
        var scanner = QueryScanner(text)
        if text.isEmpty { return [] }
        var items: [SelectItem] = []
        repeat {
            guard items.count < self.maxItems else {
                throw .unsupported("Selecting more than \(self.maxItems) items is")
            }
            items.append(try self.item(&scanner, whole: text))
            // Each adds all columns once more.
            if items.last == .all, items.dropLast().contains(.all) {
                throw .unsupported("Selecting * more than once is")
            }
        } while scanner.skip(",")
        guard scanner.isAtEnd else {
            throw .unreadable(
                "select parameter", text, at: scanner.offset,
                "unexpected \(scanner.found) expecting \",\" or end of input")
        }
        return items
    }

    private static func item(_ scanner: inout QueryScanner, whole: String) throws(APIError) -> SelectItem {
        scanner.skipBlanks()
        if scanner.comes("...") { throw .unsupported("Spreading embedded resources is") }
        if scanner.skip("*") {
            scanner.skipBlanks()
            return .all
        }
        var name = try self.name(&scanner, whole: whole)
        var alias: String?
        if scanner.comes(":"), !scanner.comes("::") {
            _ = scanner.skip(":")
            alias = name
            name = try self.name(&scanner, whole: whole)
        }
        if let alias, alias.utf8.count > self.maxAliasBytes {
            throw .unsupported("An alias of more than \(self.maxAliasBytes) bytes is")
        }
        if scanner.comes("->") { throw .unsupported("JSON paths in select are") }
        if scanner.comes("::") { throw .unsupported("Casts in select are") }
        if scanner.comes("(") {
            throw .unsupported(name == "count" ? "Aggregates are" : "Embedding other resources is")
        }
        if scanner.comes("!") { throw .unsupported("Embedding other resources is") }
        if scanner.comes(".") { throw .unsupported("Aggregates are") }
        return .column(name, alias: alias)
    }

    private static func name(_ scanner: inout QueryScanner, whole: String) throws(APIError) -> String {
        guard let name = scanner.takeName() else {
            throw .unreadable(
                "select parameter", whole, at: scanner.offset,
                "unexpected \(scanner.found) expecting field name (* or [a..z0..9_$])")
        }
        return name
    }
}

/// One item of `order=`.
public struct OrderTerm: Sendable, Equatable {
    public var column: String
    public var descending: Bool
    /// Nil leaves nulls where Postgres puts them: last when ascending.
    public var nullsFirst: Bool?

    static let maxTerms = 32

    public init(_ column: String, descending: Bool = false, nullsFirst: Bool? = nil) {
        self.column = column
        self.descending = descending
        self.nullsFirst = nullsFirst
    }

    /// Reads `a.desc.nullslast,b`.
    public static func parse(_ text: String) throws(APIError) -> [OrderTerm] {
        var scanner = QueryScanner(text)
        var terms: [OrderTerm] = []
        repeat {
            guard let name = scanner.takeName() else {
                throw .unreadable(
                    "order", text, at: scanner.offset,
                    "unexpected \(scanner.found) expecting field name (* or [a..z0..9_$])")
            }
            if scanner.comes("->") { throw .unsupported("JSON paths in order are") }
            if scanner.comes("(") { throw .unsupported("Ordering by embedded resources is") }
            var term = OrderTerm(name)
            if scanner.skip(".desc") { term.descending = true } else { _ = scanner.skip(".asc") }
            if scanner.skip(".nullsfirst") {
                term.nullsFirst = true
            } else if scanner.skip(".nullslast") {
                term.nullsFirst = false
            }
            scanner.skipBlanks()
            guard terms.count < self.maxTerms else {
                throw .unsupported("More than \(self.maxTerms) terms of order are")
            }
            terms.append(term)
        } while scanner.skip(",")
        guard scanner.isAtEnd else {
            throw .unreadable(
                "order", text, at: scanner.offset,
                "unexpected \(scanner.found) expecting \"asc\", \"desc\", \"nullsfirst\" or \"nullslast\"")
        }
        return terms
    }
}
