/// Puts JSON text together piece by piece. Strings are escaped; for `raw` pieces and punctuation the caller answers.
public struct JSONWriter: Sendable {
    /// What was written so far.
    public private(set) var bytes: [UInt8] = []

    public init(capacity: Int = 0) {
        if capacity > 0 { self.bytes.reserveCapacity(capacity) }
    }

    /// Text that already is JSON.
    @inline(__always)
    public mutating func raw(_ text: String) { self.bytes.append(contentsOf: text.utf8) }

    /// Bytes that already are JSON.
    @inline(__always)
    public mutating func raw(_ bytes: [UInt8]) { self.bytes.append(contentsOf: bytes) }

    /// Bytes that already are JSON.
    @inline(__always)
    public mutating func raw(_ bytes: ArraySlice<UInt8>) { self.bytes.append(contentsOf: bytes) }

    /// One byte of punctuation.
    @inline(__always)
    public mutating func byte(_ byte: UInt8) { self.bytes.append(byte) }

    public mutating func null() { self.raw("null") }

    public mutating func bool(_ value: Bool) { self.raw(value ? "true" : "false") }

    public mutating func int(_ value: some FixedWidthInteger) { self.raw(String(value)) }

    /// A quoted and escaped string.
    public mutating func string(_ text: String) {
        self.bytes.append(UInt8(ascii: "\""))
        self.escaped(text)
        self.bytes.append(UInt8(ascii: "\""))
    }

    /// A string, or `null`.
    public mutating func stringOrNull(_ text: String?) {
        if let text { self.string(text) } else { self.null() }
    }

    /// The inside of a string, without its quotes. Escapes quote, backslash and control characters, nothing else.
    public mutating func escaped(_ text: String) {
        var clean = true
        for byte in text.utf8 where byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
            clean = false
            break
        }
        if clean {
            self.bytes.append(contentsOf: text.utf8)
            return
        }
        for byte in text.utf8 { self.escaped(byte) }
    }

    private mutating func escaped(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): self.raw("\\\"")
        case UInt8(ascii: "\\"): self.raw("\\\\")
        case 0x0A: self.raw("\\n")
        case 0x0D: self.raw("\\r")
        case 0x09: self.raw("\\t")
        case 0x08: self.raw("\\b")
        case 0x0C: self.raw("\\f")
        case 0..<0x20:
            self.raw("\\u00")
            self.bytes.append(Hex.digit(byte >> 4))
            self.bytes.append(Hex.digit(byte & 15))
        default: self.bytes.append(byte)
        }
    }
}
