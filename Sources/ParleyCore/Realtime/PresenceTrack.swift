/// A presence that a channel wants to show.
public struct PresenceTrack: Sendable, Equatable {
    public var channel: ChannelID
    public var key: String
    public var fields: JSONObject
    /// Where the answer goes.
    public var joinRef: String?
    public var ref: String?
}
