extension DeliveryMachine {
    private static var mostTimeouts: Int { 3 }

    mutating func take(
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
        switch judgement.verdict {
        case .delivered:
            self.works(flight, now, &actions)
            self.mismatches.delivered()
            actions.append(.settle(PushSettlement(job, .delivered, reason)))
        case .deadToken(let since):
            self.works(flight, now, &actions)
            // A token that was given anew since then is another's, or alive again. Without a time it is what it was sent to.
            let end = since ?? job.target.registeredAt
            actions.append(
                .settle(PushSettlement(job, job.target.registeredAt <= end ? .deadToken(before: end) : .dead, reason)))
        case .badJob:
            self.works(flight, now, &actions)
            self.refused(job, reason, &actions)
        case .mismatched:
            switch self.mismatches.add(job.userID) {
            case .device:
                self.works(flight, now, &actions)
                self.refused(job, reason, &actions)
            case .unknown:
                self.works(flight, now, &actions)
                self.retry(job, floor, reason, now, &actions)
            case .everybody:
                self.refuse(reason, now, &actions)
                // It counts: what nobody takes must not come back for ever and stop the others.
                self.retry(job, max(floor, self.policy.refusedPause), reason, now, &actions)
            }
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

    mutating func refuse(_ reason: String, _ now: PushMoment, _ actions: inout [Action]) {
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
}
