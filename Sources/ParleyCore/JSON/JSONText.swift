/// Strings out of scanned JSON text.
enum JSONText {
    /// The string whose literal, quotes included, fills `range` of `bytes`. The literal was scanned before.
    static func string(_ bytes: [UInt8], _ range: Range<Int>) -> String {
        let inner = range.lowerBound + 1..<range.upperBound - 1
        let span = bytes.span
        var index = inner.lowerBound
        while index < inner.upperBound, span[index] != UInt8(ascii: "\\") { index += 1 }
        if index == inner.upperBound { return String(decoding: bytes[inner], as: UTF8.self) }

        var text: [UInt8] = []
        text.reserveCapacity(inner.count)
        text.append(contentsOf: bytes[inner.lowerBound..<index])
        while index < inner.upperBound {
            if span[index] != UInt8(ascii: "\\") {
                text.append(span[index])
                index += 1
            } else if let scalar = try? JSONScanner.escape(span, &index) {
                text.append(contentsOf: scalar.utf8)
            } else {
                preconditionFailure("the literal was not scanned")
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Whether the scanned literal in `range` of `bytes` spells `name`, with or without escapes.
    static func literal(_ bytes: Span<UInt8>, _ range: Range<Int>, spells name: [UInt8]) -> Bool {
        var index = range.lowerBound + 1
        let end = range.upperBound - 1
        var matched = 0
        while index < end {
            if bytes[index] == UInt8(ascii: "\\") {
                guard let scalar = try? JSONScanner.escape(bytes, &index) else { return false }
                for unit in scalar.utf8 {
                    guard matched < name.count, name[matched] == unit else { return false }
                    matched += 1
                }
            } else {
                guard matched < name.count, name[matched] == bytes[index] else { return false }
                index += 1
                matched += 1
            }
        }
        return matched == name.count
    }
}
