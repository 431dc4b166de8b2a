public import FoundationEssentials

extension UUID {
    /// Bytes in the text form 8-4-4-4-12.
    public static let textLength = 36

    /// Reads the text form 8-4-4-4-12, digits in either case; nil for anything else, braces included.
    public init?(text: String) { self.init(text: text.utf8Span.span) }

    /// Reads the text form from UTF-8.
    public init?(text: [UInt8]) { self.init(text: text.span) }

    /// Reads the text form from UTF-8.
    public init?(text: Span<UInt8>) {
        guard text.count == Self.textLength else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for position in 0..<Self.textLength {
            if position == 8 || position == 13 || position == 18 || position == 23 {
                guard text[position] == UInt8(ascii: "-") else { return nil }
            } else {
                guard let digit = Hex.value(of: text[position]) else { return nil }
                if position < 18 { high = high << 4 | UInt64(digit) } else { low = low << 4 | UInt64(digit) }
            }
        }
        func at(_ word: UInt64, _ place: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: word >> (56 - 8 * place)) }
        self.init(
            uuid: (
                at(high, 0), at(high, 1), at(high, 2), at(high, 3), at(high, 4), at(high, 5), at(high, 6), at(high, 7),
                at(low, 0), at(low, 1), at(low, 2), at(low, 3), at(low, 4), at(low, 5), at(low, 6), at(low, 7)
            ))
    }

    /// Appends the canonical text form, lower case.
    public func appendText(to bytes: inout [UInt8]) {
        let u = self.uuid
        let octets: [16 of UInt8] = [
            u.0, u.1, u.2, u.3, u.4, u.5, u.6, u.7, u.8, u.9, u.10, u.11, u.12, u.13, u.14, u.15,
        ]
        for index in 0..<16 {
            if index == 4 || index == 6 || index == 8 || index == 10 { bytes.append(UInt8(ascii: "-")) }
            bytes.append(Hex.digit(octets[index] >> 4))
            bytes.append(Hex.digit(octets[index] & 15))
        }
    }

    /// The canonical text form, lower case, as Postgres writes it.
    public var lowercaseText: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.textLength)
        self.appendText(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
