/// The grammar of RFC 8259 over bytes already known to be UTF-8. Builds nothing, allocates nothing, does not recurse.
///
/// It bounds what a text of a given length may become: Postgres writes every number out, so that `1e131071` is 131,072
/// digits, and gives every value a place of its own.
enum JSONScanner {
    /// Digits of a number before its exponent. A `numeric` of money, and every Double, needs far fewer.
    static let maxDigits = 100
    /// Doubles end at 308.
    static let maxExponent = 400
    /// Values within one value, those in containers included.
    static let maxValues = 65_536

    /// Refuses text that is not UTF-8, so that every later step may look at single bytes.
    static func checkUTF8(_ bytes: Span<UInt8>) throws(JSONError) {
        do {
            _ = try UTF8Span(validating: bytes)
        } catch {
            throw JSONError(.invalidUTF8, at: error.byteOffsets.lowerBound)
        }
    }

    @inline(__always)
    static func skipSpace(_ bytes: Span<UInt8>, _ index: inout Int) {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x0A, 0x0D, 0x09: index += 1
            default: return
            }
        }
    }

    /// The byte at `index`, or the error that the text ended.
    @inline(__always)
    static func byte(_ bytes: Span<UInt8>, _ index: Int) throws(JSONError) -> UInt8 {
        guard index < bytes.count else { throw JSONError(.unexpectedEnd, at: bytes.count) }
        return bytes[index]
    }

    @inline(__always)
    static func expect(_ wanted: UInt8, _ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) {
        guard try byte(bytes, index) == wanted else { throw JSONError(.unexpectedByte, at: index) }
        index += 1
    }

    /// Only white space may follow.
    static func expectEnd(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) {
        skipSpace(bytes, &index)
        guard index == bytes.count else { throw JSONError(.trailingBytes, at: index) }
    }

    /// Moves past one value that starts at `index` (no leading white space); at most `maxDepth` containers deep.
    static func skipValue(_ bytes: Span<UInt8>, _ index: inout Int, maxDepth: Int) throws(JSONError) {
        var open = ContainerStack()
        var values = 0
        value: while true {
            values += 1
            guard values <= Self.maxValues else { throw JSONError(.tooManyValues, at: index) }
            let first = try byte(bytes, index)
            switch first {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                guard open.count < maxDepth else { throw JSONError(.tooDeep, at: index) }
                let isObject = first == UInt8(ascii: "{")
                index += 1
                skipSpace(bytes, &index)
                if try byte(bytes, index) == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    index += 1
                } else {
                    open.push(isObject: isObject)
                    if isObject { try skipKey(bytes, &index) }
                    continue value
                }
            default:
                try skipScalar(bytes, &index)
            }
            // A value ended: go on to the next one, or close what closes here.
            while open.count > 0 {
                skipSpace(bytes, &index)
                let next = try byte(bytes, index)
                if next == UInt8(ascii: ",") {
                    index += 1
                    skipSpace(bytes, &index)
                    if open.isObject { try skipKey(bytes, &index) }
                    continue value
                }
                guard next == (open.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                    throw JSONError(.unexpectedByte, at: index)
                }
                index += 1
                open.pop()
            }
            return
        }
    }

    /// A member name, its colon, and the white space around them.
    @inline(__always)
    static func skipKey(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) {
        _ = try skipString(bytes, &index)
        try skipColon(bytes, &index)
    }

    /// The colon behind a member name, and the white space around it.
    @inline(__always)
    static func skipColon(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) {
        skipSpace(bytes, &index)
        try expect(UInt8(ascii: ":"), bytes, &index)
        skipSpace(bytes, &index)
    }

    /// Past an opening byte to the first item (true), or past an empty container (false).
    static func enter(_ bytes: Span<UInt8>, _ index: inout Int, closing: UInt8) throws(JSONError) -> Bool {
        index += 1
        skipSpace(bytes, &index)
        guard try byte(bytes, index) == closing else { return true }
        index += 1
        return false
    }

    /// Past a comma and the white space behind it (true), or past the closing byte (false).
    static func another(_ bytes: Span<UInt8>, _ index: inout Int, closing: UInt8) throws(JSONError) -> Bool {
        skipSpace(bytes, &index)
        let next = try byte(bytes, index)
        guard next == UInt8(ascii: ",") || next == closing else { throw JSONError(.unexpectedByte, at: index) }
        index += 1
        guard next != closing else { return false }
        skipSpace(bytes, &index)
        return true
    }

    /// A string, a number or a word.
    static func skipScalar(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) {
        switch try byte(bytes, index) {
        case UInt8(ascii: "\""): _ = try skipString(bytes, &index)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try skipNumber(bytes, &index)
        case UInt8(ascii: "t"): try skipWord("true", bytes, &index)
        case UInt8(ascii: "f"): try skipWord("false", bytes, &index)
        case UInt8(ascii: "n"): try skipWord("null", bytes, &index)
        default: throw JSONError(.unexpectedByte, at: index)
        }
    }

    private static func skipWord(_ word: String, _ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) {
        for wanted in word.utf8 { try expect(wanted, bytes, &index) }
    }

    /// Moves past a string, both quotes included; answers whether it contains an escape.
    static func skipString(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) -> Bool {
        try expect(UInt8(ascii: "\""), bytes, &index)
        var escaped = false
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") {
                index += 1
                return escaped
            }
            if byte == UInt8(ascii: "\\") {
                escaped = true
                _ = try escape(bytes, &index)
            } else if byte < 0x20 {
                throw JSONError(.controlCharacter, at: index)
            } else {
                index += 1
            }
        }
        throw JSONError(.unexpectedEnd, at: bytes.count)
    }

    /// Moves past one escape (a surrogate pair is one) and answers the character it stands for.
    static func escape(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) -> Unicode.Scalar {
        let start = index
        let letter = try byte(bytes, index + 1)
        index += 2
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(letter)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw JSONError(.invalidEscape, at: start)
        }
        let first = try hexQuad(bytes, &index)
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, index + 1 < bytes.count, bytes[index] == UInt8(ascii: "\\"),
            bytes[index + 1] == UInt8(ascii: "u")
        else { throw JSONError(.loneSurrogate, at: start) }
        index += 2
        let second = try hexQuad(bytes, &index)
        guard second >= 0xDC00, second < 0xE000,
            let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
        else { throw JSONError(.loneSurrogate, at: start) }
        return scalar
    }

    private static func hexQuad(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Hex.value(of: try byte(bytes, index)) else { throw JSONError(.invalidEscape, at: index) }
            value = value << 4 | UInt32(digit)
            index += 1
        }
        return value
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`, within the bounds above.
    static func skipNumber(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) {
        if bytes[index] == UInt8(ascii: "-") { index += 1 }
        let first = index
        var digits = try skipDigits(bytes, &index)
        if bytes[first] == UInt8(ascii: "0"), index > first + 1 { throw JSONError(.invalidNumber, at: first) }
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            index += 1
            digits += try skipDigits(bytes, &index)
        }
        guard digits <= Self.maxDigits else { throw JSONError(.numberTooLarge, at: first) }
        if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
            index += 1
            if index < bytes.count, bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-") {
                index += 1
            }
            let start = index
            _ = try skipDigits(bytes, &index)
            var exponent = 0
            for place in start..<index where exponent <= Self.maxExponent {
                exponent = exponent * 10 + Int(bytes[place] - UInt8(ascii: "0"))
            }
            guard exponent <= Self.maxExponent else { throw JSONError(.numberTooLarge, at: first) }
        }
    }

    /// One digit or more; answers how many.
    @inline(__always)
    private static func skipDigits(_ bytes: Span<UInt8>, _ index: inout Int) throws(JSONError) -> Int {
        let start = index
        while index < bytes.count, bytes[index] &- UInt8(ascii: "0") < 10 { index += 1 }
        guard index > start else {
            throw JSONError(start < bytes.count ? .invalidNumber : .unexpectedEnd, at: start)
        }
        return index - start
    }
}

/// Which containers are open, one bit each; spills to the heap only beyond 64.
private struct ContainerStack {
    private var bits: UInt64 = 0
    private var spilled: [UInt64] = []
    private(set) var count = 0

    var isObject: Bool { self.bits & 1 == 1 }

    @inline(__always)
    mutating func push(isObject: Bool) {
        if self.count > 0, self.count % 64 == 0 {
            self.spilled.append(self.bits)
            self.bits = 0
        }
        self.bits = self.bits << 1 | (isObject ? 1 : 0)
        self.count += 1
    }

    @inline(__always)
    mutating func pop() {
        self.bits >>= 1
        self.count -= 1
        if self.count > 0, self.count % 64 == 0 { self.bits = self.spilled.removeLast() }
    }
}
