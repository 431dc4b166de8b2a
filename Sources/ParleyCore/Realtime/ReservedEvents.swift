/// The names that the server gives to what really happened, and that no broadcast of a client may have.
///
/// Clients compare names without regard to case, each by the rules of its own language. So both sides are folded by the
/// rules of all languages at once: full case folding, and the Turkish letters too, where capital I and i are not a pair.
public struct ReservedEvents: Sendable, Equatable {
    private let folded: Set<[UInt8]>

    public init(_ names: some Sequence<String>) { self.folded = Set(names.map(Self.fold)) }

    public func contains(_ event: String) -> Bool { self.folded.contains(Self.fold(event)) }

    /// The name in the one spelling that stands for all that some client may take for equal.
    static func fold(_ name: String) -> [UInt8] {
        if name.utf8.allSatisfy({ $0 < 0x80 }) { return name.utf8.map(Self.lowercase) }
        // Small, capital, small: full folding, as ß, SS and ss or the long s show. The capital of the dotless ı is I, and of
        // the dotted İ only the dot (U+0307) is left over; Lithuanian adds and drops the same dot.
        let folded = name.lowercased().uppercased().lowercased()
        return Array(String(String.UnicodeScalarView(folded.unicodeScalars.filter { $0 != "\u{307}" })).utf8)
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
