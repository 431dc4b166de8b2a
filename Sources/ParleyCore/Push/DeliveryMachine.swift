/// Delivers the jobs of one route: one set of credentials at one provider, or one Web Push service.
///
/// It sends as many at once as the connection allows, one while it is new and nobody knows how many that is; keeps the
/// provider token fresh; turns every answer into what the queue is told; stops while the route does not work, and comes
/// back slowly. Jobs that it cannot send soon are given back, so that their leases never run out in its hands.
public struct DeliveryMachine<Provider: PushProvider>: Sendable {
    private static var mostUnopened: Int { 4 }
    /// A connection that has been idle for so long may have been closed.
    private static var longestIdle: Duration { .seconds(60) }

    let provider: Provider
    let policy: PushPolicy
    var urgent: ArraySlice<Entry> = []
    private var others: ArraySlice<Entry> = []
    var flights: [String: Flight] = [:]
    var credential = PushCredential()
    var breaker: CircuitBreaker
    var rate: SendRate
    private var random: UInt64
    /// The number of the connection that new requests go to, and whether it has answered.
    var connection = 0
    var isOpen = false
    private var lastAnswer = Duration.zero
    var needsFresh = false
    /// In a row.
    var timeouts = 0
    var mismatches = MismatchTally()
    private var wakesAt: Duration?
    private var isDraining = false

    /// - Parameter seed: of the jitter.
    public init(_ provider: Provider, policy: PushPolicy = PushPolicy(), seed: UInt64) {
        self.provider = provider
        self.policy = policy
        self.breaker = CircuitBreaker(pause: policy.breakerPause)
        self.rate = SendRate(policy)
        self.random = seed
    }

    /// Jobs in its hands.
    public var count: Int { self.urgent.count + self.others.count + self.flights.count }

    /// Until when it is of no use to claim jobs for it; nil if it is.
    public func pausedUntil(now: Duration) -> Duration? {
        if case .closed(let until) = self.breaker.admission(now: now) { until } else { nil }
    }

    /// - Parameter now: the steady clock rises.
    public mutating func event(_ event: Event, now: PushMoment) -> [Action] {
        var actions: [Action] = []
        switch event {
        case .claimed(let jobs):
            for job in jobs {
                let entry = Entry(job: job, claimedAt: now.steady)
                if job.lane == .call { self.urgent.append(entry) } else { self.others.append(entry) }
            }
        case .answered(let id, let answer):
            guard let flight = self.flights.removeValue(forKey: id) else { break }
            self.lastAnswer = now.steady
            self.take(answer, of: flight, now, &actions)
        case .renewed(let text, let life):
            self.credential.renewed(text, life: life, refreshAhead: Provider.refreshAhead, now: now.unix)
            self.mismatches = MismatchTally()
        case .renewalFailed(let reason, let isRefused):
            self.credential.renewalFailed(now: now.unix)
            if isRefused { self.refuse(reason, now, &actions) }
        case .woke: self.wakesAt = nil
        case .drain: self.isDraining = true
        }
        self.fill(now, &actions)
        return actions
    }

    // MARK: - Sending

    private mutating func fill(_ now: PushMoment, _ actions: inout [Action]) {
        if self.flights.isEmpty, now.steady - self.lastAnswer >= Self.longestIdle { self.isOpen = false }
        while let entry = self.urgent.first ?? self.others.first {
            if self.isDraining || now.steady - entry.claimedAt >= self.policy.longestWait {
                self.drop()
                actions.append(.settle(PushSettlement(entry.job, .retry(after: .zero, counts: false), "waited")))
                continue
            }
            if entry.job.expiresAt <= now.unix {
                self.drop()
                actions.append(.settle(PushSettlement(entry.job, .dead, "expired")))
                continue
            }
            let admission = self.breaker.admission(now: now.steady)
            if case .closed(let until) = admission {
                // A probe's outcome is worth waiting for.
                guard self.flights.isEmpty else { break }
                self.drop()
                actions.append(self.later(entry.job, until - now.steady, "stopped"))
                continue
            }
            // A call does not wait for what may be the last request of a dead connection.
            let most = self.isOpen ? self.policy.mostInFlight : entry.job.lane == .call ? Self.mostUnopened : 1
            guard self.flights.count < most else { break }
            guard let token = self.token(now, &actions) else { break }
            if let pause = self.rate.take(now: now.steady) {
                self.wake(at: now.steady + pause, &actions)
                break
            }
            self.drop()
            if self.send(entry, token, now, &actions), admission == .probe {
                self.breaker.probe(now: now.steady)
            }
        }
        if let oldest = self.urgent.first ?? self.others.first {
            self.wake(at: oldest.claimedAt + self.policy.longestWait, &actions)
        }
    }

    private mutating func drop() {
        if self.urgent.popFirst() == nil { _ = self.others.popFirst() }
    }

    /// The provider token, renewed in time; nil while there is none.
    private mutating func token(_ now: PushMoment, _ actions: inout [Action]) -> PushCredential.Token? {
        guard Provider.needsCredential else {
            return PushCredential.Token(text: "", generation: 0, madeAt: 0, refreshAt: .max, expiresAt: .max)
        }
        if self.credential.shouldRenew(now: now.unix) { actions.append(.renew) }
        if let token = self.credential.usable(now: now.unix) { return token }
        if let next = self.credential.nextAttempt {
            self.wake(at: now.steady + .milliseconds(max(10, next - now.unix)), &actions)
        }
        return nil
    }

    /// - Returns: whether a request is on its way.
    private mutating func send(
        _ entry: Entry, _ token: PushCredential.Token, _ now: PushMoment, _ actions: inout [Action]
    ) -> Bool {
        do throws(PushRefusal) {
            var request = try self.provider.request(
                for: entry.job, credential: token.text, reduced: entry.isReduced, now: now)
            request.freshConnection = self.needsFresh
            self.needsFresh = false
            self.flights[entry.job.id] = Flight(
                entry: entry, connection: self.connection, generation: token.generation)
            actions.append(.send(entry.job.id, request))
            return true
        } catch {
            actions.append(.settle(PushSettlement(entry.job, error)))
            return false
        }
    }

    // MARK: - Times

    /// Puts a job off for what is not its fault, and not all of them to one moment.
    mutating func later(_ job: PushJob, _ pause: Duration, _ reason: String) -> Action {
        let pause = max(.milliseconds(100), pause) * self.jitter(1.0...1.5)
        return .settle(PushSettlement(job, .retry(after: pause, counts: false), reason))
    }

    /// SplitMix64.
    mutating func jitter(_ range: ClosedRange<Double>) -> Double {
        self.random &+= 0x9e37_79b9_7f4a_7c15
        var bits = self.random
        bits = (bits ^ bits >> 30) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
        let unit = Double((bits ^ bits >> 31) >> 11) / Double(1 << 53)
        return range.lowerBound + unit * (range.upperBound - range.lowerBound)
    }

    /// The earliest time anybody asked for counts.
    private mutating func wake(at time: Duration, _ actions: inout [Action]) {
        guard self.wakesAt.map({ time < $0 }) ?? true else { return }
        self.wakesAt = time
        actions.append(.wake(at: time))
    }
}
