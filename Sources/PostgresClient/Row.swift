public import FoundationEssentials

/// One row of a result. Values are PostgreSQL's text format; asking for a column that is not there is a programming
/// error and traps.
public struct Row: Sendable {
    private let storage: RowStorage
    private let index: Int

    init(storage: RowStorage, index: Int) {
        self.storage = storage
        self.index = index
    }

    public var count: Int { self.storage.columns.count }

    /// The value's bytes; nil for null.
    public subscript(_ column: Int) -> [UInt8]? { self.withBytes(column) { $0.map { Array($0) } } }

    /// The value of the first column of that name; nil for null.
    public subscript(_ name: String) -> [UInt8]? { self[self.column(name)] }

    /// The value without a copy; nil for null. The buffer is valid only inside `body`.
    public func withBytes<Result>(_ column: Int, _ body: (UnsafeBufferPointer<UInt8>?) -> Result) -> Result {
        self.storage.withValue(row: self.index, column: column, body)
    }

    public func isNull(_ column: Int) -> Bool { self.withBytes(column) { $0 == nil } }

    /// Nil for null.
    public func string(_ column: Int) -> String? {
        self.withBytes(column) { $0.map { String(decoding: $0, as: UTF8.self) } }
    }

    /// Nil for null and for what is not an integer of 64 bits.
    public func int64(_ column: Int) -> Int64? { self.withBytes(column) { $0.flatMap { Self.decimal($0) } } }

    /// Nil for null and for what is not an unsigned integer of 64 bits (`xid8`).
    public func uint64(_ column: Int) -> UInt64? { self.withBytes(column) { $0.flatMap { Self.decimal($0) } } }

    /// `t` or `f`; nil for null and for anything else.
    public func bool(_ column: Int) -> Bool? {
        self.withBytes(column) { bytes in
            guard let bytes, bytes.count == 1 else { return nil }
            switch bytes[0] {
            case UInt8(ascii: "t"): return true
            case UInt8(ascii: "f"): return false
            default: return nil
            }
        }
    }

    /// Nil for null and for what is not a uuid as PostgreSQL prints it (36 characters).
    public func uuid(_ column: Int) -> UUID? { self.withBytes(column) { $0.flatMap { Self.uuid($0) } } }

    public func string(_ name: String) -> String? { self.string(self.column(name)) }
    public func int64(_ name: String) -> Int64? { self.int64(self.column(name)) }
    public func uint64(_ name: String) -> UInt64? { self.uint64(self.column(name)) }
    public func bool(_ name: String) -> Bool? { self.bool(self.column(name)) }
    public func uuid(_ name: String) -> UUID? { self.uuid(self.column(name)) }

    private func column(_ name: String) -> Int {
        guard let column = self.storage.columns.firstIndex(of: name) else {
            preconditionFailure("the result has no column \(name)")
        }
        return column
    }

    private static func decimal<Number: FixedWidthInteger>(_ bytes: UnsafeBufferPointer<UInt8>) -> Number? {
        var digits = bytes[...]
        let negative = digits.first == UInt8(ascii: "-")
        if negative { digits = digits.dropFirst() }
        guard !digits.isEmpty else { return nil }
        var number: Number = 0
        for byte in digits {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let (shifted, overflow) = number.multipliedReportingOverflow(by: 10)
            let digit = Number(byte - UInt8(ascii: "0"))
            // Negative numbers are built downwards, so that the least one fits.
            let (sum, carry) =
                negative ? shifted.subtractingReportingOverflow(digit) : shifted.addingReportingOverflow(digit)
            if overflow || carry { return nil }
            number = sum
        }
        return number
    }

    private static func uuid(_ text: UnsafeBufferPointer<UInt8>) -> UUID? {
        guard text.count == 36 else { return nil }
        var bytes: uuid_t = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        let complete = withUnsafeMutableBytes(of: &bytes) { bytes in
            var at = 0
            for index in 0..<16 {
                if index == 4 || index == 6 || index == 8 || index == 10 {
                    guard text[at] == UInt8(ascii: "-") else { return false }
                    at += 1
                }
                guard let high = Self.nibble(text[at]), let low = Self.nibble(text[at + 1]) else { return false }
                bytes[index] = high << 4 | low
                at += 2
            }
            return true
        }
        return complete ? UUID(uuid: bytes) : nil
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
