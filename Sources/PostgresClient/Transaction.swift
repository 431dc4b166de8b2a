/// Statements that are committed together or not at all, sent in one round trip.
public struct Transaction: Sendable {
    public enum Mode: Sendable, Equatable {
        case readWrite
        /// Writes fail with SQLSTATE 25006.
        case readOnly
        /// One snapshot for all statements; writes fail.
        case repeatableReadOnly
    }

    /// Kinds of work that do not wait for each other: each has connections that the others leave to it.
    public enum Lane: Int, Sendable, CaseIterable {
        /// What somebody waits for and what is short: sends, joins.
        case prompt
        /// What may be long: reads of any shape. A quarter of the connections stays free of them.
        case reading
        /// What nobody waits for: upkeep. At most a quarter of the connections.
        case upkeep
    }

    public var statements: [Statement]
    public var mode: Mode
    /// How often to run it again after a serialization failure (40001) or a deadlock (40P01).
    public var retriesOnConflict: Int
    public var lane: Lane
    /// Whose it is: owners take turns, and each has only so many in flight. Nil: the program's own.
    public var owner: String?
    /// From submission to answer, waiting and retries included. The caller is answered by then, whatever the server does;
    /// the server is asked to cancel a second before, or at half of it when that is later.
    public var timeout: Duration
    /// Keep other transactions from being sent behind this one on its connection: for work known to be slow.
    public var alone: Bool
    /// What this transaction is likely to lock; nil if nothing in particular. Transactions that name the same would only
    /// wait for each other, so the pool runs few of them at a time: at most a quarter of its connections.
    public var contention: String?
    /// The table whose row `contention` names. When a transaction fails with 55P03 (lock not available) over a row of it,
    /// so do those of the same contention that have not been sent. Nil: whatever the lock was.
    public var contentionTable: String?

    public init(
        _ statements: [Statement], mode: Mode = .readWrite, retriesOnConflict: Int = 3,
        timeout: Duration = .seconds(10), alone: Bool = false, contention: String? = nil,
        contentionTable: String? = nil, lane: Lane = .prompt, owner: String? = nil
    ) {
        self.statements = statements
        self.mode = mode
        self.retriesOnConflict = retriesOnConflict
        self.timeout = timeout
        self.alone = alone
        self.contention = contention
        self.contentionTable = contentionTable
        self.lane = lane
        self.owner = owner
    }

    /// What it takes of the queue.
    var bytes: Int {
        self.statements.reduce(0) { sum, statement in
            statement.parameters.reduce(sum + statement.sql.utf8.count) { $0 + ($1?.utf8.count ?? 0) }
        }
    }
}
