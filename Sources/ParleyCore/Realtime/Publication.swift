/// A broadcast of a client that is not kept.
public struct Publication: Sendable, Equatable {
    /// The channel that is not to hear it; nil when the sender asked to hear itself, or has no channel.
    public var sender: ChannelID?
    public var topic: Topic
    public var broadcast: ClientBroadcast

    public init(sender: ChannelID?, topic: Topic, broadcast: ClientBroadcast) {
        self.sender = sender
        self.topic = topic
        self.broadcast = broadcast
    }
}
