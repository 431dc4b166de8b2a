/// Which rows of a result are asked for, from `limit` and `offset` and the `Range` header together.
public struct RowRange: Sendable, Equatable {
    /// Rows to step over.
    public var offset: Int
    /// Most rows to return; nil for all there are.
    public var limit: Int?

    public init(offset: Int = 0, limit: Int? = nil) {
        self.offset = offset
        self.limit = limit
    }

    /// Reads the texts of the request and intersects both ranges, as PostgREST does.
    ///
    /// - Parameter header: the value of `Range`, for example `0-14`; one in another unit is ignored, as RFC 9110
    ///   section 14.2 asks.
    public init(limit: String?, offset: String?, header: String?) throws(APIError) {
        var range = RowRange()
        if let offset {
            guard let number = Self.number(offset) else {
                throw .unreadable("offset", offset, at: 0, "expecting a whole number")
            }
            guard number >= 0 else { throw .range("Offset should be greater than or equal to zero.") }
            range.offset = number
        }
        if let limit {
            guard let number = Self.number(limit) else {
                throw .unreadable("limit", limit, at: 0, "expecting a whole number")
            }
            guard number >= 0 else { throw .range("Limit should be greater than or equal to zero.") }
            range.limit = number
        }
        self = range
        guard let header, let (lower, upper) = Self.bounds(header) else { return }
        if let upper, upper < lower {
            throw .range("The lower boundary must be lower than or equal to the upper boundary in the Range header.")
        }
        let end = [range.end, upper.map(Self.successor)].compactMap(\.self).min()
        self.offset = max(range.offset, lower)
        self.limit = end.map { max(0, $0 - self.offset) }
        if self.limit == 0, range.limit != 0 {
            throw .range("The Range header and the limit and offset parameters have no row in common.")
        }
    }

    /// The same range with at most `most` rows.
    public func capped(at most: Int) -> RowRange {
        RowRange(offset: self.offset, limit: min(self.limit ?? most, most))
    }

    /// Status and `Content-Range` of an answer with `rows` rows out of `total`, where that was counted.
    public func answer(rows: Int, total: Int?) throws(APIError) -> (status: Int, contentRange: String) {
        if let total, self.offset > total {
            throw .range("An offset of \(self.offset) was requested, but there are only \(total) rows.", total: total)
        }
        let span = rows > 0 && total != 0 ? "\(self.offset)-\(self.offset + rows - 1)" : "*"
        let status = total.map { rows < $0 ? 206 : 200 } ?? 200
        return (status, span + "/" + (total.map(String.init) ?? "*"))
    }

    /// The first row after the range.
    private var end: Int? {
        guard let limit = self.limit else { return nil }
        let (sum, overflow) = self.offset.addingReportingOverflow(limit)
        return overflow ? .max : sum
    }

    private static func successor(_ number: Int) -> Int { number == .max ? .max : number + 1 }

    /// A decimal number; one beyond the machine's range counts as its bound.
    private static func number(_ text: String) -> Int? {
        let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
        guard !digits.isEmpty, digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return Int(text) ?? (digits.count == text.utf8.count ? .max : .min)
    }

    private static func bounds(_ header: String) -> (lower: Int, upper: Int?)? {
        let text = header.hasPrefix("items=") ? header.dropFirst("items=".count) : header[...]
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let lower = self.number(String(parts[0])), lower >= 0 else { return nil }
        if parts[1].isEmpty { return (lower, nil) }
        guard let upper = self.number(String(parts[1])), upper >= 0 else { return nil }
        return (lower, upper)
    }
}
