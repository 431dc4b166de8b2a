/// Delivers the jobs of one route: one set of credentials at one provider, or one Web Push service.
///
/// It sends as many at once as the connection allows, one while it is new and nobody knows how many that is; keeps the provider token fresh; turns every
/// answer into what the queue is told; stops while the route does not work, and comes back slowly. Jobs that it cannot
/// send soon are given back, so that their leases never run out in its hands.
public struct DeliveryMachine<Provider: PushProvider>: Sendable {
    private static var probeTime: Duration { .seconds(30) }
    private static var mostWrongApps: Int { 20 }
    private static var mostTimeouts: Int { 3 }
    private static var mostUnopened: Int { 4 }
    /// A connection that has been idle for so long may have been closed.
    private static var longestIdle: Duration { .seconds(60) }

    let provider: Provider
    let policy: PushPolicy
    private var urgent: ArraySlice<Entry> = []
    private var others: ArraySlice<Entry> = []
    private var flights: [String: Flight] = [:]
    private var credential = PushCredential()
    private var breaker: PushBreaker
    private var rate: SendRate
    private var random: UInt64
    /// The number of the connection that new requests go to, and whether it has answered.
    private var connection = 0
    private var isOpen = false
    private var lastAnswer = Duration.zero
    private var needsFresh = false
    /// In a row.
    private var timeouts = 0
    private var wrongApps = 0
    private var wakesAt: Duration?
    private var isDraining = false

    /// - Parameter seed: of the jitter.
    public init(_ provider: Provider, policy: PushPolicy = PushPolicy(), seed: UInt64) {
        self.provider = provider
        self.policy = policy
        self.breaker = PushBreaker(pause: policy.breakerPause)
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
                self.breaker.probe(until: now.steady + Self.probeTime)
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
            let outcome = error.isToken ? PushSettlement.Outcome.deadToken(before: now.unix) : .dead
            actions.append(.settle(PushSettlement(entry.job, outcome, error.reason)))
            return false
        }
    }

    // MARK: - Answers

    private mutating func take(
        _ answer: PushAnswer, of flight: Flight, _ now: PushMoment, _ actions: inout [Action]
    ) {
        var floor = Duration.zero
        let judgement: PushJudgement
        switch answer {
        case .response(let status, let body, let retryAfter):
            judgement = self.provider.judge(status: status, body: body)
            floor = retryAfter.flatMap { RetryAfter.parse($0, now: now.unix) } ?? .zero
            self.timeouts = 0
        case .lost(let reason): judgement = PushJudgement(.lost(isConnection: true), reason)
        case .timeout: judgement = PushJudgement(.lost(isConnection: false), "timeout")
        case .impossible(let reason): judgement = PushJudgement(.deadToken(since: nil), reason)
        }
        self.carryOut(judgement, floor: floor, of: flight, now, &actions)
    }

    private mutating func carryOut(
        _ judgement: PushJudgement, floor: Duration, of flight: Flight, _ now: PushMoment, _ actions: inout [Action]
    ) {
        var entry = flight.entry
        let job = entry.job
        let reason = judgement.reason
        if judgement.verdict != .wrongApp { self.wrongApps = 0 }
        switch judgement.verdict {
        case .delivered:
            self.works(flight, now, &actions)
            actions.append(.settle(PushSettlement(job, .delivered, reason)))
        case .deadToken(let since):
            self.works(flight, now, &actions)
            // A token that was given anew since then is another's, or alive again.
            let isOlder = since.map { job.target.registeredAt <= $0 } ?? true
            actions.append(
                .settle(PushSettlement(job, isOlder ? .deadToken(before: since ?? now.unix) : .dead, reason)))
        case .badJob:
            self.works(flight, now, &actions)
            self.refused(job, reason, &actions)
        case .wrongApp:
            self.works(flight, now, &actions)
            self.refused(job, reason, &actions)
            self.wrongApps += 1
            if self.wrongApps == Self.mostWrongApps { self.refuse(reason, now, &actions) }
        case .tooLarge:
            self.works(flight, now, &actions)
            if entry.isReduced {
                self.refused(job, reason, &actions)
            } else {
                entry.isReduced = true
                self.again(entry)
            }
        case .expiredCredential:
            let isOver = self.credential.expire(
                generation: flight.generation, shortest: Provider.shortestRenewal, now: now.unix)
            if isOver, !entry.hasRenewed {
                entry.hasRenewed = true
                self.again(entry)
            } else {
                self.refuse(reason, now, &actions)
                actions.append(self.later(job, self.policy.refusedPause, reason))
            }
        case .refusedCredential:
            self.refuse(reason, now, &actions)
            actions.append(self.later(job, self.policy.refusedPause, reason))
        case .renewedTooOften:
            self.credential.hold(until: now.unix + Provider.shortestRenewal.milliseconds)
            self.connectAnew(fresh: true)
            actions.append(self.later(job, max(floor, .seconds(60)), reason))
        case .throttled(let least):
            self.isOpen = true
            self.retry(job, max(floor, least), reason, now, &actions)
        case .unavailable(let least):
            self.fails(flight, reason, now, &actions)
            self.retry(job, max(floor, least), reason, now, &actions)
        case .closing:
            if flight.connection == self.connection { self.connectAnew(fresh: true) }
            self.retry(job, floor, reason, now, &actions)
        case .lost(let isConnection):
            // All that were on one connection are lost with it, which is one failure.
            if flight.connection == self.connection {
                self.fails(flight, reason, now, &actions)
                self.timeouts += isConnection ? 0 : 1
                if isConnection || self.timeouts >= Self.mostTimeouts { self.connectAnew(fresh: !isConnection) }
            }
            self.retry(job, floor, reason, now, &actions)
        }
    }

    private mutating func works(_ flight: Flight, _ now: PushMoment, _ actions: inout [Action]) {
        if flight.connection == self.connection { self.isOpen = true }
        guard self.breaker.succeeded() else { return }
        self.rate.recover(now: now.steady)
        actions.append(.report(.works))
    }

    private mutating func fails(
        _ flight: Flight, _ reason: String, _ now: PushMoment, _ actions: inout [Action]
    ) {
        guard self.breaker.failed(now: now.steady), case .closed(let until) = self.breaker.admission(now: now.steady)
        else { return }
        actions.append(.report(.stopped(reason: reason, pause: until - now.steady)))
    }

    private mutating func refuse(_ reason: String, _ now: PushMoment, _ actions: inout [Action]) {
        // What else is under way will say the same.
        if self.pausedUntil(now: now.steady) == nil || self.flights.isEmpty {
            actions.append(.report(.credentialRefused(reason: reason)))
        }
        self.breaker.stop(until: now.steady + self.policy.refusedPause)
    }

    private func refused(_ job: PushJob, _ reason: String, _ actions: inout [Action]) {
        actions.append(.settle(PushSettlement(job, .dead, reason)))
        actions.append(.report(.refused(job: job.id, reason: reason)))
    }

    private mutating func connectAnew(fresh: Bool) {
        self.connection += 1
        self.isOpen = false
        self.needsFresh = fresh
        self.timeouts = 0
    }

    private mutating func again(_ entry: Entry) { self.urgent.insert(entry, at: self.urgent.startIndex) }

    // MARK: - Times

    private mutating func retry(
        _ job: PushJob, _ floor: Duration, _ reason: String, _ now: PushMoment, _ actions: inout [Action]
    ) {
        guard job.attempts + 1 < self.policy.mostAttempts else {
            actions.append(.settle(PushSettlement(job, .dead, "\(reason), \(job.attempts + 1) times")))
            return
        }
        let range = self.policy.retryPause
        let doubled = min(range.lowerBound * (1 << min(job.attempts, 16)), range.upperBound)
        let pause = max(doubled * self.jitter(0.5...1.5), floor * self.jitter(1.0...1.5))
        guard now.unix + pause.milliseconds < job.expiresAt else {
            actions.append(.settle(PushSettlement(job, .dead, "\(reason), then expired")))
            return
        }
        actions.append(.settle(PushSettlement(job, .retry(after: pause, counts: true), reason)))
    }

    /// Puts a job off for what is not its fault, and not all of them to one moment.
    private mutating func later(_ job: PushJob, _ pause: Duration, _ reason: String) -> Action {
        let pause = max(.milliseconds(100), pause) * self.jitter(1.0...1.5)
        return .settle(PushSettlement(job, .retry(after: pause, counts: false), reason))
    }

    /// SplitMix64.
    private mutating func jitter(_ range: ClosedRange<Double>) -> Double {
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
