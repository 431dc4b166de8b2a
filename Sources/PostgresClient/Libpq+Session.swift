internal import CPostgres
internal import Glibc

extension Libpq {
    /// A connection that is made and told what holds for its whole session.
    struct Session: Sendable {
        let handle: LibpqHandle
        /// A pooler is in between: the next transaction may run in another session. One in session mode, where it would
        /// not, is not told apart.
        let isShared: Bool

        /// For who does not take it over.
        func close() { PQfinish(self.handle.pointer) }
    }

    /// Connects and sets the session up, blocking until done, refused, out of time or interrupted.
    static func openSession(
        _ configuration: PostgresConfiguration, interrupt: WakeHandle
    ) throws(PostgresError) -> Session {
        let deadline = ContinuousClock.now + configuration.connectTimeout
        let handle = try Self.connect(configuration, interrupt: interrupt)
        do throws(PostgresError) {
            let isShared = try Self.setUp(handle.pointer, configuration, until: deadline, interrupt: interrupt)
            return Session(handle: handle, isShared: isShared)
        } catch {
            PQfinish(handle.pointer)
            throw error
        }
    }

    /// Tells the server when to take this program for dead, and finds out whether it is a session of our own.
    ///
    /// A pooler makes up the key for cancelling; the server's names its process. Nothing is set in a session that others
    /// use too. Without these settings a backend whose peer has vanished keeps its locks for as long as TCP likes: the
    /// default of Linux is two hours.
    private static func setUp(
        _ connection: OpaquePointer, _ configuration: PostgresConfiguration, until deadline: ContinuousClock.Instant,
        interrupt: WakeHandle
    ) throws(PostgresError) -> Bool {
        let dead = configuration.deadLinkTimeout.milliseconds
        let settings: [(String, String)] = [
            ("tcp_keepalives_idle", "\(max(1, dead / 2000))"), ("tcp_keepalives_interval", "\(max(1, dead / 5000))"),
            ("tcp_keepalives_count", "2"), ("tcp_user_timeout", "\(dead)ms"),
            // While a statement runs nothing is read: only this notices then that the link has gone.
            ("client_connection_check_interval", "\(max(1000, dead / 2))ms"),
            // A transaction is sent whole; one that waits for its next statement has lost its sender.
            ("idle_in_transaction_session_timeout", "\(dead * 2)ms"),
        ]
        let calls = settings.map { "pg_catalog.set_config('\($0.0)', '\($0.1)', false)" }.joined(separator: ", ")
        let sql = "select \(calls) where pg_catalog.pg_backend_pid() = \(PQbackendPID(connection))"
        guard PQsendQuery(connection, sql) == 1 else {
            throw PostgresError(.connectFailed, message: Self.message(of: connection))
        }
        var isShared = true
        var failure: PostgresError?
        while true {
            while PQisBusy(connection) == 1 {
                switch Self.wait(PQsocket(connection), for: Int16(POLLIN), until: deadline, interrupt: interrupt) {
                case .ready:
                    guard PQconsumeInput(connection) == 1 else {
                        throw PostgresError(.connectFailed, message: Self.message(of: connection))
                    }
                case .timeout:
                    throw PostgresError(.connectFailed, message: "no session within \(configuration.connectTimeout)")
                case .interrupted, .nudged: throw PostgresError(.shutdown, message: "shut down while connecting")
                }
            }
            guard let result = PQgetResult(connection) else { break }
            defer { PQclear(result) }
            if PQresultStatus(result) == PGRES_TUPLES_OK {
                isShared = PQntuples(result) == 0
            } else {
                var error = PostgresError(result: result)
                error.code = .connectFailed
                failure = error
            }
        }
        if let failure { throw failure }
        return isShared
    }
}
