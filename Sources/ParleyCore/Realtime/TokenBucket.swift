/// A rate limiter: so many events a second, so many at once. Kept as the time at which the bucket is full again (the
/// generic cell rate algorithm), so it is three words and never needs refilling.
public struct TokenBucket: Sendable, Equatable {
    /// Nanoseconds that one token takes to grow back; 0 means unlimited.
    private var interval: Int64
    /// Nanoseconds that an empty bucket takes to fill.
    private var capacity: Int64
    private var fullAt = Int64.min

    /// - Parameters:
    ///   - rate: tokens per second. 0 or less: nothing passes. Infinite: everything does.
    ///   - burst: tokens in a full bucket, at least 1.
    public init(rate: Double, burst: Int) {
        self.interval = 0
        self.capacity = 0
        self.configure(rate: rate, burst: burst)
    }

    /// Changes the limit and keeps what was used up.
    public mutating func configure(rate: Double, burst: Int) {
        let nanoseconds = rate > 0 ? 1_000_000_000 / rate : .infinity
        self.interval = nanoseconds < 9e18 ? Int64(nanoseconds.rounded()) : .max
        self.capacity = Self.times(self.interval, Int64(max(burst, 1)))
    }

    /// Takes `count` tokens, or none and answers false.
    ///
    /// - Parameter now: monotonic nanoseconds, of any origin; a clock that steps back grants nothing extra.
    public mutating func take(_ count: Int = 1, now: Int64) -> Bool {
        guard self.interval != 0 else { return true }
        guard self.wait(for: count, now: now) == 0 else { return false }
        self.fullAt = Self.plus(max(self.fullAt, now), Self.times(self.interval, Int64(count)))
        return true
    }

    /// Nanoseconds until `count` tokens are there: 0 if now, `Int64.max` if never.
    public func wait(for count: Int = 1, now: Int64) -> Int64 {
        guard self.interval != 0, count > 0 else { return 0 }
        let needed = Self.times(self.interval, Int64(count))
        guard self.interval != .max, needed <= self.capacity else { return .max }
        let debt = self.fullAt > now ? Self.minus(self.fullAt, now) : 0
        return max(0, Self.minus(needed, self.capacity - debt))
    }

    private static func plus(_ left: Int64, _ right: Int64) -> Int64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? (right > 0 ? .max : .min) : sum
    }

    private static func minus(_ left: Int64, _ right: Int64) -> Int64 {
        let (difference, overflow) = left.subtractingReportingOverflow(right)
        return overflow ? (right < 0 ? .max : .min) : difference
    }

    private static func times(_ left: Int64, _ right: Int64) -> Int64 {
        let (product, overflow) = left.multipliedReportingOverflow(by: right)
        return overflow ? .max : product
    }
}
