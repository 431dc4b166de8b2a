public import FoundationEssentials

/// A typing indicator; its user is the session's, whatever the client wrote.
public struct Typing: Sendable, Equatable {
    /// Where it was typed; nil for HTTP. With the channel it ends.
    public var channel: ChannelID?
    /// The channel that is not to hear it.
    public var sender: ChannelID?
    public var conversation: UUID
    public var user: UUID
    public var isTyping: Bool

    public init(channel: ChannelID?, sender: ChannelID?, conversation: UUID, user: UUID, isTyping: Bool) {
        self.channel = channel
        self.sender = sender
        self.conversation = conversation
        self.user = user
        self.isTyping = isTyping
    }
}
