/// What one statement returned.
public struct ResultSet: Sendable {
    public let columns: [String]
    public let rows: [Row]
    /// Rows inserted, updated, deleted or selected, as the server's command tag says.
    public let affectedRows: Int

    /// A result made by hand: for tests of what reads results.
    public init(columns: [String], rows: [[String?]], affectedRows: Int? = nil) {
        var builder = RowStorage.Builder(columns: columns)
        for row in rows {
            for value in row { builder.append(value.map { Array($0.utf8) }) }
        }
        self.init(storage: builder.finish(rows: rows.count), affectedRows: affectedRows ?? rows.count)
    }

    init(storage: RowStorage, affectedRows: Int) {
        self.columns = storage.columns
        self.rows = (0..<storage.rowCount).map { Row(storage: storage, index: $0) }
        self.affectedRows = affectedRows
    }
}

/// The values of all rows of a result, copied once into one buffer.
final class RowStorage: Sendable {
    let columns: [String]
    /// Not to be had from the values: a row may have no columns.
    let rowCount: Int
    private let bytes: [UInt8]
    /// End offset of every value in `bytes`, row by row; a null has bit 63 set and adds no bytes.
    private let ends: [UInt64]
    private static let null: UInt64 = 1 << 63

    private init(columns: [String], rowCount: Int, bytes: [UInt8], ends: [UInt64]) {
        self.columns = columns
        self.rowCount = rowCount
        self.bytes = bytes
        self.ends = ends
    }

    func withValue<Result>(row: Int, column: Int, _ body: (UnsafeBufferPointer<UInt8>?) -> Result) -> Result {
        precondition(column >= 0 && column < self.columns.count, "the result has no such column")
        let cell = row * self.columns.count + column
        let end = self.ends[cell]
        guard end & Self.null == 0 else { return body(nil) }
        let start = cell == 0 ? 0 : self.ends[cell - 1] & ~Self.null
        return self.bytes.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[Int(start)..<Int(end)])) }
    }

    struct Builder {
        private let columns: [String]
        private var bytes: [UInt8] = []
        private var ends: [UInt64] = []

        init(columns: [String], cells: Int = 0, bytes: Int = 0) {
            self.columns = columns
            self.ends.reserveCapacity(cells)
            self.bytes.reserveCapacity(bytes)
        }

        mutating func append(_ value: (some Collection<UInt8>)?) {
            if let value { self.bytes.append(contentsOf: value) }
            self.ends.append(UInt64(self.bytes.count) | (value == nil ? RowStorage.null : 0))
        }

        consuming func finish(rows: Int) -> RowStorage {
            RowStorage(columns: self.columns, rowCount: rows, bytes: self.bytes, ends: self.ends)
        }
    }
}
