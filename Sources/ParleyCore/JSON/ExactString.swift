/// A string compared by its bytes. Swift's own comparison takes composed and decomposed characters for equal, JSON and
/// the wire do not.
struct ExactString: Hashable {
    let text: String

    init(_ text: String) { self.text = text }

    static func == (left: ExactString, right: ExactString) -> Bool { left.text.isSpelled(right.text) }

    /// Over the bytes too: Swift's own hash is the same for every spelling of a character, so a hostile object could
    /// make all its names collide.
    func hash(into hasher: inout Hasher) {
        let bytes = self.text.utf8Span.span
        var word: UInt64 = 0
        for index in bytes.indices {
            word = word << 8 | UInt64(bytes[index])
            if index & 7 == 7 { hasher.combine(word) }
        }
        hasher.combine(word)
        hasher.combine(bytes.count)
    }
}

extension String {
    /// Equal byte for byte.
    @inline(__always)
    func isSpelled(_ other: String) -> Bool {
        self.utf8.count == other.utf8.count && self.utf8.elementsEqual(other.utf8)
    }
}
