/// Why a transaction, a query or a connection failed.
public struct PostgresError: Error, Sendable, Equatable {
    /// The kind of failure. A struct, so that a new kind breaks nobody's `switch`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        public let description: String
        private init(_ description: String) { self.description = description }

        /// The server refused: see `sqlState`, `message`, `detail`, `hint`. The transaction was rolled back.
        public static let server = Code("server")
        /// The link broke. `outcomeUnknown` says whether the transaction may have been committed.
        public static let connectionLost = Code("connectionLost")
        /// No answer in the transaction's or query's time.
        public static let timeout = Code("timeout")
        /// More is waiting than the pool was told to hold; nothing was sent.
        public static let queueFull = Code("queueFull")
        /// More of this owner is waiting than the pool was told to hold for one; nothing was sent.
        public static let ownerQueueFull = Code("ownerQueueFull")
        /// Its caller took it back (`PoolCancellation`).
        public static let cancelled = Code("cancelled")
        /// The commit was cut short while it waited for a synchronous standby: it may survive a failover or not.
        public static let unconfirmed = Code("unconfirmed")
        /// No connection could be made in time; nothing was sent.
        public static let connectFailed = Code("connectFailed")
        /// The server or the caller broke the rules of the protocol, for example a statement that left a
        /// transaction open.
        public static let protocolViolation = Code("protocolViolation")
        /// The pool or connection is shut down.
        public static let shutdown = Code("shutdown")
    }

    public var code: Code
    /// The five characters of PostgreSQL's appendix A; nil unless the server answered.
    public var sqlState: String?
    /// The server's primary message, or ours. Never log it: it may quote what a user wrote.
    public var message: String
    public var detail: String?
    public var hint: String?
    /// Name of the violated constraint, if that was the reason.
    public var constraint: String?
    /// The table whose row was locked by somebody else, for 55P03 (lock not available); nil if it was another lock.
    public var lockedTable: String?
    /// Which statement of the transaction the server refused, counted from 0; nil if that is not known.
    public var statement: Int?
    /// True: the transaction may have been committed. False: it certainly was not.
    public var outcomeUnknown: Bool

    public init(
        _ code: Code, sqlState: String? = nil, message: String, detail: String? = nil, hint: String? = nil,
        constraint: String? = nil, outcomeUnknown: Bool = false
    ) {
        self.code = code
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
        self.hint = hint
        self.constraint = constraint
        self.outcomeUnknown = outcomeUnknown
    }

    /// True: nothing happened, and the same transaction may succeed if sent again.
    public var isRetriable: Bool {
        if self.outcomeUnknown { return false }
        switch self.code {
        case .connectionLost, .connectFailed, .queueFull, .ownerQueueFull: return true
        case .server:
            guard let sqlState else { return false }
            return self.isConflict || Self.passingStates.contains(sqlState) || sqlState.hasPrefix("08")
        default: return false
        }
    }

    /// Lost a race against another transaction (serialization failure, deadlock).
    var isConflict: Bool { self.code == .server && (self.sqlState == "40001" || self.sqlState == "40P01") }

    /// Too many connections; server starting, stopping, crashed; administrator's command; lock not available.
    private static let passingStates: Set<String> = ["53300", "57P01", "57P02", "57P03", "55P03"]
}
