/// Counters of the WebSocket service since its start. Gauges are current values.
public struct RealtimeMetrics: Sendable, Equatable {
    /// Gauge: open sockets.
    public var connections = 0
    /// Gauge: live channels.
    public var channels = 0
    /// Gauge: calls to the database on behalf of sockets, running or waiting.
    public var calls = 0
    public var connectionsOpened = 0
    public var upgradesRefused = 0
    public var joinsAccepted = 0
    public var joinsRefused = 0
    public var framesReceived = 0
    public var framesMalformed = 0
    /// Events of the log that came from the tail.
    public var logEvents = 0
    /// Frames handed to sockets for events of the log.
    public var deliveries = 0
    /// Frames handed to sockets for broadcasts, typing and presence.
    public var ephemeralDeliveries = 0
    /// Broadcasts and typing that a socket with a full queue did not get.
    public var ephemeralDropped = 0
    /// Typing indicators that the throttle kept back.
    public var typingThrottled = 0
    /// Channels closed because their user lost the right to read.
    public var revocations = 0
    public var callsFailed = 0
    /// Calls that were committed together with others.
    public var callsShared = 0

    public init() {}
}
