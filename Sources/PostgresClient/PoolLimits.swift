/// How the places of a pool are shared.
public struct PoolLimits: Sendable, Equatable {
    /// Transactions that may wait; one more is refused with `.queueFull`.
    public var queued: Int
    /// Bytes of statements and parameters that may wait. A transaction larger than that is let in when nothing waits.
    public var queuedBytes: Int
    /// The same for one owner; one more is refused with `.ownerQueueFull`. Transactions without an owner have no bound
    /// of their own.
    public var queuedPerOwner: Int
    public var queuedBytesPerOwner: Int
    /// Transactions of one owner that may be in flight, in each lane; nil for a quarter of the connections. What is
    /// beyond it waits, and holds up nobody else.
    public var runningPerOwner: Int?

    public init(
        queued: Int = 4096, queuedBytes: Int = 64 << 20, queuedPerOwner: Int = 256, queuedBytesPerOwner: Int = 8 << 20,
        runningPerOwner: Int? = nil
    ) {
        self.queued = queued
        self.queuedBytes = queuedBytes
        self.queuedPerOwner = queuedPerOwner
        self.queuedBytesPerOwner = queuedBytesPerOwner
        self.runningPerOwner = runningPerOwner
    }
}
