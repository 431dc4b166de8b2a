/// A string compared by its bytes. Swift's own comparison takes composed and decomposed characters for equal, JSON and
/// the wire do not.
struct ExactString: Hashable {
    let text: String

    init(_ text: String) { self.text = text }

    static func == (left: ExactString, right: ExactString) -> Bool { left.text.isSpelled(right.text) }

    func hash(into hasher: inout Hasher) {
        for byte in self.text.utf8 { hasher.combine(byte) }
    }
}

extension String {
    /// Equal byte for byte.
    @inline(__always)
    func isSpelled(_ other: String) -> Bool {
        self.utf8.count == other.utf8.count && self.utf8.elementsEqual(other.utf8)
    }
}
