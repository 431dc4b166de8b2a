/// What a caller handed to the pool.
struct Submission: Sendable {
    let transaction: Transaction
    let submittedAt: ContinuousClock.Instant
    /// What it takes of the queue.
    let share: PoolAdmission.Share
    let cancellation: PoolCancellation?
    let completion: @Sendable (Result<[ResultSet], PostgresError>) -> Void
}

/// A transaction in the pool, from submission to answer. Only the pool's thread touches it.
final class PoolJob {
    /// One command in the pipeline; the server answers each with one result.
    enum Item {
        /// `begin`, `commit`, `rollback`, `deallocate`, read-only mode: the result is not the caller's.
        case control
        case prepare(sql: String)
        case statement
    }

    /// How long the server may take to say that it has cancelled, at most.
    private static let longestGrace = Duration.seconds(1)

    /// Nil for the `rollback` and `deallocate` that the pool sends itself.
    let submission: Submission?
    let lane: Transaction.Lane
    /// When the caller is answered at the latest.
    let deadline: ContinuousClock.Instant
    /// How long before the deadline it is given up: not sent any more, or cancelled on the server.
    let grace: Duration

    /// The first statement's time to start again after a lost race.
    var notBefore: ContinuousClock.Instant?
    var conflictRetries = 0
    /// Times it was sent again for reasons of the link, not of its own.
    var linkRetries = 0

    /// It waits for others of its contention, and is not one of those that run.
    var isHeld = false
    /// Its owner has overdrawn the budget of time: it is likely to be slow.
    var isInDebt = false
    /// `PoolQueue` counts it as in flight.
    var isRunning = false
    /// It no longer counts as waiting.
    var isAdmitted = false

    /// The caller was told. It may still be in flight: out of time behind another transaction.
    private(set) var isComplete = false

    // Since it was sent last:
    var items: [Item] = []
    var answered = 0
    var results: [ResultSet] = []
    var error: PostgresError?
    /// Everything up to the end of the transaction went to libpq: from here on it may be committed.
    var wasSentWhole = false
    var timedOut = false
    /// The commit was cut short before the synchronous standby had it: it stands here, and may be lost with this server.
    var isUnconfirmed = false
    /// A cancel request went out while it was in flight; it may hit a transaction it was not meant for.
    var wasHitByCancel = false

    init(_ submission: Submission) {
        self.submission = submission
        self.lane = submission.transaction.lane
        let timeout = submission.transaction.timeout
        self.deadline = submission.submittedAt + timeout
        self.grace = min(Self.longestGrace, timeout / 2)
    }

    /// The pool's own `rollback` or `deallocate`.
    init(ownBefore deadline: ContinuousClock.Instant, lane: Transaction.Lane) {
        self.submission = nil
        self.lane = lane
        self.deadline = deadline
        self.grace = Self.longestGrace
    }

    var owner: String? { self.submission?.transaction.owner }
    var contention: String? { self.submission?.transaction.contention }
    var givesUpAt: ContinuousClock.Instant { self.deadline - self.grace }
    var isCancelled: Bool { self.submission?.cancellation?.isCancelled ?? false }

    /// `begin` and `commit` are spelled out, so an error leaves the session in a failed transaction.
    var isExplicit: Bool { self.submission?.transaction.mode == .repeatableReadOnly }

    /// Nothing may be sent behind it.
    var isAlone: Bool { self.isExplicit || self.isInDebt || self.submission?.transaction.alone ?? true }

    /// Running it twice is the same as running it once.
    var isReadOnly: Bool { self.submission.map { $0.transaction.mode != .readWrite } ?? false }

    func forgetAttempt() {
        self.items = []
        self.answered = 0
        self.results = []
        self.error = nil
        self.wasSentWhole = false
        self.timedOut = false
        self.isUnconfirmed = false
        self.wasHitByCancel = false
    }

    /// Tells the caller, once; what comes later is dropped.
    func complete(_ result: Result<[ResultSet], PostgresError>) {
        guard !self.isComplete else { return }
        self.isComplete = true
        self.submission?.completion(result)
    }
}
