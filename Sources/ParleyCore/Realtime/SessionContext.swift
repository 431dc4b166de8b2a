/// What the world is like when an event reaches a session.
public struct SessionContext: Sendable {
    public enum Database: Sendable, Equatable { case ready, unreachable }

    /// Milliseconds since 1970, for what tokens say.
    public var now: Int64
    /// Nanoseconds of a clock that nobody sets, for rates.
    public var steady: Int64
    public var limits: SessionLimits
    public var database: Database
    /// The names of the server's events; nil until they are known, and then no client may name one.
    public var reserved: ReservedEvents?
    /// The worker is going down: no new joins.
    public var draining: Bool

    public init(
        now: Int64, steady: Int64, limits: SessionLimits, database: Database = .ready, reserved: ReservedEvents?,
        draining: Bool = false
    ) {
        self.now = now
        self.steady = steady
        self.limits = limits
        self.database = database
        self.reserved = reserved
        self.draining = draining
    }

    var seconds: Int64 { self.now / 1000 }
}

/// Checks a token's text; synchronous, as it needs no I/O.
public typealias TokenCheck = (String) -> Result<SessionToken, TokenRefusal>
