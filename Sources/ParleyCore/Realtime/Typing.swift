public import FoundationEssentials

/// A typing indicator; its user is the session's, whatever the client wrote.
public struct Typing: Sendable, Equatable {
    /// The channel that is not to hear it.
    public var sender: ChannelID?
    public var conversation: UUID
    public var user: UUID
    public var isTyping: Bool

    public init(sender: ChannelID?, conversation: UUID, user: UUID, isTyping: Bool) {
        self.sender = sender
        self.conversation = conversation
        self.user = user
        self.isTyping = isTyping
    }
}
