public import FoundationEssentials

/// What a channel is about. The text form has no `realtime:` prefix; that one is the wire's.
public enum Topic: Sendable, Hashable, CustomStringConvertible {
    /// `user:<id>`: everything of one user's inbox.
    case user(UUID)
    /// `conversation:<id>`
    case conversation(UUID)
    /// `tenant:<id>:moderation`
    case moderation(UUID)
    /// Anything else. Parley lets nobody join these unless the host adds them.
    case other(String)

    /// What every topic on the wire starts with.
    public static let wirePrefix = "realtime:"

    /// Reads a topic without prefix; ids in either case.
    public init(subTopic: String) {
        if let id = Self.id(in: subTopic, after: "user:", before: "") {
            self = .user(id)
        } else if let id = Self.id(in: subTopic, after: "conversation:", before: "") {
            self = .conversation(id)
        } else if let id = Self.id(in: subTopic, after: "tenant:", before: ":moderation") {
            self = .moderation(id)
        } else {
            self = .other(subTopic)
        }
    }

    /// Reads a topic as on the wire; nil without the `realtime:` prefix.
    public init?(wire: String) {
        guard let subTopic = Self.subTopic(ofWire: wire) else { return nil }
        self.init(subTopic: subTopic)
    }

    /// What follows the `realtime:` prefix, possibly nothing; nil without the prefix.
    public static func subTopic(ofWire wire: String) -> String? {
        guard wire.utf8.starts(with: Self.wirePrefix.utf8) else { return nil }
        return String(wire.utf8.dropFirst(Self.wirePrefix.utf8.count))
    }

    /// The canonical text, ids in lower case.
    public var subTopic: String {
        switch self {
        case .user(let id): "user:" + id.lowercaseText
        case .conversation(let id): "conversation:" + id.lowercaseText
        case .moderation(let id): "tenant:" + id.lowercaseText + ":moderation"
        case .other(let text): text
        }
    }

    /// The canonical text with prefix. A client that wrote an id in upper case knows its channel by the text it sent, so
    /// frames for it carry that text.
    public var wire: String { Self.wirePrefix + self.subTopic }

    public var description: String { self.subTopic }

    private static func id(in text: String, after prefix: String, before suffix: String) -> UUID? {
        let end = prefix.utf8.count + UUID.textLength
        guard text.utf8.count == end + suffix.utf8.count, text.utf8.starts(with: prefix.utf8),
            suffix.isEmpty || text.utf8.dropFirst(end).elementsEqual(suffix.utf8)
        else { return nil }
        return UUID(text: text.utf8Span.span.extracting(prefix.utf8.count..<end))
    }
}
