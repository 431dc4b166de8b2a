internal import Glibc

/// The clocks of the worker.
public enum Clock {
    /// Seconds since 1970, by the system's clock.
    public static func unixSeconds() -> Int64 { Self.read(CLOCK_REALTIME, perSecond: 1) }

    /// Milliseconds since 1970, by the system's clock.
    static func unixMilliseconds() -> Int64 { Self.read(CLOCK_REALTIME, perSecond: 1_000) }

    /// Seconds of a clock that nobody sets.
    static func steadySeconds() -> Int64 { Self.read(CLOCK_MONOTONIC, perSecond: 1) }

    /// Nanoseconds of a clock that nobody sets.
    static func steadyNanoseconds() -> Int64 { Self.read(CLOCK_MONOTONIC, perSecond: 1_000_000_000) }

    private static func read(_ clock: clockid_t, perSecond unit: Int64) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * unit + Int64(time.tv_nsec) / (1_000_000_000 / unit)
    }
}
