/// The time that each owner may spend in a lane. No clock: the times are passed in.
///
/// While transactions of an owner run, each takes a second a second; the budget refills all the time, slower. Counts alone
/// do not tell a thousand quick reads from a few slow ones, and a few owners of slow reads would fill the lane.
struct PoolBudget {
    private struct Account {
        var seconds = PoolBudget.capacity
        /// From the moment nothing is left until half is back: with a moment's rest alone nobody begins two slow reads.
        var isInDebt = false
        var asOf: ContinuousClock.Instant
    }

    /// Seconds that an owner who has rested may run before it is in debt; also the deepest debt, so that a debt ends.
    static let capacity = 10.0
    /// Seconds that come back in each second.
    static let refill = 0.25
    /// Accounts that are kept before those with a full budget are looked for.
    private static let fewAccounts = 64

    /// Of every owner whose budget may be less than full.
    private var accounts: [String: Account] = [:]
    /// How many transactions each owner has in flight.
    private var running: [String: Int] = [:]
    private var sweepAbove = Self.fewAccounts

    /// Owners that are remembered.
    var count: Int { self.accounts.count }

    mutating func started(_ owner: String, now: ContinuousClock.Instant) {
        self.accounts[owner] = self.account(owner, now: now)
        self.running[owner, default: 0] += 1
        guard self.accounts.count > self.sweepAbove else { return }
        for (owner, _) in self.accounts where self.running[owner] == nil {
            if self.account(owner, now: now).seconds == Self.capacity { self.accounts[owner] = nil }
        }
        // Sweeping each time would cost as much as there are accounts.
        self.sweepAbove = max(Self.fewAccounts, 2 * self.accounts.count)
    }

    mutating func ended(_ owner: String, now: ContinuousClock.Instant) {
        self.accounts[owner] = self.account(owner, now: now)
        let left = self.running[owner, default: 1] - 1
        self.running[owner] = left == 0 ? nil : left
    }

    func isInDebt(_ owner: String, now: ContinuousClock.Instant) -> Bool { self.account(owner, now: now).isInDebt }

    /// Transactions in flight whose owners are in debt.
    func runningInDebt(now: ContinuousClock.Instant) -> Int {
        self.running.reduce(0) { $0 + (self.isInDebt($1.key, now: now) ? $1.value : 0) }
    }

    private func account(_ owner: String, now: ContinuousClock.Instant) -> Account {
        guard var account = self.accounts[owner] else { return Account(asOf: now) }
        let change = (Self.refill - Double(self.running[owner, default: 0])) * ((now - account.asOf) / .seconds(1))
        account.seconds = min(Self.capacity, max(-Self.capacity, account.seconds + change))
        account.isInDebt = account.seconds < (account.isInDebt ? Self.capacity / 2 : 0)
        account.asOf = now
        return account
    }
}
