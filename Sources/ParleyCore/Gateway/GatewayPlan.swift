/// One statement to run, and how its result becomes an answer.
public struct GatewayPlan: Sendable, Equatable {
    /// How the one row the statement returns is to be read.
    public enum Shape: Sendable, Equatable {
        /// Nothing to send: 204.
        case void
        /// First column: the JSON text.
        case value
        /// First column: the JSON text; second: rows in it; third: all rows that match, null if not counted.
        case rows
    }

    public var sql: String
    /// In Postgres' text format.
    public var parameters: [String?]
    /// Run it in a read-only transaction.
    public var isReadOnly: Bool
    public var shape: Shape
    public var mediaType: MediaType
    public var range: RowRange
    public var preferences: RequestPreferences
    /// The schema to name in `Content-Profile`, when the request named it.
    public var profile: String?
    public var isHead: Bool
    /// The conversation that the statement may change, as the client named it: changes of one wait for each other.
    public var conversation: String?

    /// The answer to the statement's row.
    ///
    /// - Parameter columns: the values of the row in text format; nil for null.
    public func response(_ columns: [[UInt8]?]) throws(APIError) -> GatewayResponse {
        if self.shape == .void {
            return GatewayResponse(
                status: 204, headers: [HeaderField("Content-Range", "0-0/*")], body: [])
        }
        var rows = 1
        var total: Int?
        if self.shape == .rows {
            rows = Self.number(columns, 1) ?? 0
            total = Self.number(columns, 2)
        }
        if self.mediaType.isObject, self.shape == .rows, rows != 1 { throw .singular(rows: rows) }
        let (status, contentRange) = try self.range.answer(rows: rows, total: total)
        var headers = [
            HeaderField("Content-Range", contentRange), HeaderField("Content-Type", self.mediaType.contentType),
        ]
        if let profile { headers.append(HeaderField("Content-Profile", profile)) }
        if let applied = self.preferences.applied { headers.append(HeaderField("Preference-Applied", applied)) }
        let body = columns.first.flatMap(\.self) ?? Array("null".utf8)
        return GatewayResponse(status: status, headers: headers, body: self.isHead ? [] : body)
    }

    private static func number(_ columns: [[UInt8]?], _ index: Int) -> Int? {
        guard columns.indices.contains(index), let text = columns[index] else { return nil }
        return Int(String(decoding: text, as: UTF8.self))
    }
}
