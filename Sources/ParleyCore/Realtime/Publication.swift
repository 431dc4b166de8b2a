public import FoundationEssentials

/// A broadcast of a client that is not kept.
public struct Publication: Sendable, Equatable {
    /// The channel that is not to hear it; nil when the sender asked to hear itself, or has no channel.
    public var sender: ChannelID?
    /// Whose it is; nil for the service.
    public var user: UUID?
    public var topic: Topic
    public var broadcast: ClientBroadcast

    public init(sender: ChannelID?, user: UUID?, topic: Topic, broadcast: ClientBroadcast) {
        self.sender = sender
        self.user = user
        self.topic = topic
        self.broadcast = broadcast
    }
}
