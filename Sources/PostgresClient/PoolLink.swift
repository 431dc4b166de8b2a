internal import CPostgres
internal import Glibc

/// One connection of the pool, in pipeline mode. Only the pool's thread touches it.
///
/// A transaction is one pipeline segment: its statements, then a sync. Between two syncs the server runs everything
/// as one implicit transaction: the sync commits, an error skips the rest of the segment and rolls back (PostgreSQL
/// manual, 55.2.4 "Pipelining"). So an error needs no `rollback` from us and cannot reach the transactions sent
/// behind it. Only an isolation level cannot be had this way: a `repeatableReadOnly` transaction spells out `begin`
/// and `commit`, runs alone on its connection, and is followed by `rollback` when it failed.
final class PoolLink {
    /// For what the pool sends on its own behalf.
    private static let ownTime = Duration.seconds(5)

    /// Bytes of one result that leave a connection swollen.
    private static let largeResult = 4 << 20

    private let connection: OpaquePointer
    let descriptor: Int32
    private(set) var inFlight: [PoolJob] = []
    /// When the first in `inFlight` became first.
    private(set) var headSince: ContinuousClock.Instant = .now
    /// When a cancel request for the first in `inFlight` went out.
    private(set) var cancelledAt: ContinuousClock.Instant?
    /// libpq holds bytes the socket did not take yet.
    private(set) var wantsWrite = false
    /// Takes no more transactions; to be closed when the last one is answered.
    var isRetiring = false
    private(set) var isLost = false
    /// It keeps the buffer that a large answer needed: libpq never gives one back. To be replaced when there is time.
    private(set) var isSwollen = false
    /// It was of use at least once.
    private(set) var hasAnswered = false
    /// What the server said when it ended the session.
    private(set) var farewell: PostgresError?

    private var cache: StatementCache

    init?(_ handle: LibpqHandle, cache: StatementCache) {
        self.connection = handle.pointer
        self.descriptor = PQsocket(handle.pointer)
        self.cache = cache
        guard PQsetnonblocking(handle.pointer, 1) == 0, PQenterPipelineMode(handle.pointer) == 1 else {
            // deinit closes it.
            return nil
        }
        // Thunk. Thread: the pool's, within a call of ours into libpq. The argument is this link, which outlives the
        // connection. Without a receiver libpq would print notices, which may quote user content.
        PQsetNoticeReceiver(
            handle.pointer,
            { link, notice in
                guard let link, let notice else { return }
                Unmanaged<PoolLink>.fromOpaque(link).takeUnretainedValue().notice(notice)
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit { PQfinish(self.connection) }

    /// Whether `job` may be sent now, given that nothing better is free.
    func accepts(_ job: PoolJob, depth: Int, window: Duration, now: ContinuousClock.Instant) -> Bool {
        if self.isRetiring || self.isLost { return false }
        guard let head = self.inFlight.first else { return true }
        // With `alone` set only on the job that comes last, looking at the first and the last is enough.
        return self.inFlight.count < depth && job.lane == head.lane && !job.isAlone && !head.isAlone
            && self.inFlight.last?.isAlone == false
            && self.cancelledAt == nil && now - self.headSince < window
    }

    /// The lane of what is in flight; nil if nothing is.
    var lane: Transaction.Lane? { self.inFlight.first?.lane }

    /// True if the server closed the link, or spoke, while nothing was asked of it. Asked before sending on an idle
    /// connection, it turns most "outcome unknown" of a restarted server into a plain retry.
    var hasUnreadInput: Bool {
        var byte: UInt8 = 0
        let count = recv(self.descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        return count >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
    }

    // MARK: Sending

    func send(_ job: PoolJob, worthPreparing: (String) -> Bool, now: ContinuousClock.Instant) {
        job.forgetAttempt()
        guard let transaction = job.submission?.transaction else { return }
        if self.inFlight.isEmpty { self.headSince = now }
        let plan = self.cache.plan(transaction.statements.map(\.sql), worthPreparing: worthPreparing)
        // In a segment of its own: before `begin` it would open the transaction, and an error would skip it.
        if !plan.evicted.isEmpty {
            let own = PoolJob(ownBefore: now + Self.ownTime, lane: job.lane)
            self.inFlight.append(own)
            for name in plan.evicted where !self.sendControl("deallocate \(name)", own) { self.lose() }
            if PQpipelineSync(self.connection) != 1 { self.lose() }
        }
        self.inFlight.append(job)
        guard !self.isLost, self.sendStatements(of: job, transaction, plan.uses) else { return self.lose() }
        job.wasSentWhole = true
        if job.isExplicit, !self.sendControl("commit", job) { return self.lose() }
        guard PQpipelineSync(self.connection) == 1 else { return self.lose() }
        self.flush()
    }

    /// From now on nothing is prepared, and what is prepared is not used.
    func stopPreparing() { self.cache = .off }

    /// Ends a failed explicit transaction.
    func sendRollback(lane: Transaction.Lane, now: ContinuousClock.Instant) {
        let own = PoolJob(ownBefore: now + Self.ownTime, lane: lane)
        self.headSince = now
        self.inFlight.append(own)
        guard self.sendControl("rollback", own), PQpipelineSync(self.connection) == 1 else { return self.lose() }
        self.flush()
    }

    private func sendStatements(of job: PoolJob, _ transaction: Transaction, _ uses: [StatementCache.Use]) -> Bool {
        switch transaction.mode {
        case .readWrite: break
        case .readOnly:
            guard self.sendControl("select set_config('transaction_read_only', 'on', true)", job) else { return false }
        case .repeatableReadOnly:
            guard self.sendControl("begin isolation level repeatable read read only", job) else { return false }
        }
        for (statement, use) in zip(transaction.statements, uses) where !self.send(statement, use, job) {
            return false
        }
        return true
    }

    private func sendControl(_ sql: String, _ job: PoolJob) -> Bool {
        job.items.append(.control)
        return PQsendQueryParams(self.connection, sql, 0, nil, nil, nil, nil, 0) == 1
    }

    private func send(_ statement: Statement, _ use: StatementCache.Use, _ job: PoolJob) -> Bool {
        if case .prepare(let name) = use {
            job.items.append(.prepare(sql: statement.sql))
            guard PQsendPrepare(self.connection, name, statement.sql, 0, nil) == 1 else { return false }
        }
        job.items.append(.statement)
        let count = Int32(statement.parameters.count)
        return Libpq.withCStrings(statement.parameters) { values in
            switch use {
            case .prepared(let name), .prepare(let name):
                PQsendQueryPrepared(self.connection, name, count, values, nil, nil, 0) == 1
            case .unprepared:
                PQsendQueryParams(self.connection, statement.sql, count, nil, values, nil, nil, 0) == 1
            }
        }
    }

    func flush() {
        let left = PQflush(self.connection)
        self.wantsWrite = left == 1
        if left < 0 { self.lose() }
    }

    // MARK: Receiving

    /// Reads what has arrived and calls `ended` for every transaction that was answered whole, in order.
    func receive(now: ContinuousClock.Instant, ended: (PoolJob) -> Void) {
        let alive = PQconsumeInput(self.connection) == 1
        if self.wantsWrite, alive { self.flush() }
        // PQgetResult gives nil once after each command; twice means that it waits for a command we never sent.
        var nothings = 0
        while let job = self.inFlight.first, !self.isLost, PQisBusy(self.connection) == 0 {
            guard let result = PQgetResult(self.connection) else {
                nothings += 1
                if nothings > 1 { self.lose() }
                continue
            }
            nothings = 0
            defer { PQclear(result) }
            if PQresultStatus(result) == PGRES_PIPELINE_SYNC {
                guard job.answered == job.items.count else { return self.lose() }
                self.inFlight.removeFirst()
                self.headSince = now
                self.cancelledAt = nil
                self.hasAnswered = true
                ended(job)
            } else {
                self.take(result, for: job)
            }
        }
        if !alive || PQstatus(self.connection) == CONNECTION_BAD { self.lose() }
    }

    private func take(_ result: OpaquePointer, for job: PoolJob) {
        let item = job.answered < job.items.count ? job.items[job.answered] : nil
        job.answered += item == nil ? 0 : 1
        switch PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
            switch item {
            case .prepare(let sql): self.cache.prepared(sql)
            case .statement:
                job.results.append(ResultSet(result: result))
                if PQresultMemorySize(result) > Self.largeResult { self.isSwollen = true }
            case .control: break
            case nil: self.lose()
            }
        case PGRES_PIPELINE_ABORTED:
            if case .prepare(let sql) = item { self.cache.notPrepared(sql) }
        case PGRES_FATAL_ERROR:
            // With no item left it is the commit that failed, at the sync: a deferred constraint, a serialization
            // failure.
            if case .prepare(let sql) = item { self.cache.notPrepared(sql) }
            var error = PostgresError(result: result)
            if case .statement = item { error.statement = job.results.count }
            if error.sqlState == nil || PostgresError.isFatal(result) {
                self.farewell = error
                self.lose()
            } else if job.error == nil {
                job.error = error
            }
        default:
            // COPY and the like do not exist in pipeline mode.
            self.lose()
        }
    }

    /// A notice comes before the answer of the transaction that it is about.
    private func notice(_ notice: OpaquePointer) {
        if PostgresError.isUnconfirmedCommit(notice) { self.inFlight.first?.isUnconfirmed = true }
    }

    /// The server's view after a sync: true if a statement left a transaction open, or failed and not ended.
    var isInTransaction: Bool {
        switch PQtransactionStatus(self.connection) {
        case PQTRANS_INTRANS, PQTRANS_INERROR: true
        default: false
        }
    }

    var lastMessage: String { self.farewell?.message ?? Libpq.message(of: self.connection) }

    // MARK: Ending

    /// Asks the server to cancel what it runs, for the first in `inFlight`. Blocks on a connection of its own, so on a thread of its own.
    func requestCancel(now: ContinuousClock.Instant) {
        self.cancelledAt = now
        for job in self.inFlight { job.wasHitByCancel = true }
        // The request may arrive after the answer, and would then hit whatever runs next. Even "cancelled" is no sign that
        // it has arrived: the server's own time limit says the same.
        self.isRetiring = true
        guard let cancel = PQgetCancel(self.connection) else { return }
        let handle = LibpqHandle(pointer: cancel)
        let started = PosixThread.spawn(name: "pg-cancel") {
            var message: [CChar] = Array(repeating: 0, count: 256)
            // Failing is no matter: without an answer the pool closes the connection a moment later.
            _ = PQcancel(handle.pointer, &message, Int32(message.count))
            PQfreeCancel(handle.pointer)
        }
        if !started { PQfreeCancel(cancel) }
    }

    func lose() { self.isLost = true }

    func takeInFlight() -> [PoolJob] {
        defer { self.inFlight = [] }
        return self.inFlight
    }
}
