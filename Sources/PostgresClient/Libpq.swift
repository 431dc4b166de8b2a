internal import CPostgres
internal import Glibc

/// A `PGconn` or `PGcancel` on its way from one thread to another.
struct LibpqHandle: @unchecked Sendable {
    // Sendable because libpq "is reentrant and thread-safe", its one restriction being "that no two threads attempt to
    // manipulate the same PGconn object at the same time" (manual, "Behavior in Threaded Programs"): a handle is given
    // away whole, and a PGcancel is "read-only as far as PQcancel is concerned".
    let pointer: OpaquePointer
}

/// The calls that both the pool and the single connection make.
enum Libpq {
    /// Connects, blocking in `poll` until done, refused, out of time or interrupted.
    ///
    /// Name resolution is libpq's and blocks without limit of ours: call it on a thread of its own.
    static func connect(
        _ configuration: PostgresConfiguration, interrupt: WakeHandle
    ) throws(PostgresError) -> LibpqHandle {
        let dead = configuration.deadLinkTimeout.milliseconds
        // With expand_dbname, what the connection string says wins over what stands before it.
        let settings: [(String, String)] = [
            ("fallback_application_name", configuration.applicationName),
            ("keepalives_idle", String(max(1, dead / 2000))),
            ("keepalives_interval", String(max(1, dead / 5000))),
            ("keepalives_count", "2"),
            ("tcp_user_timeout", String(dead)),
            ("dbname", configuration.url),
            ("client_encoding", "UTF8"),
        ]
        let started = Self.withCStrings(settings.map { $0.0 } + [nil]) { names in
            Self.withCStrings(settings.map { $0.1 } + [nil]) { values in
                PQconnectStartParams(names, values, 1)
            }
        }
        guard let started else { throw PostgresError(.connectFailed, message: "libpq is out of memory") }
        // Without this libpq prints notices, which may quote user content, on standard error.
        PQsetNoticeReceiver(started, { _, _ in }, nil)
        do throws(PostgresError) {
            try Self.finishConnecting(started, within: configuration.connectTimeout, interrupt: interrupt)
        } catch {
            PQfinish(started)
            throw error
        }
        return LibpqHandle(pointer: started)
    }

    private static func finishConnecting(
        _ connection: OpaquePointer, within limit: Duration, interrupt: WakeHandle
    ) throws(PostgresError) {
        let deadline = ContinuousClock.now + limit
        var next = PQstatus(connection) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING
        while next != PGRES_POLLING_OK {
            guard next != PGRES_POLLING_FAILED else {
                throw PostgresError(.connectFailed, message: Self.message(of: connection))
            }
            let events = next == PGRES_POLLING_READING ? Int16(POLLIN) : Int16(POLLOUT)
            switch Self.wait(PQsocket(connection), for: events, until: deadline, interrupt: interrupt) {
            case .ready: next = PQconnectPoll(connection)
            case .timeout: throw PostgresError(.connectFailed, message: "no connection within \(limit)")
            case .interrupted, .nudged: throw PostgresError(.shutdown, message: "shut down while connecting")
            }
        }
    }

    enum Readiness { case ready, timeout, interrupted, nudged }

    /// Waits for `events` on one socket. The socket comes first: what has arrived is seen even when interrupted.
    static func wait(
        _ socket: Int32, for events: Int16, until deadline: ContinuousClock.Instant, interrupt: WakeHandle?,
        nudge: WakeHandle? = nil
    ) -> Readiness {
        while true {
            let left = (deadline - .now).pollTimeout
            var descriptors = [
                pollfd(fd: socket, events: events, revents: 0),
                // poll ignores negative descriptors.
                pollfd(fd: interrupt?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: nudge?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&descriptors, 3, left)
            if descriptors[0].revents != 0 { return .ready }
            if descriptors[1].revents != 0 { return .interrupted }
            if ready > 0 { return .nudged }
            // A signal ends poll early; nothing else does.
            if ready == 0, deadline <= .now { return .timeout }
        }
    }

    static func message(of connection: OpaquePointer) -> String {
        PQerrorMessage(connection).map { String(cString: $0).trimmedLineEnd } ?? ""
    }

    /// Calls `body` with the strings as a C array that lives as long as the call. No string may hold a NUL.
    static func withCStrings<Result>(
        _ strings: [String?], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
    ) -> Result {
        var bytes: [CChar] = []
        var offsets: [Int] = []
        bytes.reserveCapacity(strings.reduce(0) { $0 + ($1?.utf8.count ?? 0) + 1 })
        offsets.reserveCapacity(strings.count)
        for string in strings {
            offsets.append(string == nil ? -1 : bytes.count)
            guard var string else { continue }
            string.withUTF8 { bytes.append(contentsOf: UnsafeRawBufferPointer($0).bindMemory(to: CChar.self)) }
            bytes.append(0)
        }
        return bytes.withUnsafeBufferPointer { bytes in
            let pointers = offsets.map { offset in
                offset < 0 ? nil : bytes.baseAddress.map { UnsafePointer($0 + offset) }
            }
            return pointers.withUnsafeBufferPointer { pointers in
                // An empty array has no address, but libpq wants none then.
                withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: 1) { none in
                    none.initialize(repeating: nil)
                    return body(pointers.baseAddress ?? UnsafePointer(none.baseAddress!))
                }
            }
        }
    }
}

extension String {
    fileprivate var trimmedLineEnd: String { self.last == "\n" ? String(self.dropLast()) : self }
}

extension Duration {
    var milliseconds: Int64 {
        let (seconds, attoseconds) = self.components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }

    /// For `poll`: rounded up, so that a wait of less than a millisecond does not spin.
    var pollTimeout: Int32 {
        guard self > .zero else { return 0 }
        return Int32(clamping: self.milliseconds + 1)
    }
}
