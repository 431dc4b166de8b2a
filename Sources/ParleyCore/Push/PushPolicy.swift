/// The bounds and times of a provider's machine.
public struct PushPolicy: Sendable, Equatable {
    /// Requests under way at once.
    public var mostInFlight: Int
    /// Requests a second; 0 for no limit.
    public var perSecond: Double
    /// The longest a claimed job waits here before it is given back: well below its lease.
    public var longestWait: Duration
    /// Attempts that count, after which a job is dead.
    public var mostAttempts: Int
    /// The first pause after a failed attempt, doubled for each more, and the longest.
    public var retryPause: ClosedRange<Duration>
    /// How long a breaker stays open at first, and the longest.
    public var breakerPause: ClosedRange<Duration>
    /// How long credentials that were refused are left alone.
    public var refusedPause: Duration
    /// Requests a second right after an outage; doubled every second.
    public var recoveryPerSecond: Double

    public init(
        mostInFlight: Int = 100, perSecond: Double = 0, longestWait: Duration = .seconds(20), mostAttempts: Int = 8,
        retryPause: ClosedRange<Duration> = .seconds(2)...(.seconds(15 * 60)),
        breakerPause: ClosedRange<Duration> = .seconds(30)...(.seconds(300)), refusedPause: Duration = .seconds(300),
        recoveryPerSecond: Double = 50
    ) {
        precondition(mostInFlight > 0 && mostAttempts > 0)
        self.mostInFlight = mostInFlight
        self.perSecond = perSecond
        self.longestWait = longestWait
        self.mostAttempts = mostAttempts
        self.retryPause = retryPause
        self.breakerPause = breakerPause
        self.refusedPause = refusedPause
        self.recoveryPerSecond = recoveryPerSecond
    }
}
