public import ParleyCore

/// Settings of the WebSocket service.
public struct RealtimeConfiguration: Sendable {
    /// What one socket may ask for.
    public var limits = SessionLimits()
    /// What clients may broadcast, over all sockets.
    public var broadcasts = BroadcastBudget.Limits()
    /// Live channels of one user, on all sockets.
    public var maxChannelsPerUser = 1_000
    /// Sockets at a time; the next upgrade is answered 429.
    public var maxConnections = 10_000
    /// Upgrades per second over all clients, and how many may come at once.
    public var upgradesPerSecond = 2_000.0
    public var upgradeBurst = 5_000
    /// Whose socket is silent for so long is no longer shown as present; the socket stays. Longer than two of the pings that
    /// it is sent meanwhile.
    public var presenceSilence = Duration.seconds(25)
    /// How long the database may take to decide a join.
    public var joinTimeout = AnswerTime.longest
    /// How long a command may take, all waiting included; also its `statement_timeout`.
    public var commandTimeout = AnswerTime.longest
    /// How long a command may wait for a lock that another transaction holds; then it may be sent again.
    public var lockTimeout: Duration = .seconds(2)
    /// The same for a transaction that several commands share: short, because then each of them waits by itself.
    public var sharedLockTimeout: Duration = .milliseconds(50)
    /// Commands that run or wait, of all sockets together; one more is answered as an overload. Those of a socket that has
    /// closed count until they are done.
    public var maxCommands = 16_384
    /// Rows of a replay when the client names no limit, and the most it may ask for.
    public var maxReplayRows = 1_000
    /// Payload bytes of one replay; the rest is announced as a gap.
    public var maxReplayBytes = 1 << 20
    /// Bytes that may wait in a socket's queue before a replay leaves out the rest: well below what closes the socket, so
    /// that a client which joins many channels at once is not cut off for it.
    public var maxReplayQueue = 2 << 20
    /// Bytes that may wait in a socket's queue before broadcasts of clients and typing pass it by: these are hints, and no
    /// client is to fill the queues of others until they are closed as too slow.
    public var maxEphemeralQueue = 2 << 20
    /// Deliveries after which the loop serves its sockets before it goes on with the log.
    public var deliveriesPerTurn = 20_000

    public init() {}
}
