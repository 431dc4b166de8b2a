/// A JSON number, kept as it was written: an `int8` or a `numeric` must not pass through a Double.
///
/// Two numbers are equal if they are written alike: `1` and `1.0` differ.
public struct JSONNumber: Sendable, Hashable, CustomStringConvertible {
    /// The text, valid by RFC 8259 section 6.
    public let text: String

    public var description: String { self.text }

    /// Nil if `text` is not exactly one JSON number.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        let span = bytes.span
        guard let first = bytes.first, first == UInt8(ascii: "-") || Hex.value(of: first) ?? 10 < 10 else { return nil }
        var index = 0
        do { try JSONScanner.skipNumber(span, &index) } catch { return nil }
        guard index == bytes.count else { return nil }
        self.text = text
    }

    public init(_ value: some FixedWidthInteger) { self.text = String(value) }

    init(scanned text: String) { self.text = text }

    /// The value, if it is written as an integer (no fraction, no exponent) and fits.
    public var int64: Int64? { Int64(self.text) }

    /// The nearest Double; huge exponents give infinity.
    public var double: Double { Double(self.text) ?? .nan }
}
