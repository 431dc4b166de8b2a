/// Counters of the WebSocket service since its start, and gauges of the moment. Nothing is decided by them.
public struct RealtimeMetrics: Sendable, Equatable {
    /// Gauge: live channels.
    public var channels = 0
    /// Gauge: commands of sockets, running or waiting.
    public var commands = 0
    public var joinsRefused = 0
    /// Frames handed to sockets for events of the log.
    public var deliveries = 0
    /// Broadcasts and typing that a socket with a full queue did not get.
    public var ephemeralDropped = 0
    /// Frames of clients that are no messages.
    public var framesRefused = 0
    /// Broadcasts beyond the bytes of their user or topic.
    public var broadcastsRefused = 0

    public init() {}
}
