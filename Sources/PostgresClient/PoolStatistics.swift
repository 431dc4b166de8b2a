/// A pool at one moment, and what it has done so far.
public struct PoolStatistics: Sendable, Equatable {
    /// Connections that are up.
    public var connected = 0
    /// Transactions sent and not answered.
    public var inFlight = 0
    /// Transactions not sent yet.
    public var queued = 0
    public var transactions: UInt64 = 0
    public var failures: UInt64 = 0
    public var conflictRetries: UInt64 = 0
    /// Connections made, the first ones included.
    public var connects: UInt64 = 0
    public var refusedQueueFull: UInt64 = 0

    public init() {}
}
