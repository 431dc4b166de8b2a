internal import ParleyCore
internal import PostgresClient

/// The tail's session with the database: registration, cursor, reads, the lock that says "asleep".
///
/// It lives as long as its connection. Every method blocks; errors other than those of `connect` mean that the
/// session is of no more use.
///
/// **A database that may only be read**, a standby or one with `default_transaction_read_only`, takes no registration
/// and no LISTEN: it is polled, and with each sign of life asked whether it takes changes again. The snapshots of a
/// standby do not say which transactions are in progress (they are kept as subtransactions there), so everything from
/// `xmin` on counts as not seen, and what comes twice by that is left out here.
final class LogReader {
    /// A place in the log, and which log it is.
    struct Position {
        var cursor: LogCursor
        var epoch: String
        var mark: Mark
    }

    /// What the highest event of a position is, as the database writes it: a copy that is put back has the same epoch and
    /// uses ids again. Nil where no event is kept.
    struct Mark: Equatable {
        var transactionID: String?
        var createdAt: String?
    }

    private static let mostRows = 2000
    /// Payload bytes in one batch beyond which the next one asks for fewer rows.
    private static let mostBytes = 4 << 20

    /// SQLSTATE of a database that has had a breaking migration this worker does not know.
    static let workerIsTooOld = "PT426"

    private let connection: PostgresConnection
    private let configuration: PostgresConfiguration
    private let interrupter: PostgresConnection.Interrupter
    private let answerTime: Duration
    /// In `parley.worker`; empty where nothing can be written.
    let workerID: String
    private let lockKey: String
    let isReadOnly: Bool
    private let isStandby: Bool
    /// Ids of events at or above the snapshot's `xmin` that were handed on. Only of a standby.
    private var seenAhead: Set<Int64> = []
    /// Behind a pooler the session may change hands with every statement: no LISTEN, no session locks.
    let isPooled: Bool
    let position: Position
    private var batch = 500

    /// Connects, registers the worker and listens.
    init(
        _ configuration: PostgresConfiguration, interrupter: PostgresConnection.Interrupter, workerName: String,
        version: String, answerTime: Duration, pollOnly: Bool
    ) throws(PostgresError) {
        self.connection = try PostgresConnection(
            configuration, queryTimeout: answerTime, interrupter: interrupter)
        self.configuration = configuration
        self.interrupter = interrupter
        self.answerTime = answerTime
        self.isPooled = self.connection.isPooled
        (self.isReadOnly, self.isStandby) = try Self.mode(self.connection)
        if !pollOnly, !self.isPooled, !self.isReadOnly { try self.connection.listen("parley") }
        try Self.check(self.connection)
        let register = self.isReadOnly ? "select '', ''" : "select worker_id, lock_key from parley.worker_start($1, $2)"
        let worker = try Self.row(
            self.connection.query(register, self.isReadOnly ? [] : [workerName, version]))
        let end = try Self.row(
            self.connection.query("select snapshot::text, max_id, epoch, xid, created_at from parley.log_position()"))
        guard let id = worker.string(0), let key = worker.string(1),
            let snapshot = end.string(0).flatMap(PgSnapshot.init), let maxID = end.int64(1), let epoch = end.string(2)
        else { throw PostgresError.unexpectedShape }
        self.workerID = id
        self.lockKey = key
        self.position = Position(
            cursor: LogCursor(snapshot: Self.certain(snapshot, self.isStandby), maxID: maxID), epoch: epoch,
            mark: Mark(transactionID: end.string(3), createdAt: end.string(4)))
    }

    /// Whether a position of this epoch, of an earlier session, still speaks of this log. If not, a new epoch begins, for
    /// everybody who reads it, and this session is of no more use.
    func holds(_ position: Position) throws(PostgresError) -> Bool {
        let answer = try Self.row(
            self.connection.query(
                "select parley.position_holds($1, $2::bigint, $3::xid8, $4::timestamptz)",
                [
                    position.epoch, String(position.cursor.maxID), position.mark.transactionID, position.mark.createdAt,
                ]))
        if answer.bool(0) == true { return true }
        guard !self.isReadOnly else { return false }
        _ = try self.connection.query(
            "select parley.begin_epoch('the log was set back', $1)", [position.epoch])
        return false
    }

    /// What became visible since `cursor`. `isFull`: there may be more.
    ///
    /// Bells that rang before it are forgotten: what they announced is in the answer.
    func read(
        after position: Position, within time: Duration
    ) throws(PostgresError) -> (batch: TailBatch, mark: Mark, isFull: Bool) {
        let cursor = position.cursor
        try self.connection.forgetNotifications()
        let result = try self.connection.query(
            """
            select pg_current_snapshot()::text, e.* from (select 1) one
            left join parley.read_log($1::pg_snapshot, $2::bigint, $3::integer) e on true
            """,
            [cursor.snapshot.description, String(cursor.maxID), String(self.batch)], timeout: time)
        guard let seen = result.rows.first?.string(0).flatMap(PgSnapshot.init) else { throw .unexpectedShape }
        let snapshot = Self.certain(seen, self.isStandby)
        var events: [LogEvent] = []
        var next = LogCursor(snapshot: snapshot, maxID: cursor.maxID)
        var mark = position.mark
        var fresh = 0
        var bytes = 0
        // The left join gives one row of nulls when there is no event.
        if !result.rows[0].isNull(1) {
            events.reserveCapacity(result.rows.count)
            for row in result.rows {
                let event = try LogEvent(row, from: 1)
                fresh += event.id > cursor.maxID ? 1 : 0
                if self.isStandby, self.seenAhead.contains(event.id) { continue }
                bytes += event.payload.count
                if event.id > next.maxID {
                    next.maxID = event.id
                    mark = Mark(transactionID: row.string(2), createdAt: row.string(LogEvent.columnCount + 1))
                }
                events.append(event)
            }
        }
        if self.isStandby { self.seenAhead = Self.ahead(result, of: snapshot.xmin) }
        // Late commits come complete, whatever was asked for; only the new ones were cut.
        let isFull = fresh >= self.batch
        if bytes > Self.mostBytes {
            self.batch = max(1, self.batch / 2)
        } else if isFull {
            self.batch = min(self.batch * 2, Self.mostRows)
        }
        return (TailBatch(events: events, cursor: next), mark, isFull)
    }

    /// - Returns: false while a writer's transaction is open.
    func tryLock() throws(PostgresError) -> Bool {
        try Self.row(self.connection.query("select pg_try_advisory_lock($1::bigint)", [self.lockKey])).bool(0) ?? false
    }

    func unlock() throws(PostgresError) {
        let row = try Self.row(self.connection.query("select pg_advisory_unlock($1::bigint)", [self.lockKey]))
        // Not ours to give back: then the session is not what we think it is.
        guard row.bool(0) == true else { throw PostgresError.unexpectedShape }
    }

    /// - Parameter nudge: of this process; nil waits whatever it commits.
    func wait(
        upTo limit: Duration, nudge: PostgresConnection.Nudge?
    ) throws(PostgresError) -> PostgresConnection.Waking {
        try self.connection.wait(upTo: limit, nudge: nudge)
    }

    /// The sign of life. False: other workers took this one for dead.
    func beat() throws(PostgresError) -> Bool {
        try Self.check(self.connection)
        guard !self.isReadOnly else {
            try self.lookForChange()
            return true
        }
        return try Self.row(self.connection.query("select parley.worker_beat($1::bigint)", [self.workerID])).bool(0)
            ?? false
    }

    /// - Throws: when a new session may write. This one keeps the setting that it began with.
    private func lookForChange() throws(PostgresError) {
        let probe = try PostgresConnection(
            self.configuration, queryTimeout: self.answerTime, interrupter: self.interrupter)
        defer { probe.close() }
        guard try Self.mode(probe) != (isReadOnly: true, isStandby: self.isStandby) else { return }
        throw PostgresError(.connectionLost, message: "the database takes changes again")
    }

    /// Leaves in good order.
    func stop() throws(PostgresError) {
        if !self.isReadOnly {
            _ = try self.connection.query(
                "select parley.worker_stop($1::bigint)", [self.workerID], timeout: .seconds(1))
        }
        self.connection.close()
    }

    // MARK: -

    private static func mode(
        _ connection: PostgresConnection
    ) throws(PostgresError) -> (isReadOnly: Bool, isStandby: Bool) {
        let row = try Self.row(
            connection.query("select current_setting('transaction_read_only')::boolean, pg_is_in_recovery()"))
        guard let isReadOnly = row.bool(0), let isStandby = row.bool(1) else { throw PostgresError.unexpectedShape }
        return (isReadOnly, isStandby)
    }

    /// Of the transactions that a snapshot has seen, those that it certainly has.
    private static func certain(_ snapshot: PgSnapshot, _ isStandby: Bool) -> PgSnapshot {
        isStandby ? PgSnapshot(xmin: snapshot.xmin, xmax: snapshot.xmin, xip: []) : snapshot
    }

    /// The ids that the next read will bring again.
    private static func ahead(_ result: ResultSet, of xmin: UInt64) -> Set<Int64> {
        var ids: Set<Int64> = []
        for row in result.rows {
            if let id = row.int64(1), let transactionID = row.uint64(2), transactionID >= xmin { ids.insert(id) }
        }
        return ids
    }

    /// The database may be upgraded while the worker runs.
    private static func check(_ connection: PostgresConnection) throws(PostgresError) {
        _ = try connection.query("select parley.check_worker($1)", [String(Version.newestMigration)])
    }

    private static func row(_ result: ResultSet) throws(PostgresError) -> Row {
        guard let row = result.rows.first else { throw PostgresError.unexpectedShape }
        return row
    }
}
