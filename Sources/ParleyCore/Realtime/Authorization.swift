/// A question to the access rule.
public struct Authorization: Sendable, Equatable {
    public var channel: ChannelID
    public var topic: Topic
    public var token: SessionToken
    public var replay: ReplayRequest
    /// True when a live channel only exchanges its token.
    public var isRefresh: Bool
}
