internal import PostgresClient
internal import Support

/// Records messages that were refused as spam: their transactions are undone, so the evidence travels with the error, and is
/// written here in a transaction of its own.
struct RefusalRecorder: Service {
    /// SQLSTATE of such a refusal.
    static let sqlState = "PT422"
    /// Refusals that may wait to be written; more of them are not recorded, but for the line in the server's log.
    static let mostWaiting = 256

    let name = "refusal-recorder"
    private let evidence: AsyncStream<String>
    private let sink: AsyncStream<String>.Continuation
    private let pool: Locked<PostgresPool?>
    private let log: Log

    init(log: Log) {
        (self.evidence, self.sink) = AsyncStream.makeStream(
            of: String.self, bufferingPolicy: .bufferingOldest(Self.mostWaiting))
        self.pool = Locked(nil)
        self.log = log
    }

    /// Told of every transaction that the server refused, on the pool's thread.
    func refused(_ transaction: Transaction, _ error: PostgresError) {
        guard error.sqlState == Self.sqlState, let evidence = error.constraint else { return }
        // Of several that were tried together, the one to blame is tried again alone.
        guard transaction.statements.count <= CommandTransaction.statementsPerCommand else { return }
        self.sink.yield(evidence)
    }

    /// The pool is made after this, because it tells this of refusals.
    func use(_ pool: PostgresPool) { self.pool.withLock { $0 = pool } }

    func run() async throws {
        for await evidence in self.evidence {
            guard let pool = self.pool.withLock({ $0 }) else { continue }
            do throws(PostgresError) {
                _ = try await pool.run(
                    Transaction([Statement("select parley.record_refusal($1)", [evidence])], lane: .upkeep))
            } catch {
                guard error.code != .shutdown else { continue }
                self.log.warning(
                    "a refusal was not recorded", [("code", "\(error.code)"), ("sqlstate", error.sqlState ?? "")])
            }
        }
        try Task.checkCancellation()
    }

    func drain() async { self.sink.finish() }
}
