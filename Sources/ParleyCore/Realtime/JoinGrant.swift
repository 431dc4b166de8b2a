public import FoundationEssentials

/// What the database answered to a join that it allows.
public struct JoinGrant: Sendable, Equatable {
    /// A conversation the subscriber may follow, with the first message seq visible to it.
    public struct Conversation: Sendable, Equatable {
        public var id: UUID
        public var historyFrom: Int64

        public init(id: UUID, historyFrom: Int64) {
            self.id = id
            self.historyFrom = historyFrom
        }
    }

    /// The position of the statement that decided: events it contains are history, all others are still to come.
    public var position: LogCursor
    /// All conversations of an inbox; the one of a conversation topic.
    public var conversations: [Conversation]
    /// Typing and presence are not passed on in the conversation of the topic.
    public var isQuiet: Bool
    /// The user does not show that they are present.
    public var hidesPresence: Bool

    public init(
        position: LogCursor, conversations: [Conversation], isQuiet: Bool = false, hidesPresence: Bool = false
    ) {
        self.position = position
        self.conversations = conversations
        self.isQuiet = isQuiet
        self.hidesPresence = hidesPresence
    }
}
