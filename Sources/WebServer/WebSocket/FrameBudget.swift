/// What one socket may cost by frames that bring no message: pings, pongs and fragments. A token bucket without a clock
/// of its own; who overdraws it is closed with 1008.
struct FrameBudget {
    /// Frames a second, and how many may come at once: more than a message may have fragments.
    static let perSecond: Int64 = 200
    static let burst: Int64 = 2048

    /// In thousandths of a frame.
    private var level = Self.burst * 1000
    private var filled: Int64

    init(now: Int64) { self.filled = now }

    /// Takes `count` frames at `now` milliseconds. - Returns: false when there were too many.
    mutating func take(_ count: Int, now: Int64) -> Bool {
        self.level = min(Self.burst * 1000, self.level + max(0, now - self.filled) * Self.perSecond)
        self.filled = now
        self.level -= Int64(count) * 1000
        return self.level >= 0
    }
}
