/// Lets one event per key through in each interval and drops the rest, for hints that are worthless when late.
///
/// Memory is bounded: at most `capacity` keys are remembered per interval, for two intervals. Beyond that new keys are
/// dropped until the interval ends: losing a hint is cheaper than growing without end.
public struct Throttle<Key: Hashable & Sendable>: Sendable {
    private let interval: Int64
    private let capacity: Int
    /// Keys let through in this interval and in the one before, and when.
    private var recent: [Key: Int64] = [:]
    private var older: [Key: Int64] = [:]
    private var startedAt: Int64?

    /// - Parameter interval: nanoseconds, greater than 0.
    public init(interval: Int64 = 1_000_000_000, capacity: Int = 65_536) {
        precondition(interval > 0 && capacity > 0)
        self.interval = interval
        self.capacity = capacity
    }

    /// Keys remembered at the moment.
    public var count: Int { self.recent.count + self.older.count }

    /// Whether an event for `key` may pass.
    ///
    /// - Parameter now: monotonic nanoseconds, of any origin.
    public mutating func allows(_ key: Key, now: Int64) -> Bool {
        self.turn(now)
        for last in [self.recent[key], self.older[key]] {
            if let last, now &- last < self.interval { return false }
        }
        guard self.recent.count < self.capacity else { return false }
        self.recent[key] = now
        return true
    }

    /// Forgets `key`, so that its next event passes at once.
    public mutating func reset(_ key: Key) {
        self.recent[key] = nil
        self.older[key] = nil
    }

    private mutating func turn(_ now: Int64) {
        let elapsed = now &- (self.startedAt ?? now)
        guard self.startedAt == nil || elapsed >= self.interval else { return }
        self.older = elapsed / 2 < self.interval ? self.recent : [:]
        self.recent = [:]
        self.startedAt = now
    }
}
