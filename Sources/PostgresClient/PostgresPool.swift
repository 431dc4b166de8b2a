public import Support

/// Connections to one database, and one thread that runs every transaction of the process on them without blocking.
///
/// - A transaction is sent whole, in one round trip. An idle connection is taken first; only when all are busy is a
///   transaction sent behind another one (`PostgresConfiguration.pipelineDepth`).
/// - Transactions are independent: two that are submitted one after the other may be committed in either order. Who
///   needs an order submits the second when the first is answered.
/// - A broken connection is replaced by itself, with backoff. What was not sent waits; what was sent and not answered
///   fails with `outcomeUnknown`, except that reads are run again.
/// - A transaction out of time is cancelled on the server. If the server does not even answer that, its connection is
///   closed. Its caller is answered in time whatever the server does.
/// - Lanes and owners (`Transaction.lane`, `Transaction.owner`) share the connections fairly: see `PoolLimits`.
public final class PostgresPool: Sendable {
    private let shared: PoolShared
    private let longestStatement: Int

    /// Starts connecting at once, and returns at once.
    ///
    /// - Parameters:
    ///   - size: connections, at least 1.
    ///   - limits: of what may wait for a connection, and of what one owner may have.
    ///   - committed: told each time a transaction that may write has committed, before its caller is; on the pool's
    ///     thread, so it must not block.
    ///   - refused: told in the same way each time the server has refused a transaction.
    public init(
        _ configuration: PostgresConfiguration, size: Int, limits: PoolLimits, log: Log,
        committed: @escaping @Sendable () -> Void = {},
        refused: @escaping @Sendable (Transaction, PostgresError) -> Void = { _, _ in }
    ) {
        precondition(size > 0 && limits.queued > 0, "a pool needs a connection and a queue")
        self.longestStatement = configuration.longestStatement
        let shared = PoolShared(limits)
        self.shared = shared
        let started = PosixThread.spawn(name: "pg-pool") {
            let loop = PoolLoop(
                configuration, size: size, limits: limits, shared: shared, log: log, committed: committed,
                refused: refused)
            loop.run()
        }
        precondition(started, "the system has no thread for the Postgres pool")
    }

    /// The same with all limits at their defaults but one.
    public convenience init(
        _ configuration: PostgresConfiguration, size: Int, maxQueued: Int, log: Log,
        committed: @escaping @Sendable () -> Void = {},
        refused: @escaping @Sendable (Transaction, PostgresError) -> Void = { _, _ in }
    ) {
        self.init(
            configuration, size: size, limits: PoolLimits(queued: maxQueued), log: log, committed: committed,
            refused: refused)
    }

    deinit { self.shared.close(nil) }

    /// Queues a transaction.
    ///
    /// - Parameters:
    ///   - cancellation: takes it back; for who may leave before the answer.
    ///   - completion: called once: on the pool's thread, or, when the transaction is refused (`.queueFull`,
    ///     `.ownerQueueFull`, `.shutdown`, a value that no statement can carry), on the caller's before `submit` returns.
    ///     It must not block. On success there is one result per statement, in order.
    public func submit(
        _ transaction: Transaction, cancellation: PoolCancellation? = nil,
        completion: @escaping @Sendable (Result<[ResultSet], PostgresError>) -> Void
    ) {
        for statement in transaction.statements {
            if let refusal = PostgresError.refusal(of: statement, longest: self.longestStatement) {
                return completion(.failure(refusal))
            }
        }
        let submission = Submission(
            transaction: transaction, submittedAt: .now,
            share: PoolAdmission.Share(owner: transaction.owner, bytes: transaction.bytes),
            cancellation: cancellation, completion: completion)
        if let refusal = self.shared.submit(submission) { completion(.failure(refusal)) }
    }

    /// Runs a transaction and waits for its outcome, at most the transaction's timeout.
    ///
    /// Cancelling the task does not cut it short: a transaction that was sent has an outcome, and that is returned.
    public func run(_ transaction: Transaction) async throws(PostgresError) -> [ResultSet] {
        try await self.outcome(of: transaction, nil).get()
    }

    /// The same, but taken back when the task is cancelled (``PoolCancellation``).
    public func runUnlessCancelled(_ transaction: Transaction) async throws(PostgresError) -> [ResultSet] {
        let cancellation = PoolCancellation()
        return try await withTaskCancellationHandler {
            await self.outcome(of: transaction, cancellation)
        } onCancel: {
            cancellation.cancel()
        }.get()
    }

    private func outcome(
        of transaction: Transaction, _ cancellation: PoolCancellation?
    ) async -> Result<[ResultSet], PostgresError> {
        // The result goes through a lock, not through the continuation: when it is there before the task has suspended,
        // the runtime hands it over in a way that ThreadSanitizer cannot see, and reports a race that is none.
        let answer = Locked(Result<[ResultSet], PostgresError>?.none)
        await withCheckedContinuation { continuation in
            self.submit(transaction, cancellation: cancellation) { result in
                answer.withLock { $0 = result }
                continuation.resume()
            }
        }
        guard let result = answer.withLock({ $0 }) else { preconditionFailure("resumed without an answer") }
        return result
    }

    /// Takes no more transactions, finishes what it has (at most 5 s), closes the connections.
    public func shutdown() async {
        await withCheckedContinuation { continuation in self.shared.close { continuation.resume() } }
    }

    /// What the pool is doing; for metrics and health checks.
    public var statistics: PoolStatistics { self.shared.statistics }
}
