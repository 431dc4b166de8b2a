/// How many requests a second: the bound that is set, and after an outage fewer, doubled every second.
struct SendRate: Sendable, Equatable {
    /// From here on a recovery is over where no bound is set.
    private static let plenty = 10_000.0

    private let bound: Double
    private let recovery: Double
    private var bucket: TokenBucket
    private var recoversSince: Duration?

    init(_ policy: PushPolicy) {
        self.bound = policy.perSecond > 0 ? policy.perSecond : .infinity
        self.recovery = min(policy.recoveryPerSecond, self.bound)
        self.bucket = TokenBucket(rate: self.bound, burst: Self.burst(self.bound))
    }

    mutating func recover(now: Duration) {
        self.recoversSince = now
        self.bucket = TokenBucket(rate: self.recovery, burst: Self.burst(self.recovery))
    }

    /// Takes one; the time to wait otherwise.
    mutating func take(now: Duration) -> Duration? {
        if let since = self.recoversSince {
            let level = self.recovery * Double(1 << min((now - since).components.seconds, 30))
            let isOver = level >= min(self.bound, Self.plenty)
            self.bucket.configure(rate: isOver ? self.bound : level, burst: Self.burst(isOver ? self.bound : level))
            if isOver { self.recoversSince = nil }
        }
        let nanoseconds = now.components.seconds * 1_000_000_000 + now.components.attoseconds / 1_000_000_000
        guard !self.bucket.take(now: nanoseconds) else { return nil }
        return .nanoseconds(self.bucket.wait(now: nanoseconds))
    }

    /// A twentieth of a second's.
    private static func burst(_ rate: Double) -> Int { rate.isFinite ? max(1, Int(rate / 20)) : 1 }
}
