/// When to fetch the key set again. No clock and no I/O: time comes in as seconds of any steady clock.
struct KeySetRefresh: Sendable, Equatable {
    /// Between fetches when all is well, so that withdrawn keys stop counting.
    static let period: Int64 = 600
    /// Between fetches that tokens with unknown keys may cause: anybody can send such tokens.
    static let unknownKeyPause: Int64 = 300
    /// The longest pause after failures; the first is one second, then they double.
    static let longestRetry: Int64 = 60

    private var isFetching = false
    private var nextFetch: Int64
    private var lastForced: Int64?
    private var failures: Int64 = 0

    /// - Parameter isLoaded: whether a first fetch succeeded at `now`.
    init(now: Int64, isLoaded: Bool) {
        self.nextFetch = now + (isLoaded ? Self.period : 1)
        self.failures = isLoaded ? 0 : 1
    }

    /// A token named a key that is not in the set; true if the set should be looked at now.
    mutating func unknownKey(now: Int64) -> Bool {
        guard !self.isFetching, self.lastForced.map({ now - $0 >= Self.unknownKeyPause }) ?? true else { return false }
        self.lastForced = now
        self.nextFetch = min(self.nextFetch, now)
        return true
    }

    /// Time has passed; true if a fetch is due. The caller then fetches and reports how it ended.
    mutating func tick(now: Int64) -> Bool {
        guard !self.isFetching, now >= self.nextFetch else { return false }
        self.isFetching = true
        return true
    }

    mutating func fetched(now: Int64, succeeded: Bool) {
        self.isFetching = false
        self.failures = succeeded ? 0 : self.failures + 1
        self.nextFetch = now + (succeeded ? Self.period : min(Self.longestRetry, 1 << min(self.failures - 1, 10)))
    }
}
