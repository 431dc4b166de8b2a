/// Statements that are committed together or not at all, sent in one round trip.
public struct Transaction: Sendable {
    public enum Mode: Sendable, Equatable {
        case readWrite
        /// Writes fail with SQLSTATE 25006.
        case readOnly
        /// One snapshot for all statements; writes fail.
        case repeatableReadOnly
    }

    public var statements: [Statement]
    public var mode: Mode
    /// How often to run it again after a serialization failure (40001) or a deadlock (40P01).
    public var retriesOnConflict: Int
    /// From submission to answer, waiting and retries included.
    public var timeout: Duration
    /// Keep other transactions from being sent behind this one on its connection: for work known to be slow.
    public var alone: Bool
    /// What this transaction is likely to lock; nil if nothing in particular. Transactions that name the same would only
    /// wait for each other, so the pool runs few of them at a time: at most a quarter of its connections. When one
    /// of them fails with 55P03 (lock not available), so do those that have not been sent.
    public var contention: String?

    public init(
        _ statements: [Statement], mode: Mode = .readWrite, retriesOnConflict: Int = 3,
        timeout: Duration = .seconds(10), alone: Bool = false, contention: String? = nil
    ) {
        self.statements = statements
        self.mode = mode
        self.retriesOnConflict = retriesOnConflict
        self.timeout = timeout
        self.alone = alone
        self.contention = contention
    }
}
