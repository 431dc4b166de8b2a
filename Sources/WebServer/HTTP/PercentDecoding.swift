/// Percent-decoding of paths and queries (RFC 3986, and `application/x-www-form-urlencoded` for "+").
enum PercentDecoding {
    /// - Returns: nil when the bytes do not decode to valid UTF-8 or hold a NUL. A "%" without two hex digits stands
    ///   for itself, as browsers have it.
    static func decode(_ bytes: some Collection<UInt8>, plusIsSpace: Bool) -> String? {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index != bytes.endIndex {
            let byte = bytes[index]
            index = bytes.index(after: index)
            if byte == UInt8(ascii: "%"), let end = bytes.index(index, offsetBy: 2, limitedBy: bytes.endIndex),
                let high = hex(bytes[index]), let low = hex(bytes[bytes.index(after: index)])
            {
                out.append(high << 4 | low)
                index = end
            } else if plusIsSpace, byte == UInt8(ascii: "+") {
                out.append(UInt8(ascii: " "))
            } else {
                out.append(byte)
            }
        }
        guard !out.contains(0) else { return nil }
        return String(validating: out, as: UTF8.self)
    }

    /// Splits a query string into decoded pairs. - Returns: nil when a part does not decode.
    static func query(_ bytes: some Collection<UInt8>) -> [(name: String, value: String)]? {
        var pairs: [(name: String, value: String)] = []
        for part in bytes.split(separator: UInt8(ascii: "&")) {
            let name = part.prefix { $0 != UInt8(ascii: "=") }
            let value = part.dropFirst(name.count + 1)
            guard let name = decode(name, plusIsSpace: true), let value = decode(value, plusIsSpace: true) else {
                return nil
            }
            pairs.append((name, value))
        }
        return pairs
    }

    private static func hex(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
