internal import CPostgres
internal import Glibc

/// One connection for a thread that may block: LISTEN, session locks, one query at a time.
///
/// It is not `Sendable`: make it and use it on one thread (or in one actor). Only its `interrupter` is for others.
/// After any error but `.server` the connection is closed; make a new one.
public final class PostgresConnection {
    /// Ends waits from another thread.
    public struct Interrupter: Sendable {
        let wake = WakeHandle()

        public init() {}

        /// Any thread. From now on `wait` returns `.interrupted` at once, connecting fails with `.shutdown`, and a
        /// running query has one more second.
        public func interrupt() { self.wake.signal() }

        /// Allows waiting again.
        public func reset() { self.wake.drain() }
    }

    /// Ends one wait from another thread, and says nothing else. It stands until it is forgotten.
    public struct Nudge: Sendable {
        let wake = WakeHandle()

        public init() {}

        /// Any thread.
        public func nudge() { self.wake.signal() }

        public func forget() { self.wake.drain() }
    }

    public enum Waking: Sendable, Equatable { case notification, timeout, interrupted, nudged }

    /// What an interrupted query is still given.
    private static let interruptGrace = Duration.seconds(1)

    private let interrupter: Interrupter
    private let queryTimeout: Duration
    /// A pooler is in between: the session may be another one with every transaction, so there is no LISTEN and no lock of
    /// the session, and nothing is prepared. A pooler in session mode, where all would work, is not told apart.
    public let isPooled: Bool
    private let cacheSize: Int
    private var connection: OpaquePointer?
    /// Names by text.
    private var prepared: [String: String] = [:]

    /// Connects; blocks up to `configuration.connectTimeout` (name resolution not counted).
    ///
    /// - Parameters:
    ///   - queryTimeout: how long the server may take to answer a query that names no time of its own.
    ///   - interrupter: shared with those who may have to end a wait.
    /// - Throws: `.connectFailed`; `.shutdown` when interrupted.
    public init(
        _ configuration: PostgresConfiguration, queryTimeout: Duration = .seconds(10),
        interrupter: Interrupter = Interrupter()
    ) throws(PostgresError) {
        self.interrupter = interrupter
        self.queryTimeout = queryTimeout
        let session = try Libpq.openSession(configuration, interrupt: interrupter.wake)
        let connection = session.handle.pointer
        self.connection = connection
        self.isPooled = session.isShared
        self.cacheSize = configuration.preparedStatements && !session.isShared ? configuration.statementCacheSize : 0
        // So that sending waits in our poll, which has a limit, and not in libpq's.
        PQsetnonblocking(connection, 1)
    }

    deinit { self.close() }

    public var isOpen: Bool { self.connection != nil }

    public func close() {
        if let connection { PQfinish(connection) }
        self.connection = nil
        self.prepared = [:]
    }

    /// Runs one statement in a transaction of its own (unless one was begun) and blocks for the answer.
    ///
    /// - Throws: `.server` with the connection still usable; `.connectionLost` and `.timeout`, with
    ///   `outcomeUnknown`, and the connection closed.
    public func query(
        _ sql: String, _ parameters: [String?] = [], timeout: Duration? = nil
    ) throws(PostgresError) -> ResultSet {
        if let refusal = PostgresError.refusal(of: Statement(sql, parameters)) { throw refusal }
        let deadline = ContinuousClock.now + (timeout ?? self.queryTimeout)
        let name = try self.prepare(sql, deadline: deadline)
        let connection = try self.open()
        let count = Int32(parameters.count)
        let sent = Libpq.withCStrings(parameters) { values in
            if let name { return PQsendQueryPrepared(connection, name, count, values, nil, nil, 0) }
            return PQsendQueryParams(connection, sql, count, nil, values, nil, nil, 0)
        }
        return try self.answer(sent: sent == 1, deadline: deadline)
    }

    /// Runs a script of any number of statements and blocks until the last is answered; their rows are dropped. Outside
    /// `begin` and `commit` the server treats it as one transaction. COPY is not supported.
    ///
    /// - Throws: as ``query(_:_:timeout:)``; after `.server` nothing of the rest was run.
    public func execute(script: String, timeout: Duration? = nil) throws(PostgresError) {
        if let refusal = PostgresError.refusal(of: Statement(script)) { throw refusal }
        let deadline = ContinuousClock.now + (timeout ?? self.queryTimeout)
        let connection = try self.open()
        _ = try self.answer(sent: PQsendQuery(connection, script) == 1, deadline: deadline)
    }

    /// Subscribes to a channel's notifications.
    public func listen(_ channel: String) throws(PostgresError) {
        let quoted = channel.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
        _ = try self.query("listen \"\(quoted)\"")
    }

    /// Waits for a notification on any channel listened to; all that have arrived count as one.
    ///
    /// A notification that came with the answer to an earlier query counts too: it ends the wait at once. Call
    /// `forgetNotifications` before the read whose emptiness decides to wait.
    ///
    /// - Parameter nudge: ends the wait too, at once if it stands already.
    public func wait(upTo limit: Duration, nudge: Nudge? = nil) throws(PostgresError) -> Waking {
        let connection = try self.open()
        let deadline = ContinuousClock.now + limit
        while true {
            if self.takeNotifications(connection) { return .notification }
            switch Libpq.wait(
                PQsocket(connection), for: Int16(POLLIN), until: deadline, interrupt: self.interrupter.wake,
                nudge: nudge?.wake)
            {
            case .timeout: return .timeout
            case .interrupted: return .interrupted
            case .nudged: return .nudged
            case .ready:
                if PQconsumeInput(connection) == 0 { throw self.lost(connection, outcomeUnknown: false) }
            }
        }
    }

    /// Drops notifications that have arrived.
    public func forgetNotifications() throws(PostgresError) {
        let connection = try self.open()
        if PQconsumeInput(connection) == 0 { throw self.lost(connection, outcomeUnknown: false) }
        _ = self.takeNotifications(connection)
    }

    // MARK: -

    private func open() throws(PostgresError) -> OpaquePointer {
        guard let connection else { throw PostgresError(.connectionLost, message: "the connection is closed") }
        return connection
    }

    private func prepare(_ sql: String, deadline: ContinuousClock.Instant) throws(PostgresError) -> String? {
        if let name = self.prepared[sql] { return name }
        // A full cache stays as it is: who uses one connection has few statements.
        guard self.prepared.count < self.cacheSize else { return nil }
        let name = StatementCache.name(of: sql)
        let connection = try self.open()
        _ = try self.answer(sent: PQsendPrepare(connection, name, sql, 0, nil) == 1, deadline: deadline)
        self.prepared[sql] = name
        return name
    }

    private func answer(sent: Bool, deadline: ContinuousClock.Instant) throws(PostgresError) -> ResultSet {
        let connection = try self.open()
        guard sent else { throw self.lost(connection, outcomeUnknown: false) }
        var answer: Result<ResultSet, PostgresError>?
        var isFatal = false
        while !isFatal {
            // Each time, so that PQgetResult never waits itself: a script has many results.
            try self.awaitAnswer(connection, deadline: deadline)
            guard let result = PQgetResult(connection) else { break }
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: answer = .success(ResultSet(result: result))
            case PGRES_FATAL_ERROR:
                var error = PostgresError(result: result)
                isFatal = error.code == .connectionLost || PostgresError.isFatal(result)
                if isFatal {
                    error.code = .connectionLost
                    error.outcomeUnknown = true
                }
                answer = .failure(error)
            default:
                self.close()
                throw PostgresError(.protocolViolation, message: "COPY is not supported", outcomeUnknown: true)
            }
        }
        guard let answer else { throw self.lost(connection, outcomeUnknown: true) }
        if isFatal { self.close() }
        return try answer.get()
    }

    /// Sends what is left to send and reads until the answer is whole.
    private func awaitAnswer(
        _ connection: OpaquePointer, deadline: ContinuousClock.Instant
    ) throws(PostgresError) {
        var deadline = deadline
        var interrupt: WakeHandle? = self.interrupter.wake
        while true {
            let unsent = PQflush(connection)
            if unsent < 0 { throw self.lost(connection, outcomeUnknown: true) }
            if unsent == 0, PQisBusy(connection) == 0 { return }
            let events = Int16(POLLIN) | (unsent == 1 ? Int16(POLLOUT) : 0)
            switch Libpq.wait(PQsocket(connection), for: events, until: deadline, interrupt: interrupt) {
            case .ready:
                // On failure the result that PQgetResult makes says why; nothing more will come.
                if PQconsumeInput(connection) == 0 { return }
            case .interrupted, .nudged:
                deadline = min(deadline, .now + Self.interruptGrace)
                interrupt = nil
            case .timeout:
                self.close()
                throw PostgresError(.timeout, message: "no answer in time", outcomeUnknown: true)
            }
        }
    }

    private func takeNotifications(_ connection: OpaquePointer) -> Bool {
        var any = false
        while let notification = PQnotifies(connection) {
            PQfreemem(notification)
            any = true
        }
        return any
    }

    private func lost(_ connection: OpaquePointer, outcomeUnknown: Bool) -> PostgresError {
        let error = PostgresError(
            .connectionLost, message: Libpq.message(of: connection), outcomeUnknown: outcomeUnknown)
        self.close()
        return error
    }
}
