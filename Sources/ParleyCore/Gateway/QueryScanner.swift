/// A cursor over the text of one query parameter, with the lexical rules PostgREST's grammar shares between
/// `select`, `order` and filters.
struct QueryScanner {
    let bytes: [UInt8]
    private(set) var offset = 0

    init(_ text: String) { self.bytes = Array(text.utf8) }

    var isAtEnd: Bool { self.offset == self.bytes.count }
    var next: UInt8? { self.isAtEnd ? nil : self.bytes[self.offset] }
    /// Everything not yet read.
    var rest: String { String(decoding: self.bytes[self.offset...], as: UTF8.self) }

    /// What stands at the cursor, for an error's text.
    var found: String {
        self.isAtEnd ? "end of input" : "\"" + String(self.rest.prefix(1)) + "\""
    }

    /// Steps over `literal` if it comes next.
    mutating func skip(_ literal: String) -> Bool {
        let wanted = Array(literal.utf8)
        guard self.bytes[self.offset...].starts(with: wanted) else { return false }
        self.offset += wanted.count
        return true
    }

    func comes(_ literal: String) -> Bool { self.bytes[self.offset...].starts(with: Array(literal.utf8)) }

    mutating func skipBlanks() {
        while let byte = self.next, byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { self.offset += 1 }
    }

    /// The longest run of bytes that satisfy `condition`.
    mutating func take(while condition: (UInt8) -> Bool) -> String {
        let start = self.offset
        while let byte = self.next, condition(byte) { self.offset += 1 }
        return String(decoding: self.bytes[start..<self.offset], as: UTF8.self)
    }

    /// A text in double quotes in which a backslash makes the next character literal; nil, cursor unmoved, when the
    /// closing quote is missing or no quote comes.
    mutating func takeQuoted() -> String? {
        guard self.next == UInt8(ascii: "\"") else { return nil }
        var position = self.offset + 1
        var text: [UInt8] = []
        while position < self.bytes.count {
            switch self.bytes[position] {
            case UInt8(ascii: "\""):
                self.offset = position + 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard position + 1 < self.bytes.count else { return nil }
                text.append(self.bytes[position + 1])
                position += 2
            case let byte:
                text.append(byte)
                position += 1
            }
        }
        return nil
    }

    /// A field name: quoted, or letters, digits, `_`, `$`, inner blanks and dashes (`->` begins a JSON path).
    mutating func takeName() -> String? {
        self.skipBlanks()
        if let quoted = self.takeQuoted() {
            self.skipBlanks()
            return quoted
        }
        let start = self.offset
        while let byte = self.next {
            let isDash = byte == UInt8(ascii: "-") && !self.comes("->")
            guard isDash || Self.isNameByte(byte) else { break }
            self.offset += 1
        }
        var end = self.offset
        while end > start, self.bytes[end - 1] == UInt8(ascii: " ") || self.bytes[end - 1] == UInt8(ascii: "\t") {
            end -= 1
        }
        guard end > start else { return nil }
        return String(decoding: self.bytes[start..<end], as: UTF8.self)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"), UInt8(ascii: " "),
            UInt8(ascii: "\t"), 0x80...:
            true
        default: false
        }
    }
}
