/// A provider token and its life. Renewed when one is needed and the last is old, never by a timer.
struct PushCredential: Sendable, Equatable {
    struct Token: Sendable, Equatable {
        var text: String
        /// Counts renewals.
        var generation: Int
        /// Milliseconds since 1970, like the following.
        var madeAt: Int64
        var refreshAt: Int64
        var expiresAt: Int64
    }

    private(set) var token: Token?
    private var isRenewing = false
    private var notBefore: Int64 = .min
    private var failures = 0
    private var generation = 0

    /// One to use now; nil if there is none.
    func usable(now: Int64) -> Token? {
        guard let token, now < token.expiresAt else { return nil }
        return token
    }

    /// True if it has to be renewed now. The caller then does so and tells how it ended.
    mutating func shouldRenew(now: Int64) -> Bool {
        guard !self.isRenewing, now >= self.notBefore, self.token.map({ now >= $0.refreshAt }) ?? true else {
            return false
        }
        self.isRenewing = true
        return true
    }

    /// When to ask again, if one is missing; nil while it is being renewed.
    var nextAttempt: Int64? { self.isRenewing ? nil : self.notBefore }

    mutating func renewed(_ text: String, life: Duration, refreshAhead: Duration, now: Int64) {
        self.isRenewing = false
        self.failures = 0
        self.generation += 1
        let expiresAt = now + life.milliseconds
        self.token = Token(
            text: text, generation: self.generation, madeAt: now,
            refreshAt: max(now, expiresAt - refreshAhead.milliseconds), expiresAt: expiresAt)
    }

    mutating func renewalFailed(now: Int64) {
        self.isRenewing = false
        self.failures += 1
        self.notBefore = now + min(60_000, 1000 << Int64(min(self.failures - 1, 10)))
    }

    /// The provider says that the token has expired. False if that cannot be: it is younger than `shortest`.
    mutating func expire(generation: Int, shortest: Duration, now: Int64) -> Bool {
        guard let token, token.generation == generation else { return true }
        guard now - token.madeAt >= shortest.milliseconds else { return false }
        self.token = nil
        return true
    }

    /// No new one for a while.
    mutating func hold(until: Int64) { self.notBefore = max(self.notBefore, until) }
}
