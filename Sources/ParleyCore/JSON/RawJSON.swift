/// One well-formed JSON value inside a text, not parsed further: a view of the bytes as they were sent.
public struct RawJSON: Sendable {
    public enum Kind: Sendable { case null, bool, number, string, array, object }

    /// Names of members to pick out of an object.
    public struct Keys: Sendable, ExpressibleByArrayLiteral {
        let names: [[UInt8]]

        public init(_ names: [String]) { self.names = names.map { Array($0.utf8) } }
        public init(arrayLiteral elements: String...) { self.init(elements) }
    }

    let storage: [UInt8]
    let range: Range<Int>
    public let kind: Kind

    init(storage: [UInt8], range: Range<Int>) {
        self.storage = storage
        self.range = range
        self.kind = Self.kind(of: storage[range.lowerBound])
    }

    /// Checks that `bytes` are one whole JSON value in UTF-8, no deeper than `maxDepth`.
    public init(_ bytes: [UInt8], maxDepth: Int = 64) throws(JSONError) {
        let span = bytes.span
        try JSONScanner.checkUTF8(span)
        var index = 0
        JSONScanner.skipSpace(span, &index)
        let start = index
        try JSONScanner.skipValue(span, &index, maxDepth: maxDepth)
        let end = index
        try JSONScanner.expectEnd(span, &index)
        self.init(storage: bytes, range: start..<end)
    }

    /// A string that needs no escapes.
    init(plain text: String) {
        let bytes = [UInt8]("\"\(text)\"".utf8)
        self.init(storage: bytes, range: bytes.indices)
    }

    /// Bytes of the text.
    var count: Int { self.range.count }

    /// The text of the value, without white space around it.
    public var bytes: [UInt8] {
        self.range == self.storage.indices ? self.storage : Array(self.storage[self.range])
    }

    /// Whether a string anywhere in the value, or the name of a member, holds the character U+0000, which no text of
    /// Postgres can.
    public var holdsZero: Bool { Self.holdsZero(self.storage[self.range]) }

    /// The same for text that was scanned before: there a backslash stands in strings only.
    static func holdsZero(_ json: some Collection<UInt8>) -> Bool {
        let zero = Array("u0000".utf8)
        var rest = json[...]
        while let start = rest.firstIndex(of: UInt8(ascii: "\\")) {
            rest = rest[start...].dropFirst()
            if rest.starts(with: zero) { return true }
            rest = rest.dropFirst()
        }
        return false
    }

    public var isNull: Bool { self.kind == .null }

    public var bool: Bool? { self.kind == .bool ? self.storage[self.range.lowerBound] == UInt8(ascii: "t") : nil }

    public var string: String? { self.kind == .string ? JSONText.string(self.storage, self.range) : nil }

    public var number: JSONNumber? {
        guard self.kind == .number else { return nil }
        return JSONNumber(scanned: String(decoding: self.storage[self.range], as: UTF8.self))
    }

    /// A number written as an integer that fits.
    public var int64: Int64? { self.number?.int64 }

    static func kind(of first: UInt8) -> Kind {
        switch first {
        case UInt8(ascii: "{"): .object
        case UInt8(ascii: "["): .array
        case UInt8(ascii: "\""): .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): .bool
        case UInt8(ascii: "n"): .null
        default: .number
        }
    }
}
