/// What one socket may ask for.
public struct SessionLimits: Sendable, Equatable {
    /// Channels at a time, joining ones included.
    public var maxChannels = 100
    /// Joins per second, and how many may come at once: a client that reconnects joins all its channels together.
    public var joinsPerSecond = 50.0
    public var joinBurst = 200
    /// Frames per second from the client, heartbeats included, and how many may come at once.
    public var eventsPerSecond = 100.0
    public var eventBurst = 500
    /// Presence calls of one channel within `presenceWindow` seconds.
    public var presenceCalls = 5
    public var presenceWindow: Int64 = 30
    /// Bytes of one broadcast payload.
    public var maxBroadcastBytes = 256 << 10
    /// Messages kept for a channel whose join is not decided yet. One more is refused.
    public var maxDeferred = 32
    /// Bytes of such messages of the whole socket. What does not fit is refused.
    public var maxDeferredBytes = 256 << 10
    /// Commands that may wait for one socket.
    public var maxPendingCommands = 256
    /// Seconds after which a socket without any channel is closed.
    public var secondsWithoutChannel: Int64 = 60

    public init() {}
}
