public import FoundationEssentials

/// Who types where, so that nobody seems to type forever: what was announced ends with a stop of its author's, with the
/// author's channel, or some seconds after the last sign of life.
public struct TypingTable: Sendable {
    public struct Key: Hashable, Sendable {
        public var user: UUID
        public var conversation: UUID

        public init(user: UUID, conversation: UUID) {
            self.user = user
            self.conversation = conversation
        }
    }

    private struct Entry {
        var channel: ChannelID?
        var endsAt: Int64
    }

    /// Nanoseconds for which one start counts.
    private let lifetime: Int64
    private let capacity: Int
    private var throttle: Throttle<Key>
    private var entries: [Key: Entry] = [:]
    /// A channel belongs to one user and one conversation.
    private var channels: [ChannelID: Key] = [:]

    /// - Parameters:
    ///   - lifetime: nanoseconds.
    ///   - capacity: who is remembered at a time; one more is not announced.
    public init(lifetime: Int64 = 6_000_000_000, capacity: Int = 65_536) {
        self.lifetime = lifetime
        self.capacity = capacity
        self.throttle = Throttle(capacity: capacity)
    }

    /// Who was announced to type and has not stopped since.
    public var count: Int { self.entries.count }

    /// A start or a stop of a client; answers whether the others are told, which they are at most once a second, and of
    /// the one stop that ends a start always.
    ///
    /// - Parameter now: monotonic nanoseconds, of any origin.
    public mutating func announces(_ typing: Typing, now: Int64) -> Bool {
        let key = Key(user: typing.user, conversation: typing.conversation)
        guard typing.isTyping else {
            let ends = self.forget(key)
            return self.throttle.allows(key, now: now) || ends
        }
        guard self.entries[key] != nil || self.entries.count < self.capacity else { return false }
        let isAllowed = self.throttle.allows(key, now: now)
        // A start that comes too soon to be told still says that its author is there.
        guard isAllowed || self.entries[key] != nil else { return false }
        _ = self.forget(key)
        self.entries[key] = Entry(channel: typing.channel, endsAt: now + self.lifetime)
        if let channel = typing.channel { self.channels[channel] = key }
        return isAllowed
    }

    /// A channel is gone; answers whose typing ended with it.
    public mutating func drop(_ channel: ChannelID) -> Key? {
        guard let key = self.channels[channel] else { return nil }
        _ = self.forget(key)
        return key
    }

    /// Whose time is over.
    public mutating func expire(now: Int64) -> [Key] {
        let over = self.entries.filter { $0.value.endsAt <= now }.map(\.key)
        for key in over { _ = self.forget(key) }
        return over
    }

    private mutating func forget(_ key: Key) -> Bool {
        guard let entry = self.entries.removeValue(forKey: key) else { return false }
        if let channel = entry.channel { self.channels[channel] = nil }
        return true
    }
}
